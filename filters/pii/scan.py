"""Scanner for candidates of personal data: one pass over the bytes finds windows, which exact rules then examine.

All personal data of our rules contains a digit, an "@" or a spelling of it, so other text costs one table lookup per
byte. The kind of a window (window_kinds.py) selects the rules that examine it. Windows may overlap, and rules also
examine the text around them. Apart from a bounded number of bytes, no byte is examined twice, so the time is linear in
the text.
"""

from typing import NamedTuple

import numpy as np

from gristmill.filters.pii.digit_windows import digit_window
from gristmill.filters.pii.window_kinds import (
    AMPERSAND,
    AT,
    AT_SIGN,
    CLASS,
    CLOSE,
    DIGIT,
    DOT,
    ENTITY_AT,
    HEX,
    HOST,
    LOCAL,
    MAX_ENTITY,
    MAX_HOST,
    MAX_LOCAL,
    NO_WINDOW,
    OBFUSCATED_AT,
    OPEN,
    SEMICOLON,
    SPACE,
    SPELLED_AT,
    UPPER,
)
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged

CAPITAL_A, CAPITAL_T, NUMBER_SIGN, BRACKET = b"AT#["
TRIGGER = (CLASS & DIGIT) > 0
TRIGGER[[*b"@([&A"]] = True
ENTITIES = np.array([[*b"commat;;"], [*b"period;;"]], np.uint8)  # named entities of "@" and "."


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
                what, begin, stop, seen = digit_window(data, low, floor, at, high)
                floor = seen
            elif byte == AMPERSAND:
                begin, stop, seen = _entity_window(data, low, at, high)
                what = ENTITY_AT if stop > begin else NO_WINDOW
            elif byte == CAPITAL_A:
                what, stop = (SPELLED_AT if _is_spelled_at(data, low, at, high) else NO_WINDOW), at + 2
            elif _is_obfuscated_at(data, at, high):
                what, stop = OBFUSCATED_AT, at + 4
            if what != NO_WINDOW:
                kind[n], start[n], end[n], row[n] = what, begin, stop, i
                n += 1
            at = seen
    return n


@kernel
def _at_window(data, low, at, high):
    """Return the window of local part and host around an "@"; empty without local part or a dot in the host."""
    begin, stop, dots = at, at + 1, 0
    while begin > max(low, at - MAX_LOCAL) and CLASS[data[begin - 1]] & LOCAL:
        begin -= 1
    while stop < min(high, at + MAX_HOST) and CLASS[data[stop]] & HOST:
        dots += data[stop] == DOT or (data[stop] == BRACKET and stop > at + 1)  # mill[dot]org, and no A@[1]
        stop += 1
    return (begin, stop) if begin < at and dots else (at, at)


@kernel
def _is_obfuscated_at(data, at, high):
    if at + 3 >= high or data[at + 1] | 0x20 != 0x61 or data[at + 2] | 0x20 != 0x74:
        return False
    return data[at + 3] == (CLOSE if data[at] == OPEN else 0x5D)


@kernel
def _is_spelled_at(data, low, at, high):
    """True if " AT " stands after a word that does not end in a capital."""
    if at - 2 < low or at + 3 >= high or data[at + 1] != CAPITAL_T or data[at - 1] != SPACE or data[at + 2] != SPACE:
        return False
    before = CLASS[data[at - 2]]
    return before & LOCAL != 0 and not before & UPPER


@kernel
def _entity_window(data, low, at, high):
    """Return the "@" at an entity, or before the host that an entity of "." continues, and the entity's end.

    The window is empty if the entity is of another character or stands alone.
    """
    code, end = _entity(data, at, high)
    if code == AT_SIGN:
        joined = at > low and (CLASS[data[at - 1]] & LOCAL or data[at - 1] == SEMICOLON)
        joined = joined and end < high and (CLASS[data[end]] & HOST or data[end] == AMPERSAND)
        return (at, end, end) if joined else (at, at, end)
    if code == DOT:
        k = at
        while k > max(low, at - MAX_HOST) and CLASS[data[k - 1]] & HOST:
            k -= 1
        if k < at and k > low and data[k - 1] == AT_SIGN:
            return k - 1, k, end
    return at, at, end


@kernel
def _entity(data, at, high):
    """Return "@" or "." and the end of its entity at ``at``; 0 and the next byte for anything else."""
    k, stop, code = at + 1, min(high, at + MAX_ENTITY), 0
    if k < stop and data[k] == NUMBER_SIGN:
        base = 16 if k + 1 < stop and data[k + 1] | 0x20 == 0x78 else 10
        k += 2 if base == 16 else 1
        while k < stop and CLASS[data[k]] & (HEX if base == 16 else DIGIT):
            digit = data[k] - 0x30 if CLASS[data[k]] & DIGIT else (data[k] | 0x20) - 0x57
            code, k = code * base + digit, k + 1
        ended = k < high and data[k] == SEMICOLON
        return (np.int64(code), k + 1) if ended and (code == AT_SIGN or code == DOT) else (np.int64(0), at + 1)
    for n in range(2):
        if at + 7 < high:
            same = True
            for i in range(7):
                same &= data[at + 1 + i] == ENTITIES[n, i]
            if same:
                return np.int64(AT_SIGN if n == 0 else DOT), at + 8
    return np.int64(0), at + 1
