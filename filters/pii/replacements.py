"""Replacements of personal data: each is a function of key, type and canonical form only.

Our rules detect no replacement, so redacting twice is redacting once. Tags, hashes and most masks have neither digits
nor "@"; surrogates lie in ranges reserved for examples, or break a checksum.

==========  ===================================  ================================================================
tag         ``<EMAIL>``
hash        ``<EMAIL:kfjbgmdaclnoheip>``         64 bits of a keyed BLAKE2b in letters a to p: equal addresses have
                                                 equal hashes, which cannot be computed without the key
surrogate   ``taro.lemuna@example.org``          realistic, from a range reserved for examples; keyed
mask        ``j***@g***.com``                    recognizable for the owner only
remove      nothing
==========  ===================================  ================================================================
"""

import hashlib
import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from html import unescape
from typing import Literal

from gristmill.filters.pii.plain_digits import PLAIN

ReplacementMethod = Literal["tag", "surrogate", "hash", "mask", "remove"]
KEYED = ("surrogate", "hash")  # without a secret, a phone number can be recovered by trying all

CONSONANTS, VOWELS = "bdfgklmnprstv", "aeiou"
SPELLED_AT = re.compile(r"(?i) ?(?:\(at\)|\[at\]) ?| AT ")
SPELLED_DOT = re.compile(r"(?i) ?[\[(] ?(?:dot|punkt|punto|point|\.) ?[\])] ?| (?:dot|punkt|punto|point) ")
VISIBLE = 2  # letters and digits at the end that a mask keeps


def canonical_form(type: str, value: str) -> str:
    """Return one spelling for all spellings of a value."""
    value = value.translate(PLAIN)
    if type == "email":
        return SPELLED_DOT.sub(".", SPELLED_AT.sub("@", unescape(value))).lower()
    if type == "ip":
        return str(ipaddress.ip_address(value))
    if type == "mac":
        digits = re.sub(r"[^0-9a-f]", "", value.lower())
        return ":".join(digits[i : i + 2] for i in range(0, len(digits), 2))
    if type == "phone":
        return re.sub(r"\D", "", value).lstrip("0")
    if type in ("credit_card", "iban", "us_ssn", "cn_id", "national_id", "passport"):
        return re.sub(r"[^0-9A-Za-z]", "", value).upper()
    return value if type in ("api_key", "wallet", "url_credentials") else " ".join(value.split()).casefold()


@lru_cache(maxsize=65536)
def replacement(method: ReplacementMethod, type: str, value: str, key: bytes) -> str:
    """Return the replacement of a value of a type. ``key``: up to 64 bytes."""
    if method == "tag":
        return f"<{type.upper()}>"
    if method == "remove":
        return ""
    value = canonical_form(type, value)
    if method == "mask":
        return mask(type, value)
    digest = hashlib.blake2b(f"{type}\0{value}".encode(), digest_size=16, key=key).digest()
    if method == "hash":
        return f"<{type.upper()}:{''.join(chr(97 + n) for byte in digest[:8] for n in (byte >> 4, byte & 15))}>"
    return SURROGATES[type](DigestChooser(digest), value)


def mask(type: str, value: str) -> str:
    """Return a value with nearly all letters and digits as ``*``."""
    if type == "email":
        local, _, host = value.rpartition("@")
        return f"{local[:1]}***@{host[:1]}***.{host.rpartition('.')[2]}" if local else "***"
    if type == "ip":
        return re.split("[.:]", value)[0] + ("." if "." in value else ":") + "***"
    if type == "date_of_birth":
        return "****"
    if type in ("api_key", "wallet", "url_credentials"):
        return re.findall(r"\A[^\W\d_]?", value)[0] + "***"
    hidden = max(0, len(re.findall(r"[^\W_]", value)) - VISIBLE)
    return re.sub(r"[^\W_]", "*", value, count=hidden)


class DigestChooser:
    """A source of pseudo-random choices from a digest."""

    def __init__(self, digest: bytes):
        self.number = int.from_bytes(digest, "big")

    def below(self, size: int) -> int:
        """Return the next number below ``size``."""
        self.number, choice = divmod(self.number, size)
        return choice

    def digits(self, size: int) -> str:
        """Return the next ``size`` digits."""
        return "".join(str(self.below(10)) for _ in range(size))

    def word(self, syllables: int) -> str:
        """Return a word of the next syllables."""
        return "".join(CONSONANTS[self.below(13)] + VOWELS[self.below(5)] for _ in range(syllables))


def _email(draw: DigestChooser, _: str) -> str:
    return f"{draw.word(2)}.{draw.word(3)}@example.{('com', 'net', 'org')[draw.below(3)]}"  # RFC 2606


def _ip(draw: DigestChooser, value: str) -> str:
    if ":" in value:  # RFC 3849
        return "2001:db8:" + ":".join(f"{draw.below(0xFFFF) + 1:x}" for _ in range(6))
    return ("192.0.2.", "198.51.100.", "203.0.113.")[draw.below(3)] + str(1 + draw.below(254))  # RFC 5737


def _card(draw: DigestChooser, _: str) -> str:
    from gristmill.filters.pii.detectors.checksums import luhn

    digits = "4" + draw.digits(14)
    return next(digits + last for last in draw.digits(1) + "01" if not luhn(digits + last))


# The rule of each type does not detect its surrogates (tested for every type).
SURROGATES: dict[str, Callable[[DigestChooser, str], str]] = {
    "email": _email,
    "ip": _ip,
    "mac": lambda draw, _: f"00:00:5e:00:53:{draw.below(256):02x}",  # RFC 7042
    "phone": lambda draw, _: f"{200 + draw.below(800)}-555-01{draw.digits(2)}",  # never assigned
    "credit_card": _card,  # fails the check digit
    "iban": lambda draw, value: value[:2] + "00" + draw.digits(len(value) - 4),  # check digits begin at 02
    "us_ssn": lambda draw, _: f"9{draw.digits(2)}-{draw.below(5)}{draw.digits(1)}-{draw.digits(4)}",  # no such area
    "cn_id": lambda draw, _: f"990000{1950 + draw.below(50)}0{1 + draw.below(9)}1{draw.digits(5)}",  # no such province
    "national_id": lambda draw, _: draw.word(1).upper() + "000000",
    "passport": lambda draw, _: draw.word(1).upper() + "0000000",
    "date_of_birth": lambda draw, _: f"{1950 + draw.below(50)}-02-3{draw.below(2)}",  # no such day
    "api_key": lambda draw, _: "example-" + draw.word(10),
    "wallet": lambda draw, _: "1Example" + draw.word(10),
    "url_credentials": lambda draw, _: draw.word(3) + ":password",
    "person": lambda draw, _: f"{draw.word(2)} {draw.word(3)}",  # lowercase: a capitalized word after a title is a name
    "street_address": lambda draw, _: draw.word(3).capitalize() + "-by-the-Mill",  # has no number
}
