"""Telephone numbers: international ones, those of North America, national ones, and whatever a word calls one.

What the ``phonenumbers`` library knows (country codes, lengths, prefixes, official grouping) decides where no word
speaks; where a word does, a number that the library has not heard of counts too, if it is written as one.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from gristmill.filters.pii.detectors.context import context_vote, regions
from gristmill.filters.pii.detectors.window import PiiSpan, Window

PIECE = re.compile(rb"[+(]{0,2}\d(?:[\d./()-]|\xe2\x80[\x90-\x97])*")  # groups without a space between them
EXTENSION = re.compile(
    rb"(?i)[ ,]{0,2}(?:x|ext\.?|extension|#|poste|durchwahl|\xd0\xb4\xd0\xbe\xd0\xb1\.?) ?\d{1,6}(?!\w)"
)
NANP = re.compile(rb"(?:1[ .-]|001[ .-]|\(?1\)?[ .-])?(?:\((\d{3})\) ?-?|(\d{3})([ .-]))(\d{3})[ .-](\d{4})")
NANP_DIGITS = (10, 11, 13)
CHINESE = re.compile(rb"(?:86[ -]?)?1[3-9]\d(?:\d{8}|([ -])\d{4}\1\d{4})")
DATED = re.compile(rb"(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}(?!\d)|\d{1,2}([./])\d{1,2}\2(?:19|20)\d\d(?!\d)")
YEARS = re.compile(rb"(?:1[5-9]|20)\d\d\D{1,3}(?:1[5-9]|20)\d\d")
FICTION = re.compile(r"1?[2-9]\d\d55501\d\d$")  # numbers of films and manuals, and our own surrogates
DECIMAL = re.compile(rb"\+?\d+\.\d+")
BOOK = re.compile(rb"97[89][ -]")
NO_DIGITS = bytes({*range(256)} - {*b"0123456789"})
MIN_DIGITS, MAX_DIGITS = 6, 17
MAX_PIECES = 12
NEAR = 3  # words: a number in one piece, or one that ends like a year, wants its word as near
NONE, CALLED, SHAPED, VALID = range(4)  # how surely something is a number
GLUED_BEFORE = re.compile(rb"[\w.,/%#&=*@<>\\~^$-]$|\xe2\x82\xac$")
GLUED_BEHIND = re.compile(rb"\w|[.,:/-]\d|[%=*\\^]|[-/]\w|\(\w")


def phones(place: Window) -> Iterator[PiiSpan]:
    """A window of kind NUMBER -> the phone numbers in it, with their extension.

    Pieces stand apart by spaces. Of the runs of pieces that begin with one the best is taken, of equals the longest:
    in "+36 85 330 060 9" the 9 is no part of a number that is known to be whole without it.
    """
    said = context_vote("phone", place)
    if said < 0:
        return
    pieces = [(place.start + found.start(), place.start + found.end()) for found in PIECE.finditer(place.text)]
    sizes = [len(place.data[start:end].translate(None, NO_DIGITS)) for start, end in pieces]
    first, from_first = 0, True
    while first < min(len(pieces), MAX_PIECES):
        best, span, next_first = NONE, None, first + 1
        spoken_for = said > 0 or place.data[pieces[first][0]] in b"+(0"
        for last in range(min(len(pieces), first + MAX_PIECES), first, -1):
            digits, alone = sum(sizes[first:last]), from_first and last == len(pieces)
            if not MIN_DIGITS <= digits <= MAX_DIGITS or not (spoken_for or digits in NANP_DIGITS):
                continue  # nothing would come of it; to ask takes 0.48 s of 11 MB of code in place of 0.33
            found, quality = _phone(place, pieces[first][0], pieces[last - 1][1], said, alone)
            if quality > best:
                best, span, next_first = quality, found, last
        if span:
            yield span
            said = min(said, 0)  # the word was about this one
        first, from_first = next_first, span is not None


def _phone(place: Window, start: int, end: int, said: int, alone: bool) -> tuple[PiiSpan | None, int]:
    """The number that the bytes ``start:end`` are, with its extension, and how surely.

    ``said``: what words say; ``alone``: there are no other digits beside it.
    """
    text = place.data[start:end]
    if text.startswith(b"(") and b")" not in text:
        start, text = start + 1, text[1:]
    digits = text.translate(None, NO_DIGITS).decode()
    if len(set(digits)) == 1:
        return None, NONE
    extension = EXTENSION.match(place.behind(end, 16))
    if (not extension and GLUED_BEHIND.match(place.behind(end, 3))) or DATED.match(text) or YEARS.fullmatch(text):
        return None, NONE
    if FICTION.match(digits) or BOOK.match(text) or DECIMAL.fullmatch(text) or text.count(b"(") != text.count(b")"):
        return None, NONE
    glued = GLUED_BEFORE.search(place.before(start, 1))
    if glued and not (said > 0 and glued[0] in b"=/#.<>*"):
        return None, NONE
    groups = re.findall(rb"\d+", text)
    quality = _is_phone(place, text, digits, groups, said > 0, alone)
    if quality == NONE and said > 0 and _is_called_phone(place, text, digits, groups):
        quality = CALLED
    end += extension.end() if extension else 0
    return (PiiSpan(start, end, "phone"), quality) if quality else (None, NONE)


def _is_called_phone(place: Window, text: bytes, digits: str, groups: list[bytes]) -> bool:
    """Is it written as a number that a word has named a phone?"""
    if len(digits) > 15 or (len(digits) == 6 and (len(groups) != 3 or digits.startswith("00"))):
        return False
    if len(groups) > 7 or sum(len(group) == 1 for group in groups) > 2 or len(groups[-1]) == 1:
        return False
    if text.count(b"/") > 1 or b" - " in text:
        return False
    dated = len(groups) == 2 and re.fullmatch(rb"(?:19|20)\d\d", groups[1])
    return not (dated or len(groups) == 1) or context_vote("phone", place, NEAR) > 0


def _is_phone(place: Window, text: bytes, digits: str, groups: list[bytes], called: bool, alone: bool) -> int:
    """Is it a phone though no word says so, and how surely? Where a word does, fewer signs are enough."""
    if text.startswith((b"+", b"(+")):
        return _international(digits, len(groups) > 1 and len(groups[-1]) > 1) if 8 <= len(digits) <= 15 else NONE
    nanp = NANP.fullmatch(text)
    if nanp:
        area, exchange = nanp[1] or nanp[2], nanp[4]
        if called or (nanp[1] and exchange >= b"200") or (alone and nanp[3] != b" " and min(area, exchange) >= b"200"):
            return VALID
        return _international("1" + digits[-10:], False) if alone else NONE
    if digits.startswith("00") and len(digits) >= 10 and (alone or called):
        return _international(digits[2:], False)
    here = {*place.regions, *regions(place.language)}
    if CHINESE.fullmatch(text) and alone:
        chinese = "CN" in here or re.search(rb"[\xe4-\xe9][\x80-\xbf]{2}", place.before(place.start, 12))
        return VALID if chinese else NONE
    if len(groups) < 2 or len(digits) < 8 or not (alone or called):
        return NONE
    if not called and digits[0] != "0" and not text.startswith(b"("):
        return NONE
    return VALID if any(_grouped(digits, tuple(groups), region) for region in sorted(here)) else NONE


@lru_cache(maxsize=65536)
def _international(digits: str, written: bool) -> int:
    """How surely is it a number with a country's code? Where it is ``written`` in groups, the code alone will do."""
    import phonenumbers  # 40 ms

    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return NONE
    return VALID if phonenumbers.is_valid_number(parsed) else SHAPED if written else NONE


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
