"""National IDs: social security, resident, tax and identity numbers, and passports.

A number with a strong check is found without context; the others need a context word.
python-stdnum validates all schemes that it supports, except Belgium's; the shapes and the other checks are our own.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import NamedTuple

from stdnum.ar import cuit
from stdnum.at import vnr
from stdnum.au import tfn
from stdnum.bg import egn
from stdnum.br import cpf
from stdnum.ca import sin
from stdnum.ch import ssn as ahv
from stdnum.cl import rut
from stdnum.cz import rc
from stdnum.de import idnr as de_idnr
from stdnum.dk import cpr
from stdnum.ee import ik
from stdnum.es import nif
from stdnum.fi import hetu
from stdnum.fr import nir
from stdnum.gb import nhs
from stdnum.gr import amka
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.il import idnr as il_idnr
from stdnum.in_ import aadhaar, pan
from stdnum.it import codicefiscale
from stdnum.jp import in_ as jp_in
from stdnum.kr import rrn
from stdnum.mx import curp
from stdnum.my import nric
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pk import cnic
from stdnum.pl import pesel
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp
from stdnum.ru import inn
from stdnum.se import personnummer
from stdnum.th import pin
from stdnum.tr import tckimlik
from stdnum.ua import rntrc
from stdnum.us import itin, ssn
from stdnum.za import idnr as za_idnr

from gristmill.filters.pii.detectors import checksums
from gristmill.filters.pii.detectors.context import context_vote, has_context
from gristmill.filters.pii.detectors.window import PiiSpan, Window

SSN = re.compile(rb"(?<![\w.-])(\d{3})([- ]?)(\d{2})\2(\d{4})(?![\w-])")
RESIDENT = re.compile(rb"(?<![0-9A-Za-z])([1-9]\d)\d{4}(\d{4})(\d\d)(\d\d)\d{3}[0-9Xx](?![0-9A-Za-z])")
RUN = re.compile(rb"\d{17}")  # of digits; windows never split it
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
    """Yield the US social security numbers in a window of kind NUMBER.

    With hyphens it needs no context word; with spaces or without separators it does.
    """
    for found, start, end in place.find(SSN):
        area, separator, group, serial = found.groups()
        vote = context_vote("ssn", place)
        named = vote > 0 or (separator == b"-" and vote == 0)
        if named and ssn.is_valid((area + group + serial).decode()):
            yield PiiSpan(start, end, "us_ssn")


def chinese_resident(place: Window) -> Iterator[PiiSpan]:
    """Yield the Chinese resident numbers in a window of kind NUMBER or TOKEN: province, birth date, check digit."""
    for found, start, end in place.find(RESIDENT) if RUN.search(place.data, place.start, place.end) else ():
        born = is_birth_date(*map(int, found.groups()[1:]))
        if born and int(found[1]) in CN_PROVINCES and checksums.mod11_2(found[0].decode()):
            yield PiiSpan(start, end, "cn_id")


def is_birth_date(year: int, month: int, day: int) -> bool:
    """True if the date exists and lies in the years 1900 to 2029."""
    try:
        return 1900 <= date(year, month, day).year <= 2029
    except ValueError:
        return False


class IdScheme(NamedTuple):
    """Scheme of one country's numbers: a shape, and the check that text of this shape must pass."""

    country: str
    shape: re.Pattern
    check: Callable[[str], object]  # raises ValueError or returns a false value for invalid numbers
    named: bool = True  # it needs a context word before it


def _scheme(country: str, shape: str, check: Callable[[str], object], named: bool = True) -> IdScheme:
    return IdScheme(country, re.compile(rf"(?<![\w.-]){shape}(?![\w-])".encode()), check, named)


# python-stdnum accepts no birth date after today. Our limit is a fixed day, so that results do not depend on the date.
# (For Sweden and South Africa python-stdnum uses today for the century only, which changes no result before 2100.)
BORN_BY = date(2026, 12, 31)


def _danish(text: str) -> bool:
    return cpr.get_birth_date(text) <= BORN_BY


def _norwegian(text: str) -> bool:
    number = fodselsnummer.compact(text)
    digits = [fodselsnummer.calc_check_digit1(number), fodselsnummer.calc_check_digit2(number)]
    return digits == [*number[9:]] and fodselsnummer.get_birth_date(number) <= BORN_BY


def _taxpayer(text: str) -> object:
    """Accept also groups 50 to 65, which the IRS issues (IRM 3.21.263) and python-stdnum 2.2 rejects."""
    return "50" <= text[4:6] <= "65" or itin.validate(text)


def _weighed(digits: str, weights: Iterable[int]) -> int:
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def _belgian(text: str) -> bool:
    """True if the last two digits are those of births before 2000, or later. (python-stdnum asks for today's year.)"""
    digits = re.sub(r"\D", "", text)
    return digits[9:] in {f"{97 - int(century + digits[:9]) % 97:02}" for century in ("", "2")}


def _hong_kong(text: str) -> bool:
    head, check = text[:-3], text[-2]
    values = [36] * (8 - len(head)) + [int(c) if c.isdigit() else ord(c) - 55 for c in head]
    total = sum(value * weight for value, weight in zip(values, range(9, 1, -1), strict=True))
    return check == "0123456789A"[-total % 11]


def _medicare(text: str) -> bool:
    digits = text.replace(" ", "")
    return _weighed(digits, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(digits[8])


def _singaporean(text: str) -> bool:
    total = _weighed(text[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(text[0], 0)
    letters = "JZIHGFEDCBA" if text[0] in "ST" else "XWUTRQPNMLK" if text[0] in "FG" else "KLJNPQRTUWX"
    return text[8] == letters[10 - total % 11 if text[0] == "M" else total % 11]


def _snils(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    return _weighed(digits, range(9, 0, -1)) % 101 % 100 == int(digits[9:])


def _taiwanese(text: str) -> bool:
    number = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    return (number // 10 + _weighed(f"{number % 10}{text[1:]}", (9, 8, 7, 6, 5, 4, 3, 2, 1, 1))) % 10 == 0


NUMBERS = (
    _scheme("GB", r"(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", bool),
    _scheme("ES", r"(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]", nif.validate),
    _scheme("IT", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", codicefiscale.validate, False),
    _scheme("FR", r"[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", nir.validate, False),
    _scheme("DE", r"[1-9]\d(?: ?\d{3}){3}", de_idnr.validate),
    _scheme("BR", r"\d{3}\.\d{3}\.\d{3}-\d\d", cpf.validate, False),
    _scheme("BR", r"\d{11}", cpf.validate),
    _scheme("PL", r"\d{11}", pesel.validate),
    _scheme("NL", r"\d{9}", bsn.validate),
    _scheme("NO", r"\d{6} ?\d{5}", _norwegian),
    _scheme("SE", r"(?:19|20)?\d{6}[-+]\d{4}", personnummer.validate, False),
    _scheme("DK", r"\d{6}-\d{4}", _danish),
    _scheme("KR", r"\d{6}-[1-4]\d{6}", rrn.validate, False),
    _scheme("IN", r"[2-9]\d{3} ?\d{4} ?\d{4}", aadhaar.validate),
    _scheme("IN", r"[A-Z]{3}[ABCFGHJKLPT][A-Z]\d{4}[A-Z]", pan.validate),
    _scheme("CA", r"\d{3}[ -]?\d{3}[ -]?\d{3}", sin.validate),
    _scheme("MX", r"[A-Z]{4}\d{6}[HM][A-Z]{5}[A-Z0-9]\d", curp.validate, False),
    _scheme("JP", r"\d{4}[ -]?\d{4}[ -]?\d{4}", jp_in.validate),
    _scheme("TR", r"[1-9]\d{10}", tckimlik.validate),
    _scheme("ZA", r"\d{13}", za_idnr.validate),
    _scheme("AR", r"(?:2[0347]|3[034])-\d{8}-\d", cuit.validate, False),
    _scheme("AT", r"[1-9]\d{3} ?\d{6}", vnr.validate),
    _scheme("AU", r"\d{3} ?\d{3} ?\d{3}", tfn.validate),
    _scheme("AU", r"[2-6]\d{3} ?\d{5} ?\d", _medicare),
    _scheme("BE", r"\d\d\.[0-5]\d\.[0-3]\d-\d{3}\.\d\d", _belgian, False),
    _scheme("BG", r"\d{10}", egn.validate),
    _scheme("CH", r"756\.\d{4}\.\d{4}\.\d\d", ahv.validate, False),
    _scheme("CL", r"\d{1,2}\.\d{3}\.\d{3}-[\dK]", rut.validate),
    _scheme("CZ", r"\d{6}/\d{4}", rc.validate, False),
    _scheme("EE", r"[1-6]\d{10}", ik.validate),
    _scheme("FI", r"[0-3]\d[01]\d{3}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]", hetu.validate, False),
    _scheme("GB", r"\d{3}[ -]?\d{3}[ -]?\d{4}", nhs.validate),
    _scheme("GR", r"[0-3]\d{10}", amka.validate),
    _scheme("HK", r"[A-Z]{1,2}\d{6}\([0-9A]\)", _hong_kong),
    _scheme("HR", r"\d{11}", oib.validate),
    _scheme("IE", r"\d{7}[A-W][A-IW]?", pps.validate),
    _scheme("IL", r"\d{9}", il_idnr.validate),
    _scheme("MY", r"\d{6}-\d\d-\d{4}", nric.validate),
    _scheme("PK", r"[1-7]\d{4}-\d{7}-\d", cnic.validate),
    _scheme("PT", r"[1-9]\d{2} ?\d{3} ?\d{3}", pt_nif.validate),
    _scheme("RO", r"[1-9]\d{12}", cnp.validate),
    _scheme("RU", r"\d{12}", inn.validate),
    _scheme("RU", r"\d{3}-\d{3}-\d{3}[ -]\d\d", _snils, False),
    _scheme("SG", r"[STFGM]\d{7}[A-Z]", _singaporean),
    _scheme("TH", r"[1-8]-\d{4}-\d{5}-\d\d-\d", pin.validate, False),
    _scheme("TH", r"[1-8]\d{12}", pin.validate),
    _scheme("TW", r"[A-Z][1289]\d{8}", _taiwanese),
    _scheme("UA", r"\d{10}", rntrc.validate),
    _scheme("US", r"9\d\d-(?:5\d|6[0-5]|[7-9]\d)-\d{4}", _taxpayer),
)


CHECKED = tuple(number for number in NUMBERS if not number.named)
ANY_CHECKED = re.compile(b"|".join(number.shape.pattern for number in CHECKED))
MIN_CHECKED = 11  # bytes of the shortest checked number
SMALL = re.compile(rb"[a-z_]")  # no number contains these: all have capitals only

CARD_NUMBER = re.compile(rb"(?<![\w.-])[A-Z]{0,3}\d{5,12}[A-Z]?\d?(?![\w-])")  # after a word for identity card
PASSPORT = re.compile(
    rb"(?<![\w.-])(?:[A-Z]{1,2}\d{6,8}|\d{8,9}|\d\d ?\d\d \d{6}|\d\d[A-Z]{2}\d{5}|[A-Z0-9]{8,9})(?![\w-])"
)


def is_number(number: IdScheme, text: str) -> bool:
    """True if text of the number's shape passes its check and is more than one character repeated."""
    try:
        return len({*filter(str.isalnum, text)}) > 1 and bool(number.check(text))
    except ValueError:  # python-stdnum's ValidationError is one
        return False


def national_ids(place: Window) -> Iterator[PiiSpan]:
    """Yield the numbers of NUMBERS, and those after "id number" etc., in a window of kind ID, TOKEN or NUMBER."""
    if SMALL.search(place.data, place.start, place.end):
        return
    named = has_context("national_id", place)
    if not named and (place.end - place.start < MIN_CHECKED or not ANY_CHECKED.search(place.text)):
        return
    for number in NUMBERS if named else CHECKED:
        for found, start, end in place.find(number.shape):
            if is_number(number, found[0].decode()):
                yield PiiSpan(start, end, "national_id")
    if named:
        for found, start, end in place.find(CARD_NUMBER):
            if re.search(rb"[1-9]", found[0]):
                yield PiiSpan(start, end, "national_id")


def passport(place: Window) -> Iterator[PiiSpan]:
    """Yield possible passport numbers after a context word in a window of kind ID or NUMBER."""
    if SMALL.search(place.data, place.start, place.end) or not has_context("passport", place):
        return
    for found, start, end in place.find(PASSPORT):
        digits = re.sub(rb"\D", b"", found[0])
        if len(digits) >= 5 and digits.strip(b"0"):
            yield PiiSpan(start, end, "passport")
