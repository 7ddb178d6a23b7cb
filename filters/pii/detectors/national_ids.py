"""Numbers that states give to people: social security, resident, tax and identity numbers, passports.

A number with a strong check of its own counts wherever it stands; the others need a word that names them.
"""

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from typing import NamedTuple

from gristmill.filters.pii.detectors import checksums
from gristmill.filters.pii.detectors.checksums import luhn, weighted
from gristmill.filters.pii.detectors.context import context_vote, has_context
from gristmill.filters.pii.detectors.window import PiiSpan, Window

SSN = re.compile(rb"(?<![\w.-])(\d{3})([- ]?)(\d{2})\2(\d{4})(?![\w-])")
KNOWN_FAKE_SSNS = {b"078051120", b"219099999"}  # printed on cards in wallets and leaflets
RESIDENT = re.compile(rb"(?<![0-9A-Za-z])([1-9]\d)\d{4}(\d{4})(\d\d)(\d\d)\d{3}[0-9Xx](?![0-9A-Za-z])")
RUN = re.compile(rb"\d{17}")  # of digits, which no window cuts
CN_PROVINCES = {
    *range(11, 16),
    *range(21, 24),
    *range(31, 38),
    *range(41, 47),
    *range(50, 55),
    *range(61, 66),
    71,
    81,
    82,
}


def social_security(place: Window) -> Iterator[PiiSpan]:
    """A window of kind NUMBER -> US social security numbers: areas 001-665 and 667-899, no part of zeros.

    With hyphens it needs no word; with spaces, or nine digits in a row, it does.
    """
    for found, start, end in place.find(SSN):
        area, separator, group, serial = found.groups()
        said = context_vote("ssn", place)
        if not (b"000" < area < b"900" and area != b"666" and group != b"00" and serial != b"0000"):
            continue
        if area + group + serial not in KNOWN_FAKE_SSNS and (said > 0 or (separator == b"-" and said == 0)):
            yield PiiSpan(start, end, "us_ssn")


def chinese_resident(place: Window) -> Iterator[PiiSpan]:
    """A window of kind NUMBER or TOKEN -> resident numbers of China: province, day of birth, check digit."""
    for found, start, end in place.find(RESIDENT) if RUN.search(place.data, place.start, place.end) else ():
        if (
            int(found[1]) in CN_PROVINCES
            and is_day(*map(int, found.groups()[1:]))
            and checksums.mod11_2(found[0].decode())
        ):
            yield PiiSpan(start, end, "cn_id")


def is_day(year: int, month: int, day: int) -> bool:
    """Is there such a day, on which a person who lives may be born?"""
    try:
        return 1900 <= date(year, month, day).year <= 2029
    except ValueError:
        return False


class IdScheme(NamedTuple):
    """A kind of number of one country. ``check`` takes it without separators; ``named`` ones need a word."""

    country: str
    shape: re.Pattern
    check: Callable[[str], bool]
    named: bool = True


def _scheme(country: str, shape: str, check: Callable[[str], bool], named: bool = True) -> IdScheme:
    return IdScheme(country, re.compile(rf"(?<![\w.-]){shape}(?![\w-])".encode()), check, named)


def _born(text: str, year: slice, month: slice, day: slice, centuries=(1900, 2000)) -> bool:
    """Do the digits at these places make a day?"""
    numbers = [int(re.sub(r"\D", "", text)[place]) for place in (year, month, day)]
    return any(is_day(century + numbers[0], *numbers[1:]) for century in centuries)


YMD, DMY = (slice(0, 2), slice(2, 4), slice(4, 6)), (slice(4, 6), slice(2, 4), slice(0, 2))
CHECK_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"


def _french(text: str) -> bool:
    return int(text[13:]) == 97 - int(text[:13]) % 97


def _spanish(text: str) -> bool:
    return checksums.remainder_letter(text[:-1].translate(str.maketrans("XYZ", "012")), CHECK_LETTERS, text[-1])


def _modulo(weights: tuple[int, ...], modulus: int, text: str) -> bool:
    return weighted(text, weights) % modulus == 0


def _norwegian(text: str) -> bool:
    first, second = (3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
    return _modulo(first, 11, text) and _modulo(second, 11, text)


def _japanese(text: str) -> bool:
    rest = weighted(text[:11], (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return int(text[11]) == (0 if rest <= 1 else 11 - rest)


NUMBERS = (
    _scheme(
        "GB", r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", lambda _: True
    ),
    _scheme("ES", r"(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]", _spanish),
    _scheme("IT", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", checksums.italian, False),
    _scheme("FR", r"[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?\d\d ?\d{3} ?\d{3} ?\d\d", _french, False),
    _scheme("DE", r"[1-9]\d(?: ?\d{3}){3}", checksums.mod11_10),
    _scheme("BR", r"\d{3}\.\d{3}\.\d{3}-\d\d", checksums.brazilian, False),
    _scheme("BR", r"\d{11}", checksums.brazilian),
    _scheme("PL", r"\d{11}", partial(_modulo, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)),
    _scheme("NL", r"\d{9}", partial(_modulo, (9, 8, 7, 6, 5, 4, 3, 2, -1), 11)),
    _scheme("NO", r"\d{6} ?\d{5}", _norwegian),
    _scheme("SE", r"(?:19|20)?\d{6}[-+]\d{4}", lambda text: luhn(text[-10:]) and _born(text[-10:], *YMD), False),
    _scheme("DK", r"\d{6}-\d{4}", lambda text: _born(text, *DMY)),
    _scheme("KR", r"\d{6}-[1-4]\d{6}", lambda text: _born(text, *YMD), False),
    _scheme("IN", r"[2-9]\d{3} ?\d{4} ?\d{4}", checksums.verhoeff),
    _scheme("IN", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", lambda _: True),
    _scheme("CA", r"\d{3}[ -]?\d{3}[ -]?\d{3}", luhn),
    _scheme("MX", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", checksums.mexican, False),
    _scheme("JP", r"\d{4}[ -]?\d{4}[ -]?\d{4}", _japanese),
    _scheme("TR", r"[1-9]\d{10}", checksums.turkish),
    _scheme("ZA", r"\d{13}", lambda text: luhn(text) and _born(text, *YMD)),
    _scheme("US", r"9\d\d-[5-9]\d-\d{4}", lambda _: True),  # ITIN
)


CHECKED = tuple(number for number in NUMBERS if not number.named)
ANY_CHECKED = re.compile(b"|".join(number.shape.pattern for number in CHECKED))
MIN_CHECKED = 11  # bytes of the shortest of them
SMALL = re.compile(rb"[a-z_]")  # a word with one of these is no number here: all stand alone and are of capitals

CARD_NUMBER = re.compile(rb"(?<![\w.-])[A-Z]{0,3}\d{5,12}[A-Z]?\d?(?![\w-])")  # of what says it is an identity card
PASSPORT = re.compile(rb"(?<![\w.-])(?:[A-Z]{1,2}\d{6,8}|\d{8,9}|\d\d[A-Z]{2}\d{5}|[A-Z0-9]{8,9})(?![\w-])")


def national_ids(place: Window) -> Iterator[PiiSpan]:
    """A window of kind ID, TOKEN or NUMBER -> numbers by the table above; what follows "id number" and the like."""
    if SMALL.search(place.data, place.start, place.end):
        return
    named = has_context("national_id", place)
    if not named and (place.end - place.start < MIN_CHECKED or not ANY_CHECKED.search(place.text)):
        return
    for number in NUMBERS if named else CHECKED:
        for found, start, end in place.find(number.shape):
            text = re.sub(rb"[^0-9A-Z]", b"", found[0]).decode()
            if text.strip("0") and number.check(text):
                yield PiiSpan(start, end, "national_id")
    if named:
        for found, start, end in place.find(CARD_NUMBER):
            if re.search(rb"[1-9]", found[0]):
                yield PiiSpan(start, end, "national_id")


def passport(place: Window) -> Iterator[PiiSpan]:
    """A window of kind ID or NUMBER -> what follows a word for passport and may be its number."""
    if SMALL.search(place.data, place.start, place.end) or not has_context("passport", place):
        return
    for found, start, end in place.find(PASSPORT):
        digits = re.sub(rb"\D", b"", found[0])
        if len(digits) >= 5 and digits.strip(b"0"):
            yield PiiSpan(start, end, "passport")
