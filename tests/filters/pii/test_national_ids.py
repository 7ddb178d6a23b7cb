"""National ids: our verdicts are python-stdnum's, on any day."""

import datetime
import random
import re
import string
from types import SimpleNamespace

import pytest
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

import gristmill as gm
from gristmill.filters.pii.detectors import national_ids
from gristmill.filters.pii.detectors.window import Window

STRINGS = 20_000
LETTERS = string.ascii_uppercase
YMD = "{yy}{mm}{dd}"

# Module of python-stdnum, country, and shape: # a digit, @ a letter, {..} a part that is likely to be right.
SCHEMES = [
    (nif, "ES", ("########{es}", "{xyz}#######{es}", "########@", "########-{es}")),
    (codicefiscale, "IT", ("@@@@@@##{it}##@###@", "@@@@@@##{it}{dd}@###@")),
    (nir, "FR", ("{12}##{month}##########", "{12}##{month}2{ab}########", "{12} ## {month} ## ### ### ##")),
    (de_idnr, "DE", ("###########", "## ### ### ###")),
    (cpf, "BR", ("###########", "###.###.###-##")),
    (pesel, "PL", ("###########", YMD + "#####")),
    (bsn, "NL", ("#########",)),
    (fodselsnummer, "NO", ("###########", "{dd}{mm}{yy} #####", "{dd}{mm}{yy}#####")),
    (personnummer, "SE", ("######-####", YMD + "-####", "19" + YMD + "-####", "20" + YMD + "+####", YMD + "+####")),
    (cpr, "DK", ("######-####", "{dd}{mm}{yy}-####")),
    (rrn, "KR", ("######-{14}######", YMD + "-{14}######")),
    (aadhaar, "IN", ("############", "#### #### ####")),
    (pan, "IN", ("@@@@@####@", "@@@{pan}@####@", "@@@{pan}@000#@")),
    (sin, "CA", ("#########", "### ### ###", "###-###-###")),
    (curp, "MX", ("@@@@######{hm}@@@@@##", "@@@@" + YMD + "{hm}{mx}@@@##", "@@@@" + YMD + "{hm}{mx}@@@@#")),
    (jp_in, "JP", ("############", "#### #### ####", "####-####-####")),
    (tckimlik, "TR", ("###########",)),
    (za_idnr, "ZA", ("#############", YMD + "####{01}##")),
    (itin, "US", ("9##-{itin}-####",)),
    (cuit, "AR", ("{ar}-########-#",)),
    (vnr, "AT", ("{nz}#########", "{nz}### ######")),
    (tfn, "AU", ("#########", "### ### ###")),
    (egn, "BG", (YMD + "####",)),
    (ahv, "CH", ("756.####.####.##",)),
    (rut, "CL", ("##.###.###-#", "#.###.###-{k}")),
    (rc, "CZ", (YMD + "/####", "######/####")),
    (ik, "EE", ("{16}" + YMD + "####",)),
    (hetu, "FI", ("{dd}{mm}{yy}-###{fi}", "{dd}{mm}{yy}A###{fi}")),
    (nhs, "GB", ("##########", "### ### ####")),
    (amka, "GR", ("{dd}{mm}{yy}#####",)),
    (oib, "HR", ("###########",)),
    (pps, "IE", ("#######{ie}", "#######{ie}A")),
    (il_idnr, "IL", ("#########",)),
    (nric, "MY", (YMD + "-##-####",)),
    (cnic, "PK", ("#####-#######-#",)),
    (pt_nif, "PT", ("{nz}########", "{nz}## ### ###")),
    (cnp, "RO", ("{19}" + YMD + "######",)),
    (inn, "RU", ("############",)),
    (pin, "TH", ("{18}-####-#####-##-#", "{18}############")),
    (rntrc, "UA", ("##########",)),
]
PARTS = {
    "dd": [f"{day:02}" for day in range(33)],
    "mm": [f"{month:02}" for month in range(14)],
    "month": [f"{month:02}" for month in range(1, 13)],
    "yy": [f"{year:02}" for year in range(100)],
    "es": "TRWAGMYFPDXBNJZSQVHLCKE",
    "it": "ABCDEHLMPRSTXZ",
    "mx": ["AS", "DF", "JC", "NE", "VZ", "ZZ"],
    "itin": ["70", "88", "89", "92", "93", "94", "99"],
    "pan": "ABCFGHJKLPTXYZ",
    "ar": ["20", "23", "24", "27", "30", "33", "34"],
    "fi": "0123456789ABCDEFHJKLMNPRSTUVWXY",
    "ie": "ABCDEFGHIJKLMNOPQRSTUVW",
    "nz": "123456789",
    "k": "0123456789K",
    "16": "123456",
    "18": "12345678",
    "19": "123456789",
} | {name: name.upper() for name in ("xyz", "12", "14", "01", "ab", "hm")}


def draw(draws: random.Random, shape: str) -> str:
    def one(found):
        part = found[0]
        return draws.choice(string.digits if part == "#" else LETTERS if part == "@" else PARTS[part[1:-1]])

    return re.sub(r"[#@]|\{\w+\}", one, shape)


def repaired(draws: random.Random, text: str, valid) -> str:
    """Return the text with its last two characters changed, up to 300 times, until it is valid."""
    for _ in range(300):
        if valid(text):
            break
        for place in (-1, -2):
            of = string.digits if text[place].isdigit() else LETTERS
            text = text[: len(text) + place] + draws.choice(of) + text[len(text) + place + 1 :]
    return text


class LastBirth(datetime.date):
    """A calendar in which today is the last day that our checks take for a birth."""

    @classmethod
    def today(cls):
        return national_ids.BORN_BY


def ours(country: str, text: str) -> bool:
    return any(
        number.shape.fullmatch(text.encode()) and national_ids.is_number(number, text)
        for number in national_ids.NUMBERS
        if number.country == country
    )


@pytest.mark.parametrize(("scheme", "country", "shapes"), SCHEMES, ids=lambda each: getattr(each, "__name__", ""))
def test_verdicts_are_those_of_python_stdnum(monkeypatch, scheme, country, shapes):
    if hasattr(scheme, "datetime"):
        monkeypatch.setattr(scheme, "datetime", SimpleNamespace(date=LastBirth))
    draws, valid = random.Random(scheme.__name__), 0
    for i in range(STRINGS):
        text = draw(draws, shapes[i % len(shapes)])
        if i % 20 == 0:
            text = repaired(draws, text, scheme.is_valid)
        theirs = scheme.is_valid(text)
        assert ours(country, text) == theirs, text
        valid += theirs
    assert STRINGS / 200 < valid < STRINGS * 0.9


def social_security(text: str) -> bool:
    place = Window(text.encode(), 0, len(text), 0, len(text))
    return any(national_ids.social_security(place))


def test_social_security_numbers_are_those_of_python_stdnum():
    draws = random.Random(0)
    texts = ["078-05-1120", "219-09-9999", "457-55-5462", *(draw(draws, "###-##-####") for _ in range(STRINGS))]
    assert [social_security(text) for text in texts] == [ssn.is_valid(text) for text in texts]


def test_verdicts_do_not_depend_on_the_day():
    later = national_ids.BORN_BY + datetime.timedelta(1)
    for born, verdict in ((national_ids.BORN_BY, True), (later, False)):
        assert ours("DK", f"{born:%d%m%y}-4321") == verdict
        assert ours("NO", norwegian(f"{born:%d%m%y}")) == verdict


def norwegian(day: str) -> str:
    for number in range(500, 1000):
        text = f"{day}{number}"
        text += fodselsnummer.calc_check_digit1(text)
        text += fodselsnummer.calc_check_digit2(text)
        if len(text) == 11:
            return text


@pytest.mark.parametrize("text", ["912-50-1234", "912-65-1234"])
def test_taxpayers_of_the_united_states_have_groups_that_python_stdnum_does_not_know(text):
    assert ours("US", text) and not itin.is_valid(text)
    assert not ours("US", text.replace("50", "49").replace("65", "66"))


def test_one_character_repeated_is_no_number():
    assert cpf.is_valid("111.111.111-11") and not ours("BR", "111.111.111-11")


@pytest.mark.parametrize(
    ("country", "valid", "invalid"),
    [  # published examples, and the same with another check digit
        ("AU", "2123 45670 1", "2123 45671 1"),
        ("BE", "85.07.30-033.28", "85.07.30-033.27"),
        ("BE", "01.02.03-001.{}", None),
        ("HK", "A123456(3)", "A123456(4)"),
        ("HK", "AB987654(3)", "AB987654(A)"),
        ("RU", "112-233-445 95", "112-233-445 96"),
        ("SG", "S1234567D", "S1234567E"),
        ("SG", "F1234567N", "F1234567P"),
        ("SG", "M1234567K", "M1234567L"),
        ("TW", "A123456789", "A123456788"),
    ],
)
def test_schemes_that_python_stdnum_does_not_know(country, valid, invalid):
    if invalid is None:  # born in 2001: a 2 before the number
        valid, invalid = valid.format(f"{97 - 2010203001 % 97:02}"), valid.format("00")
    assert ours(country, valid) and not ours(country, invalid)


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("आधार 2345 6789 0124", "hi", [("national_id", "2345 6789 0124")]),  # vowel signs are no letters to \\w
        ("मोबाइल नंबर 98765 43210", "hi", [("phone", "98765 43210")]),
        ("जन्म 12/03/1980", "hi", [("date_of_birth", "12/03/1980")]),
        ("मूल्य 98765 43210", "hi", []),  # a price
        ("ติดต่อโทรศัพท์ 0812345678", "th", [("phone", "0812345678")]),  # no space before the word for phone
        ("เกิดวันที่ 12/03/1980", "th", [("date_of_birth", "12/03/1980")]),
        ("ราคา 0812345678 บาท", "th", []),
        ("ne\u0301 le 12/03/1980", "fr", [("date_of_birth", "12/03/1980")]),  # NFD
        ("rodné číslo 710319/2745", "cs", [("national_id", "710319/2745")]),
        ("spis 710319/2746", "cs", []),
        ("RUT 12.345.678-5", "es", [("national_id", "12.345.678-5")]),
        ("RUT 12.345.678-6", "es", []),
        ("AHV 756.9217.0769.85", "de", [("national_id", "756.9217.0769.85")]),
        ("ЕГН 7523169263", "bg", [("national_id", "7523169263")]),
        ("паспорт 4509 123456", "ru", [("passport", "4509 123456")]),
        ("HKID A123456(3)", "en", [("national_id", "A123456(3)")]),
        ("NRIC S1234567D", "en", [("national_id", "S1234567D")]),
    ],
)
def test_words_of_languages_name_numbers(text, language, found):
    assert [(match.type, match.value) for match in gm.scan_pii(text, language=language)] == found
