"""Phone numbers: international, North American, national, and numbers after a word for phone.

Without a context word the ``phonenumbers`` library decides (country codes, lengths, prefixes, official grouping). After
a word for phone, numbers that the library does not know count too, if they are written as phone numbers.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from gristmill.filters.pii.detectors.context import EXTENSION, context_vote, has_suffix, is_labeled, regions
from gristmill.filters.pii.detectors.window import PiiSpan, Window

GROUP = re.compile(rb"[+(]{0,2}\d(?:[\d./()-]|\xe2\x80[\x90-\x97])*")  # digits without a space between them
NANP = re.compile(rb"(?:1[ .-]|001[ .-]|\(?1\)?[ .-]|8 ?(?=\())?(?:\((\d{3})\) ?-?|(\d{3})([ .-]))(\d{3})[ .-](\d{4})")
NANP_DIGITS = (10, 11, 13)
CHINESE = re.compile(rb"(?:86[ -]?)?1[3-9]\d(?:\d{8}|([ -])\d{4}\1\d{4})")
DATED = re.compile(rb"(?:19|20)\d\d([./-])\d{1,2}\1\d{1,2}(?!\d)|\d{1,2}([./])\d{1,2}\2(?:19|20)\d\d(?!\d)")
YEARS = re.compile(rb"(?:1[5-9]|20)\d\d\D{1,3}(?:1[5-9]|20)\d\d")
FICTION = re.compile(r"1?[2-9]\d\d55501\d\d$")  # numbers of fiction and manuals, and our surrogates
DECIMAL = re.compile(rb"\+?\d+\.\d+")
# An ISBN has 13 digits; 978 and 979 are also area codes of North America.
BOOK = re.compile(rb"(?<!\d)97[89](?![ .-]\d{3}[ .-]\d{4}(?![ -]?\d))(?:[ -]?\d){10}(?!\d)")
# One word of the scanner: 2085557234-Office, Fax-208-555-7234, 2085557234x12
JOINED = re.compile(rb"(?i)(?:[a-z]{1,9}-)?(\d{7,15}|\d{2,4}(?:-\d{2,8}){1,4})(?:(x|ext)\d{1,6})?(?:-[a-z]{2,9})?")
SWITCHBOARD = re.compile(rb"^.\d[^-]*\d{3}-\d$")  # 089 123456-0
STAMP = re.compile(rb"(?:19|20)\d{6}|1\d{9}")  # 20231011-mobile, 1697012345-work
NO_DIGITS = bytes({*range(256)} - {*b"0123456789"})
MIN_DIGITS, MAX_DIGITS = 6, 17
MAX_GROUPS = 12
NEAR = 3  # words: a number without groups, or one that ends like a year, needs its word so near
NONE, CALLED, SHAPED, VALID = range(4)  # confidence that digits are a phone number
GLUED_BEFORE = re.compile(rb"[\w.,/%#&=*@<>\\~^$-]$|\xe2\x82\xac$")
NAMED = re.compile(rb"\w\.[A-Za-z]+\.$")  # 10.1016/j.cell.2020.01.001: the word is a part of a name
GLUED_AFTER = re.compile(rb"\w|[.,:/-]\d|[%=*\\^]|[-/]\w|\(\w")


def phones(window: Window) -> Iterator[PiiSpan]:
    """Yield the phone numbers in a NUMBER window, with their extensions.

    Groups of digits are separated by spaces. Of the runs that begin with a group, the one of highest confidence is
    taken, of equals the longest: in "+36 85 330 060 9" the number is valid without the 9, which is left out.
    """
    vote = context_vote("phone", window)
    if vote < 0:
        return
    groups = [(window.start + found.start(), window.start + found.end()) for found in GROUP.finditer(window.text)]
    if sum(end - start for start, end in groups) > 12:
        for start, end in [found.span() for found in BOOK.finditer(window.data, window.start, window.end)]:
            groups = [each for each in groups if each[1] <= start or each[0] >= end]
    sizes = [len(window.data[start:end].translate(None, NO_DIGITS)) for start, end in groups]
    first, from_first = 0, True
    while first < min(len(groups), MAX_GROUPS):
        best, span, next_first = NONE, None, first + 1
        plausible = vote > 0 or window.data[groups[first][0]] in b"+(0"
        for last in range(min(len(groups), first + MAX_GROUPS), first, -1):
            digits, alone = sum(sizes[first:last]), from_first and last == len(groups)
            if not MIN_DIGITS <= digits <= MAX_DIGITS or not (plausible or digits in NANP_DIGITS):
                continue  # no phone number; the exact rules would take 0.48 s instead of 0.33 for 11 MB of code
            found, quality = _phone(window, groups[first][0], groups[last - 1][1], vote, alone)
            if quality == CALLED and not from_first:
                continue  # the end of something else
            if quality > best:
                best, span, next_first = quality, found, last
        if span:
            yield span
            vote = min(vote, 0)  # the word belongs to this number
        first, from_first = next_first, span is not None


def joined_phones(window: Window) -> Iterator[PiiSpan]:
    """Yield the phone number in a JOINED window: digits joined to a word or an extension."""
    found = JOINED.fullmatch(window.data, window.start, window.end)
    if not found:
        return
    start, end = found.span(1)
    start -= window.before(start, 1) == b"+"
    number = Window(window.data, start, end, window.low, window.high, window.language, regions=window.regions)
    supported = context_vote("phone", number) > 0 or found[2]
    if supported and (is_labeled("phone", number) or not STAMP.fullmatch(found[1])):
        yield from phones(number)


def _phone(window: Window, start: int, end: int, vote: int, alone: bool) -> tuple[PiiSpan | None, int]:
    """Return the phone number in the bytes ``start:end``, with its extension, and the confidence.

    ``vote`` is the context words'; ``alone``: the window holds no other digits.
    """
    text = window.data[start:end]
    if text.startswith(b"(") and b")" not in text:
        start, text = start + 1, text[1:]
    if text.count(b")") > text.count(b"(") and window.before(start, 2) == b"( ":  # text split into words
        start, text = start - 2, window.data[start - 2 : end]
    digits = text.translate(None, NO_DIGITS).decode()
    if len(set(digits)) == 1:
        return None, NONE
    extension = EXTENSION.match(window.after(end, 16))
    if DATED.match(text):
        return None, NONE
    joined = not extension and GLUED_AFTER.match(window.after(end, 3))
    if joined and not (end == window.end and has_suffix("phone", window)):
        return None, NONE
    if FICTION.match(digits) or text.count(b"(") != text.count(b")"):
        return None, NONE
    if (YEARS.fullmatch(text) or DECIMAL.fullmatch(text)) and not is_labeled("phone", window):
        return None, NONE
    glued = GLUED_BEFORE.search(window.before(start, 1))
    if (glued and not (vote > 0 and glued[0] in _allowed_before(window))) or NAMED.search(window.before(start, 24)):
        return None, NONE
    groups = re.findall(rb"\d+", text)
    quality = _is_phone(window, text, digits, groups, vote > 0, alone)
    if quality == NONE and vote > 0 and _is_called_phone(window, text, digits, groups):
        quality = CALLED
    end += extension.end() if extension else 0
    return (PiiSpan(start, end, "phone"), quality) if quality else (None, NONE)


def _allowed_before(window: Window) -> bytes:
    """Return the marks that a number of known context may be glued to."""
    if is_labeled("phone", window):
        return b"=/#.<>*-"
    return b"" if has_suffix("phone", window) else b"=/#.<>*"


def _is_called_phone(window: Window, text: bytes, digits: str, groups: list[bytes]) -> bool:
    """True if a number after a word for phone is written as a phone number."""
    if len(digits) > 15 or (len(digits) == 6 and (len(groups) != 3 or digits.startswith("00"))):
        return False
    if len(groups) > 7 or sum(len(group) == 1 for group in groups) > 2:
        return False
    if len(groups[-1]) == 1 and not SWITCHBOARD.search(text):
        return False
    if text.count(b"/") > 1 or (b" - " in text and (b"." in text or text[0] not in b"0+")):
        return False
    dated = len(groups) == 2 and re.fullmatch(rb"(?:19|20)\d\d", groups[1])
    return not (dated or len(groups) == 1) or context_vote("phone", window, NEAR) > 0


def _is_phone(window: Window, text: bytes, digits: str, groups: list[bytes], called: bool, alone: bool) -> int:
    """Return the confidence by the number alone; after a word for phone (``called``) less evidence is enough."""
    if text.startswith((b"+", b"(+")):
        digits = text.replace(b"(0)", b"").translate(None, NO_DIGITS).decode()
        return _international(digits, len(groups) > 1 and len(groups[-1]) > 1) if 8 <= len(digits) <= 15 else NONE
    nanp = NANP.fullmatch(text)
    if nanp:
        area, exchange = nanp[1] or nanp[2], nanp[4]
        if called or (nanp[1] and exchange >= b"200") or (alone and nanp[3] != b" " and min(area, exchange) >= b"200"):
            return VALID
        return _international("1" + digits[-10:]) if alone else NONE
    if digits.startswith(("00", "011")) and len(digits) >= 10 and (alone or called):
        valid = _international(digits[2 if digits[1] == "0" else 3 :])
        if valid or digits[1] == "0":
            return valid
    here = {*window.regions, *regions(window.language)}
    if CHINESE.fullmatch(text) and alone:
        chinese = "CN" in here or re.search(rb"[\xe4-\xe9][\x80-\xbf]{2}", window.before(window.start, 12))
        return VALID if chinese else NONE
    if len(groups) < 2 or len(digits) < 8 or not (alone or called):
        return NONE
    if not called and digits[0] != "0" and not text.startswith(b"("):
        return NONE
    return VALID if any(_grouped(digits, tuple(groups), region) for region in sorted(here)) else NONE


@lru_cache(maxsize=65536)
def _international(digits: str, grouped: bool = False) -> int:
    """Return the confidence of a number with country code; if ``grouped``, a known code is enough."""
    import phonenumbers  # 40 ms

    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return NONE
    return VALID if phonenumbers.is_valid_number(parsed) else SHAPED if grouped else NONE


@lru_cache(maxsize=65536)
def _grouped(digits: str, groups: tuple[bytes, ...], region: str) -> bool:
    """True if a number is valid in the region and grouped as the region's official format."""
    import phonenumbers

    try:
        parsed = phonenumbers.parse(digits, region)
    except phonenumbers.NumberParseException:
        return False
    if not phonenumbers.is_valid_number_for_region(parsed, region):
        return False
    official = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return re.findall(r"\d+", official) == [group.decode() for group in groups]
