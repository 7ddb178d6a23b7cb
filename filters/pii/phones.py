"""Telephone numbers: international ones, those of North America, national ones, and whatever a word calls one.

What the ``phonenumbers`` library knows (country codes, lengths, prefixes, official grouping) decides where no word
speaks; where a word does, a number that the library has not heard of counts too, if it is written as one.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from filters.pii.context import opinion, regions
from filters.pii.place import Place, Span

PIECE = re.compile(rb"[+(]{0,2}\d(?:[\d./()-]|\xe2\x80[\x90-\x97])*")  # groups without a space between them
EXTENSION = re.compile(rb"(?i)[ ,]{0,2}(?:x|ext\.?|extension|#|poste|durchwahl|\xd0\xb4\xd0\xbe\xd0\xb1\.?) ?\d{1,6}(?!\w)")
NANP = re.compile(rb"(?:1[ .-]|001[ .-]|\(?1\)?[ .-])?(?:\((\d{3})\) ?-?|(\d{3})([ .-]))(\d{3})[ .-](\d{4})")
CHINESE = re.compile(rb"(?:86[ -]?)?1[3-9]\d(?:\d{8}|([ -])\d{4}\1\d{4})")
DATED = re.compile(rb"(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}(?!\d)|\d{1,2}([./])\d{1,2}\2(?:19|20)\d\d(?!\d)")
YEARS = re.compile(rb"(?:1[5-9]|20)\d\d\D{1,3}(?:1[5-9]|20)\d\d")
FICTION = re.compile(r"1?[2-9]\d\d55501\d\d$")  # numbers of films and manuals, and our own surrogates
BOOK = re.compile(rb"97[89][ -]")
MAX_PIECES = 12
GLUED_BEFORE = re.compile(rb"[\w.,/%#&=*@<>\\~^$-]$|\xe2\x82\xac$")
GLUED_BEHIND = re.compile(rb"\w|[.,:/-]\d|[%=*\\^]|[-/]\w|\(\w")


def phones(place: Place) -> Iterator[Span]:
    """A window of kind NUMBER -> the phone numbers in it, with their extension.

    Pieces stand apart by spaces: of all runs of pieces the longest that is a number goes first ("90210 +1 415 …").
    """
    pieces = [(place.start + found.start(), place.start + found.end()) for found in PIECE.finditer(place.text)]
    pieces = pieces[:MAX_PIECES]
    first = 0
    while first < len(pieces):
        for last in range(len(pieces), first, -1):
            start, end = pieces[first][0], pieces[last - 1][1]
            whole = first == 0 and last == len(pieces)
            found = _phone(place, start, end, whole)
            if found:
                yield found
                first = last
                break
        else:
            first += 1


def _phone(place: Place, start: int, end: int, whole: bool) -> Span | None:
    """The number that the bytes ``start:end`` are, with its extension; ``whole``: no other digits beside them."""
    text = place.data[start:end]
    if text.startswith(b"(") and b")" not in text:
        start, text = start + 1, text[1:]
    if text.endswith(b")") and b"(" not in text:
        end, text = end - 1, text[:-1]
    digits = re.sub(rb"\D", b"", text).decode()
    if not 6 <= len(digits) <= 17 or len(set(digits)) == 1:
        return None
    extension = EXTENSION.match(place.behind(end, 16))
    behind = place.behind(end, 3)
    if not extension and GLUED_BEHIND.match(behind) or DATED.match(text) or YEARS.fullmatch(text):
        return None
    if FICTION.match(digits) or BOOK.match(text):
        return None
    glued = GLUED_BEFORE.search(place.before(start, 1))
    end += extension.end() if extension else 0
    said = opinion("phone", place, start, end)
    if said < 0 or glued and not (said > 0 and glued[0] in b"=/#.<>*"):
        return None
    groups = re.findall(rb"\d+", text)
    if said > 0 and _is_called_phone(text, digits, groups) or _is_phone(place, text, digits, groups, whole):
        return Span(start, end, "phone")
    return None


def _is_called_phone(text: bytes, digits: str, groups: list[bytes]) -> bool:
    """Is it written as a number that a word has named a phone?"""
    if len(digits) == 6 and len(groups) < 2 or len(digits) > 15:
        return False
    return len(groups) <= 7 and sum(len(group) == 1 for group in groups) <= 2 and text.count(b"/") <= 1


def _is_phone(place: Place, text: bytes, digits: str, groups: list[bytes], whole: bool) -> bool:
    """Is it a phone though no word says so?"""
    if text[:2] in (b"+(", b"(+") or text[:1] == b"+":
        return 8 <= len(digits) <= 15 and _exists("+" + digits, len(groups) > 1)
    nanp = NANP.fullmatch(text)
    if nanp:
        area, exchange = nanp[1] or nanp[2], nanp[4]
        if min(area, exchange) < b"200":
            return False
        return bool(nanp[1]) or (whole and nanp[3] != b" ") or (whole and _exists("+1" + digits[-10:], False))
    if digits.startswith("00") and len(digits) >= 10 and whole:
        return _exists("+" + digits[2:], False)
    here = {*place.regions, *regions(place.language)}
    if CHINESE.fullmatch(text) and whole:
        return "CN" in here or bool(re.search(rb"[\xe4-\xe9][\x80-\xbf]{2}", place.before(place.start, 12)))
    if len(groups) < 2 or not whole or len(digits) < 8:
        return False
    trunk = digits[0] == "0" or text.startswith(b"(")
    return trunk and any(_grouped(digits, tuple(groups), region) for region in sorted(here))


@lru_cache(maxsize=65536)
def _exists(number: str, written: bool) -> bool:
    """Is it a number of some country, or, where it is ``written`` in groups, could it be one?"""
    import phonenumbers  # 40 ms

    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    return written or phonenumbers.is_valid_number(parsed)


@lru_cache(maxsize=65536)
def _grouped(digits: str, groups: tuple[bytes, ...], region: str) -> bool:
    """Is it a number of the region, in the groups that the region's own telephone books use?"""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number_for_region(parsed, region):
        return False
    official = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return re.findall(r"\d+", official) == [group.decode() for group in groups]
