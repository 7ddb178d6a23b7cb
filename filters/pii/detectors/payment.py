"""Payment cards and bank accounts (IBAN), recognized by issuer, length and check digits."""

import re
from collections.abc import Iterator
from itertools import accumulate

from gristmill.filters.pii.detectors.checksums import luhn, mod97
from gristmill.filters.pii.detectors.context import has_context
from gristmill.filters.pii.detectors.window import PiiSpan, Window

# ISO/IEC 7812 prefixes and the lengths each issuer uses.
ISSUERS = (
    (r"4", {13, 16, 19}),  # Visa
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", {16}),  # Mastercard
    (r"3[47]", {15}),  # American Express
    (r"30[0-5]|3095|3[689]", {14, 16}),  # Diners Club
    (r"6011|64[4-9]|65", {16, 19}),  # Discover
    (r"35[2-8]", {16}),  # JCB
    (r"62|81", {16, 17, 18, 19}),  # UnionPay
    (r"220[0-4]", {16}),  # Mir
    (r"50[0-9]|5[6-8]|6", set(range(12, 20))),  # Maestro, RuPay and others: need a word for card
)
ISSUED = [(re.compile(prefix), lengths) for prefix, lengths in ISSUERS[:-1]]
CARD = re.compile(
    rb"(?<![\d+])(?:\d{4}([ -]|\xc2\xa0|\xe2\x80\xaf)\d{4}\1\d{4}\1(?:\d{4}\1\d{3}|\d{1,4})"
    rb"|\d{4}([ -]|\xc2\xa0|\xe2\x80\xaf)\d{6}\2\d{4,5}|\d{12,19})(?!\d)"
)
JOINED_BEFORE = re.compile(rb"[\w./%#&=+-]$")  # a number inside an address or an expression
JOINED_AFTER = re.compile(rb"[\w/%=]|[.,-]\d|-\w")
ROW_BEFORE = re.compile(rb"[0-9A-Fa-f]{2}[\s,]$")  # groups in a row of others: a table, not a card
ROW_AFTER = re.compile(rb"[\s,][0-9A-Fa-f]{4}\b")

# ISO 13616 registry: country -> the shape after the two check digits; n digits, a capitals, c both.
IBANS = {
    **{"AD": "8n12c", "AE": "19n", "AL": "8n16c", "AT": "16n", "AZ": "4a20c", "BA": "16n", "BE": "12n", "BG": "4a6n8c"},
    **{"BH": "4a14c", "BI": "23n", "BR": "23n1a1c", "BY": "4c4n16c", "CH": "5n12c", "CR": "18n", "CY": "8n16c"},
    **{"CZ": "20n", "DE": "18n", "DJ": "23n", "DK": "14n", "DO": "4c20n", "EE": "16n", "EG": "25n", "ES": "20n"},
    **{"FI": "14n", "FK": "2a12n", "FO": "14n", "FR": "10n11c2n", "GB": "4a14n", "GE": "2a16n", "GI": "4a15c"},
    **{"GL": "14n", "GR": "7n16c", "GT": "4c20c", "HN": "4a20n", "HR": "17n", "HU": "24n", "IE": "4a14n", "IL": "19n"},
    **{"IQ": "4a15n", "IS": "22n", "IT": "1a10n12c", "JO": "4a4n18c", "KW": "4a22c", "KZ": "3n13c", "LB": "4n20c"},
    **{"LC": "4a24c", "LI": "5n12c", "LT": "16n", "LU": "3n13c", "LV": "4a13c", "LY": "21n", "MC": "10n11c2n"},
    **{"MD": "2c18c", "ME": "18n", "MK": "3n10c2n", "MN": "16n", "MR": "23n", "MT": "4a5n18c", "MU": "4a19n3a"},
    **{"NI": "4a20n", "NL": "4a10n", "NO": "11n", "OM": "3n16c", "PK": "4a16c", "PL": "24n", "PS": "4a21c"},
    **{"PT": "21n", "QA": "4a21c", "RO": "4a16c", "RS": "18n", "RU": "14n15c", "SA": "2n18c", "SC": "4a20n3a"},
    **{"SD": "14n", "SE": "20n", "SI": "15n", "SK": "20n", "SM": "1a10n12c", "SO": "19n", "ST": "21n", "SV": "4a20n"},
    **{
        "TL": "19n",
        "TN": "20n",
        "TR": "6n16c",
        "UA": "6n19c",
        "VA": "18n",
        "VG": "4a16n",
        "XK": "16n",
        "YE": "4a4n18c",
    },
}
CHARACTERS = {"n": "[0-9]", "a": "[A-Z]", "c": "[A-Z0-9]"}


def _account_shape(shape: str) -> re.Pattern:
    parts = re.findall(r"(\d+)([nac])", shape)
    return re.compile("".join(f"{CHARACTERS[kind]}{{{size}}}" for size, kind in parts))


ACCOUNTS = {country: _account_shape(shape) for country, shape in IBANS.items()}
LENGTHS = {country: 4 + sum(map(int, re.findall(r"\d+", shape))) for country, shape in IBANS.items()}
NO_BREAK = re.compile(rb"\xc2\xa0|\xe2\x80\xaf")
GLYPH = re.compile(NO_BREAK.pattern + rb"|(?s:.)")
IN_GROUPS = re.compile(
    rb"(?:[A-Z]{2}\d\d(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?|[a-z]{2}\d\d(?: [a-z0-9]{4}){2,7}(?: [a-z0-9]{1,3})?)"
    rb"(?![A-Za-z0-9])"
)


def cards(window: Window) -> Iterator[PiiSpan]:
    """Yield the card numbers in a NUMBER window: check digit, and issuer and length or a word for card."""
    for found, start, end in window.find(CARD):
        digits = re.sub(rb"\D", b"", found[0]).decode()
        if not luhn(digits) or len(set(digits)) == 1:
            continue
        issued = any(prefix.match(digits) and len(digits) in lengths for prefix, lengths in ISSUED)
        joined = JOINED_BEFORE.search(window.before(start, 1)) or JOINED_AFTER.match(window.after(end, 2))
        row = ROW_BEFORE.search(window.before(start, 3)) or ROW_AFTER.match(window.after(end, 6))
        in_table = row and len(found[0]) > len(digits)
        if (issued and not joined and not in_table) or has_context("card", window):
            yield PiiSpan(start, end, "credit_card")


def iban(window: Window) -> Iterator[PiiSpan]:
    """Yield the IBAN that a TOKEN or GROUPED window begins with."""
    text = NO_BREAK.sub(b" ", window.text)
    if b" " in text:
        found = IN_GROUPS.match(text)
        size = _grouped_size(found[0]) if found else 0
    else:
        size = len(text) if len(text) <= 34 else 0
    if size and _is_iban(text[:size].replace(b" ", b"").decode("ascii", "replace")):
        ends = [*accumulate(map(len, GLYPH.findall(window.text)))]  # of the text, before no-break spaces were replaced
        yield PiiSpan(window.start, window.start + ends[size - 1], "iban")


def _grouped_size(text: bytes) -> int:
    """Return the bytes of the groups that form an account of the country's length; 0 if no group ends there."""
    wanted = LENGTHS.get(text[:2].decode().upper(), 0)
    size = wanted + (wanted - 1) // 4
    return size if wanted and len(text.replace(b" ", b"")) >= wanted and text[size : size + 1] in (b"", b" ") else 0


def _is_iban(text: str) -> bool:
    account = text.upper()
    shape = ACCOUNTS.get(account[:2])
    if shape is None or not account[2:4].isdigit() or not shape.fullmatch(account, 4):
        return False
    return (text.isupper() or text.islower()) and "02" <= account[2:4] <= "98" and mod97(account)
