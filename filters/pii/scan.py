"""Scanner for candidates of personal data: one pass over the bytes finds windows, which exact rules then examine.

All personal data of our rules contains a digit or an "@", so other text costs one table lookup per byte. The kind of a
window selects the rules that examine it. Windows may overlap, and rules also examine the text around them.

=============  =========================================================================================================
AT             the longest run of local part, "@", host with a dot: ``john.doe@example.org``, ``//user:pass@host.org``
OBFUSCATED_AT  ``(at)`` or ``[at]``: ``john (at) example (dot) org``
DOTTED         exactly four numbers of up to three digits: ``192.0.2.1``
COLONS         hexadecimal digits and colons, as in IPv6 and MAC addresses, or Cisco's ``001b.4411.3ab7``; no times
TOKEN          15 to 512 letters, digits, "_" and "-", some of them letters: keys, wallets, IBANs
JOINED         such a word, or an ID, that may be a phone number: ``208-555-7234-Office``, ``2085557234x12``
GROUPED        the beginning of an IBAN in groups: ``GB29 NWBK …``
ID             6 to 14 letters and digits, at least five digits: passports
DATE           ``2/15/1998``, ``1998-02-15``, ``15 February 1998``, ``1998年2月15日``
NUMBER         groups of digits with single separators, 7 to 64 digits in all: phones, cards, national IDs
=============  =========================================================================================================

Runs of more than 19 digits, tokens of more than 512 bytes and rows of numbers with more than 64 digits are skipped
whole. Apart from a bounded number of bytes, no byte is examined twice, so the time is linear in the text.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

AT, OBFUSCATED_AT, DOTTED, COLONS, TOKEN, GROUPED, ID, DATE, NUMBER, JOINED = range(10)
NO_WINDOW = -1

MAX_LOCAL, MAX_HOST = 128, 255  # bytes examined before and after an "@"
MAX_COLONS = 48  # bytes of an address of hexadecimal digits
MIN_TOKEN, MAX_TOKEN = 15, 512
MAX_ID, MIN_ID_DIGITS = 14, 5
MAX_RUN = 19  # digits: the longest card
MIN_DIGITS, MAX_DIGITS = 7, 64
MONTH = 24  # bytes of a day and month, examined before a year
GROUPED_BYTES = 48
BIRTH_YEARS = 1900, 2029  # that make a DATE window

DIGIT, LETTER, HEX, HOST, LOCAL, UPPER, MONTHLY = 1, 2, 4, 8, 16, 32, 64
DOT, DASH, COLON, AT_SIGN, PLUS, OPEN, CLOSE, SPACE, UNDERSCORE, SLASH, STAR = b".-:@+() _/*"


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
TRIGGER = (CLASS & DIGIT) > 0
TRIGGER[[*b"@(["]] = True


class Windows(NamedTuple):
    """Ranges of a Ragged's data, in the order of the text; none crosses the end of a document."""

    kind: np.ndarray  # uint8[n]
    start: np.ndarray  # int64[n]
    end: np.ndarray  # int64[n]
    row: np.ndarray  # int64[n]


def scan(text: Ragged) -> Windows:
    """Find the windows of documents. Bytes need not be valid UTF-8."""
    capacity = text.data.size + 1  # one window per byte at most; pages never written take no memory
    windows = Windows(np.empty(capacity, np.uint8), *(np.empty(capacity, np.int64) for _ in range(3)))
    found = _scan(*text, *windows)
    return Windows(*(column[:found] for column in windows))


@kernel
def _scan(offsets, data, kind, start, end, row):
    n = 0
    for i in range(offsets.size - 1):
        low, high = offsets[i], offsets[i + 1]
        at = floor = low  # floor: end of the last window of digits, which later ones do not look behind
        while at < high:
            byte = data[at]
            if not TRIGGER[byte]:
                at += 1
                continue
            what, begin, stop, seen = NO_WINDOW, at, at, at + 1
            if byte == AT_SIGN:
                begin, stop = _at_window(data, low, at, high)
                what = AT if stop > begin else NO_WINDOW
            elif CLASS[byte] & DIGIT:
                what, begin, stop, seen = _digit_window(data, low, floor, at, high)
                floor = seen
            elif _is_obfuscated_at(data, at, high):
                what, stop = OBFUSCATED_AT, at + 4
            if what != NO_WINDOW:
                kind[n], start[n], end[n], row[n] = what, begin, stop, i
                n += 1
            at = seen
    return n


@inline_kernel
def _in_word(byte):
    return CLASS[byte] & (DIGIT | LETTER) != 0 or byte == UNDERSCORE


@inline_kernel
def _is(data, at, high, bits):
    return at < high and CLASS[data[at]] & bits != 0


@kernel
def _at_window(data, low, at, high):
    """Return the window of local part and host around an "@"; empty without local part or a dot in the host."""
    begin, stop, dots = at, at + 1, 0
    while begin > max(low, at - MAX_LOCAL) and CLASS[data[begin - 1]] & LOCAL:
        begin -= 1
    while stop < min(high, at + MAX_HOST) and CLASS[data[stop]] & HOST:
        dots += data[stop] == DOT
        stop += 1
    return (begin, stop) if begin < at and dots else (at, at)


@kernel
def _is_obfuscated_at(data, at, high):
    if at + 3 >= high or data[at + 1] | 0x20 != 0x61 or data[at + 2] | 0x20 != 0x74:
        return False
    return data[at + 3] == (CLOSE if data[at] == OPEN else 0x5D)


@kernel
def _digit_window(data, low, floor, at, high):
    """Return kind, begin, end and next floor of the window around the first digit after the floor."""
    begin, stop, digits = at, at, 0
    while begin > floor and _in_word(data[begin - 1]):
        begin -= 1
    while stop < high and _in_word(data[stop]):
        digits += CLASS[data[stop]] & DIGIT != 0
        stop += 1
    plain = digits == stop - begin
    first, last = _colons(data, floor, begin, stop, high)
    if first < last:  # [.1FA2.001C.0002] belongs to a collation table, which has thousands of them
        headed = first > low and (data[first - 1] == DOT or data[first - 1] == STAR)
        tabled = headed and last - first > 4 and data[first + 4] == DOT
        return (NO_WINDOW if tabled else COLONS), first, last, last
    if plain:
        quads, last = _dotted(data, begin, stop, high)
        if quads == 4:
            return DOTTED, begin, last, last
    first, last = _token(data, floor, begin, stop, plain, high)
    if last - first >= MIN_TOKEN:
        what = JOINED if _is_joined(data, first, last) else TOKEN
        return (what if last - first <= MAX_TOKEN else NO_WINDOW), first, last, last
    if plain:
        return _number(data, low, floor, begin, stop, high)
    headed = stop - begin == 4 and digits == 2 and CLASS[data[begin]] & UPPER and CLASS[data[begin + 1]] & UPPER
    if headed and stop + 1 < high and data[stop] == SPACE and _is(data, stop + 1, high, DIGIT | LETTER):
        return GROUPED, begin, min(high, begin + GROUPED_BYTES), stop
    if digits >= MIN_ID_DIGITS and stop - begin <= MAX_ID:
        return (JOINED if _is_joined(data, begin, stop) else ID), begin, stop, stop
    return NO_WINDOW, begin, stop, stop


@kernel
def _colons(data, floor, begin, stop, high):
    """Return begin and end of the address of hexadecimal digits around a word; empty if there is none."""
    for k in range(begin, stop):
        if not CLASS[data[k]] & HEX:
            return begin, begin
    if stop - begin == 4 and stop + 10 <= high and data[stop] == DOT and data[stop + 5] == DOT:
        hexes = 0
        for k in range(stop + 1, stop + 10):
            hexes += CLASS[data[k]] & HEX != 0
        if hexes == 8 and not (stop + 10 < high and _in_word(data[stop + 10])):
            return begin, stop + 10
    if not (stop < high and data[stop] == COLON) and not (begin > floor and data[begin - 1] == COLON):
        return begin, begin
    first, last = begin, stop
    while first > max(floor, begin - MAX_COLONS) and (CLASS[data[first - 1]] & HEX or data[first - 1] == COLON):
        first -= 1
    while last < min(high, stop + MAX_COLONS) and (CLASS[data[last]] & HEX or data[last] == COLON or data[last] == DOT):
        last += 1
    while last > stop and data[last - 1] == DOT:  # the end of a sentence
        last -= 1
    colons = double = 0
    for k in range(first, last):
        colons += data[k] == COLON
        double += data[k] == COLON and k > first and data[k - 1] == COLON
    if colons < 2 or (colons < 5 and not double) or (first > floor and _in_word(data[first - 1])):
        return begin, begin
    return (begin, begin) if last < high and _in_word(data[last]) else (first, last)


@kernel
def _dotted(data, begin, stop, high):
    """Return the number of dotted numbers of up to three digits that begin here, up to 5, and their end."""
    quads, long = 1, stop - begin > 3
    while quads < 5 and stop + 1 < high and data[stop] == DOT and CLASS[data[stop + 1]] & DIGIT:
        begin = stop = stop + 1
        while stop < min(high, begin + 4) and CLASS[data[stop]] & DIGIT:
            stop += 1
        quads += 1
        long |= stop - begin > 3
    return (0 if long else quads), stop


@kernel
def _token(data, floor, begin, stop, plain, high):
    """Return begin and end of the word with others joined by "-", if one contains a letter; else empty."""
    if plain:
        before = begin - 2 >= floor and data[begin - 1] == DASH and _is_word_start(data[begin - 2])
        if not before and not (stop + 1 < high and data[stop] == DASH and _is_word_start(data[stop + 1])):
            return begin, begin
    while begin > floor and (_in_word(data[begin - 1]) or data[begin - 1] == DASH):
        begin -= 1
    while stop < high and (_in_word(data[stop]) or data[stop] == DASH):
        stop += 1
    return begin, stop


@kernel
def _is_joined(data, first, last):
    """True if a word may be a phone number of at least 7 digits that is joined to a word or an extension."""
    k = first
    while k < last and CLASS[data[k]] & LETTER:
        k += 1
    if k > first and data[k] != DASH:
        return False
    digits = 0
    while k < last and (CLASS[data[k]] & DIGIT or data[k] == DASH):
        digits += data[k] != DASH
        k += 1
    if digits < MIN_DIGITS:
        return False
    return k == last or data[k - 1] == DASH or data[k] | 0x20 == 0x78 or data[k] | 0x20 == 0x65  # x12, ext12


@inline_kernel
def _is_word_start(byte):
    return CLASS[byte] & LETTER != 0 or byte == UNDERSCORE


@kernel
def _number(data, low, floor, begin, stop, high):
    """Return the window of the digit groups that begin with ``data[begin:stop]``, as _digit_window does."""
    groups, digits, longest = 1, stop - begin, stop - begin
    first, last, second = digits, digits, 0
    tight, dots = True, True  # no space between groups; nothing but single dots
    head = begin
    while True:
        k = _next_group(data, stop, high)
        if k == stop:
            break
        after = k
        while after < high and CLASS[data[after]] & DIGIT:
            after += 1
        if after < high and _continues(data, after, high):
            break
        dots &= k == stop + 1 and data[stop] == DOT
        tight &= k == stop + 1 and data[stop] != SPACE
        groups, last = groups + 1, after - k
        second = last if groups == 2 else second
        digits, longest, stop = digits + last, max(longest, last), after
    if longest > MAX_RUN or digits > MAX_DIGITS:
        return NO_WINDOW, begin, stop, stop
    if groups == 1 and digits == 4:
        return _year(data, low, begin, stop, high)
    dated = (first == 4 and last <= 2) or (first <= 2 and (last == 4 or last == 2))
    if groups == 3 and tight and second <= 2 and dated:
        return DATE, begin, stop, stop
    plus = begin > floor and data[begin - 1] == PLUS
    ranged = first == 4 and last == 4 and data[begin] <= 0x32 and not dots  # 1914-1918
    trunk = first > 2 and digits > 8 and data[begin] == 0x30 and data[begin + 1] != 0x30  # 0910.5877671: no decimal
    if groups == 2 and tight and not plus and not trunk and (dots or ranged):
        return NO_WINDOW, begin, stop, stop
    if digits < MIN_DIGITS and not (groups == 3 and digits == 6):
        return NO_WINDOW, begin, stop, stop
    while begin > max(floor, head - 2) and (data[begin - 1] == PLUS or data[begin - 1] == OPEN):
        begin -= 1
    return NUMBER, begin, stop, stop


@inline_kernel
def _continues(data, after, high):
    """True if the digits before belong to a word or a time; 4508x769 and 4508ext769 are numbers with extensions."""
    if data[after] == COLON:
        return _is(data, after + 1, high, DIGIT)
    if not _in_word(data[after]):
        return False
    if after + 2 < high and data[after] | 0x20 == 0x65 and data[after + 1] | 0x20 == 0x78:
        return not (data[after + 2] | 0x20 == 0x74 and _is(data, after + 3, high, DIGIT))
    return not (data[after] | 0x20 == 0x78 and _is(data, after + 1, high, DIGIT))


@kernel
def _next_group(data, at, high):
    """Return the begin of the next digit group, after 1 to 3 separators such as ``) `` or `` (``; else ``at``."""
    k, marks, blank = at, 0, False
    while k < high and marks < 3:
        byte = data[k]
        if byte == SPACE or byte == 0xC2:
            if blank or (byte == 0xC2 and not (k + 1 < high and data[k + 1] == 0xA0)):
                return at
            if marks and data[k - 1] == DOT:  # "1. 555…" is a list item
                return at
            blank, k = True, k + (1 if byte == SPACE else 2)
        elif byte == DASH or byte == DOT or byte == SLASH or byte == OPEN or byte == CLOSE:
            blank, k = False, k + 1
        elif (
            byte == 0xE2
            and k + 2 < high
            and data[k + 1] == 0x80
            and (data[k + 2] == 0xAF or data[k + 2] & 0xF8 == 0x90)
        ):
            blank, k = False, k + 3  # narrow spaces, hyphens and dashes
        else:
            break
        marks += 1
    return k if marks and _is(data, k, high, DIGIT) else at


@kernel
def _year(data, low, begin, stop, high):
    """Return the DATE window of a year with day and month before it, or 年 or 년 after it, as _digit_window does."""
    year = 0
    for k in range(begin, stop):
        year = year * 10 + data[k] - 0x30
    if BIRTH_YEARS[0] <= year <= BIRTH_YEARS[1]:
        if stop + 2 < high and (
            (data[stop] == 0xE5 and data[stop + 1] == 0xB9 and data[stop + 2] == 0xB4)
            or (data[stop] == 0xEB and data[stop + 1] == 0x85 and data[stop + 2] == 0x84)
        ):
            return DATE, begin, min(high, stop + MONTH), stop
        k = begin
        while k > max(low, begin - MONTH) and CLASS[data[k - 1]] & MONTHLY:
            k -= 1
        day = k
        while day > max(low, k - 2) and CLASS[data[day - 1]] & DIGIT:
            day -= 1
        if day < k < begin:
            return DATE, day, stop, stop
    return NO_WINDOW, begin, stop, stop
