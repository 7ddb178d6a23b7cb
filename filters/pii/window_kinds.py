"""Kinds of windows that may hold personal data, their bounds, and classes of bytes.

=============  =========================================================================================================
AT             the longest run of local part, "@", host with a dot: ``john.doe@example.org``, ``//user:pass@host.org``
OBFUSCATED_AT  ``(at)`` or ``[at]``: ``john (at) example (dot) org``
SPELLED_AT     ``AT`` in capitals after a word that is not: ``john AT example DOT org``
ENTITY_AT      "@" as an HTML entity, or before a dot as one: ``john&#64;example.org``, ``john@example&#46;org``
DOTTED         exactly four numbers of up to three digits: ``192.0.2.1``
COLONS         hexadecimal digits and colons, as in IPv6 and MAC addresses, or Cisco's ``001b.4411.3ab7``; no times
TOKEN          15 to 512 letters, digits, "_" and "-", some of them letters: keys, wallets, IBANs
JOINED         such a word, or an ID, that may be a phone number: ``208-555-7234-Office``, ``2085557234x12``
GROUPED        the beginning of an IBAN in groups: ``GB29 NWBK …``, ``gb29 nwbk …``
ID             6 to 14 letters and digits, at least five digits: passports
DATE           ``2/15/1998``, ``1998-02-15``, ``15 February 1998``, ``1998年2月15日``
NUMBER         groups of digits with single separators, 7 to 64 digits in all: phones, cards, national IDs
=============  =========================================================================================================
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel

AT, OBFUSCATED_AT, DOTTED, COLONS, TOKEN, GROUPED, ID, DATE, NUMBER, JOINED, SPELLED_AT, ENTITY_AT = range(12)
NO_WINDOW = -1

MAX_LOCAL, MAX_HOST = 128, 255  # bytes examined before and after an "@"
MAX_ENTITY = 8  # bytes of ``&#x0040;``, without the semicolon
MAX_COLONS = 48  # bytes of an address of hexadecimal digits
MIN_TOKEN, MAX_TOKEN = 15, 512
MAX_ID, MIN_ID_DIGITS = 14, 5
MAX_RUN = 19  # digits: the longest card
MIN_DIGITS, MAX_DIGITS = 7, 64
MONTH = 24  # bytes of a day and month, examined before a year
GROUPED_BYTES = 48
BIRTH_YEARS = 1900, 2029  # that make a DATE window

CASE = 0x20  # the bit that tells small letters from capitals
DIGIT, LETTER, HEX, HOST, LOCAL, UPPER, MONTHLY = 1, 2, 4, 8, 16, 32, 64
DOT, DASH, COLON, AT_SIGN, PLUS, OPEN, CLOSE, SPACE, UNDERSCORE, SLASH, STAR, AMPERSAND, SEMICOLON = b".-:@+() _/*&;"


def _classes() -> np.ndarray:
    capitals, small = bytes(range(65, 91)), bytes(range(97, 123))
    table = np.zeros(256, np.uint8)
    for characters, bits in (
        (b"0123456789", DIGIT | HEX | HOST | LOCAL),
        (b"abcdefABCDEF", HEX),
        (capitals + small, LETTER | HOST | LOCAL | MONTHLY),
        (capitals, UPPER),
        (b".-", HOST | LOCAL | MONTHLY),
        (b"[]:", HOST),  # user@[192.0.2.1], user@host:22
        (b"_+%'&=!#$*?^`{|}~/:\"", LOCAL),  # more than in an address: //user:password@host
        (b" ,", MONTHLY),
        (bytes(range(128, 256)), HOST | LOCAL | MONTHLY),
    ):
        table[list(characters)] |= bits
    return table


CLASS = _classes()


@inline_kernel
def in_word(byte):
    """True if a byte is a letter, a digit or "_"."""
    return CLASS[byte] & (DIGIT | LETTER) != 0 or byte == UNDERSCORE


@inline_kernel
def is_class(data, at, high, bits):
    """True if the byte at ``at`` is before ``high`` and of one of the classes."""
    return at < high and CLASS[data[at]] & bits != 0
