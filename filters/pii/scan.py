"""Scanner for candidates of personal data: one pass over the bytes finds windows, which exact rules then examine.

All personal data of our rules contains a digit or an "@", so other text costs one table lookup per byte. The kind of a
window (window_kinds.py) selects the rules that examine it. Windows may overlap, and rules also examine the text around
them. Apart from a bounded number of bytes, no byte is examined twice, so the time is linear in the text.
"""

from typing import NamedTuple

import numpy as np

from gristmill.filters.pii.digit_windows import digit_window
from gristmill.filters.pii.window_kinds import (
    AT,
    AT_SIGN,
    CLASS,
    CLOSE,
    DIGIT,
    DOT,
    HOST,
    LOCAL,
    MAX_HOST,
    MAX_LOCAL,
    NO_WINDOW,
    OBFUSCATED_AT,
    OPEN,
)
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged

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
                what, begin, stop, seen = digit_window(data, low, floor, at, high)
                floor = seen
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
        dots += data[stop] == DOT
        stop += 1
    return (begin, stop) if begin < at and dots else (at, at)


@kernel
def _is_obfuscated_at(data, at, high):
    if at + 3 >= high or data[at + 1] | 0x20 != 0x61 or data[at + 2] | 0x20 != 0x74:
        return False
    return data[at + 3] == (CLOSE if data[at] == OPEN else 0x5D)
