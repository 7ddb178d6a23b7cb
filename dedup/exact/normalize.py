"""Text normalization of exact duplicates: collapse each run of white space to one space and trim both ends."""

import numpy as np

from gristmill.pipelines.kernels.hashing import hash128
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, copy64, inline_kernel, trailing_zeros
from gristmill.pipelines.kernels.masks import WINDOW, low_bits_mask, range_mask

SURE = WINDOW - 2  # bytes of a window in which a character of three bytes can begin
ONE, TWO = np.uint64(1), np.uint64(2)


@allocating_kernel
def hash_normalized(offsets, data, lowercase):
    """Return a 128-bit hash of each document's normalized text, as two uint64[n]. Blank documents hash alike.

    White space is Unicode's White_Space. ``lowercase`` maps ASCII letters only.
    """
    n = offsets.size - 1
    high, low = np.empty(n, np.uint64), np.empty(n, np.uint64)
    longest = 0
    for i in range(n):
        longest = max(longest, offsets[i + 1] - offsets[i])
    buffer = np.empty(longest + WINDOW, np.uint8)
    for i in range(n):
        size = normalize(data, offsets[i], offsets[i + 1], lowercase, buffer)
        high[i], low[i] = hash128(buffer, 0, size)
    return high, low


@allocating_kernel
def normalized(begins, ends, data):
    """Return ranges of ``data`` as normalized texts: offsets int64[n + 1], data uint8."""
    offsets, out = np.zeros(begins.size + 1, np.int64), np.empty((ends - begins).sum() + WINDOW, np.uint8)
    for i in range(begins.size):
        at = offsets[i]
        offsets[i + 1] = at + normalize(data, begins[i], ends[i], False, out[at:])
    return offsets, out[: offsets[-1]].copy()


@allocating_kernel
def normalize(data, begin, end, lowercase, buffer):
    """Write the normalized bytes begin:end of ``data`` into ``buffer`` and return their number.

    Windows of 64 bytes are copied up to white space that is not one space; 8 bytes at a time took twice as long.
    """
    size, at = np.int64(0), np.int64(begin)
    end = np.int64(end)
    while True:
        at += _space_bytes(data, at, end)
        if at >= end:
            break
        if size:
            buffer[size] = 32
            size += 1
        while at < end:
            if at + WINDOW <= data.size and size + WINDOW <= buffer.size:
                spaces, white = white_space(data, at, end)
                count = min(trailing_zeros((white & ~spaces) | (spaces & (white >> ONE))), SURE - 1)
                copy64(data, at, buffer, size)
                at, size = at + count, size + count
                if count < SURE - 1:
                    break
                continue
            width = space_width(data, at, end)
            if width and not (data[at] == 32 and at + 1 < end and space_width(data, at + 1, end) == 0):
                break
            buffer[size] = data[at]
            at, size = at + 1, size + 1
    if lowercase:
        for i in range(size):
            buffer[i] += 32 if 65 <= buffer[i] <= 90 else 0
    return size


@allocating_kernel
def _space_bytes(data, at, end):
    """Return the bytes of the white space that begins at ``at``."""
    begin = at
    while at < end:
        width = space_width(data, at, end)
        if width == 0:
            break
        at += width
    return at - begin


@inline_kernel
def white_space(data, at, end):
    """Return masks of 64 bytes: spaces, and first bytes of all white space; SURE bits of both are exact.

    Bytes from ``end`` on count as white space. The window must lie inside ``data``.
    """
    inside = low_bits_mask(end - at)
    spaces = range_mask(data, at, 32, 32) & inside
    white = spaces | range_mask(data, at, 9, 13) | ~inside
    if range_mask(data, at, 0xC2, 0xE3):
        white |= _wide_space(data, at, inside)
    return spaces, white


@inline_kernel
def _wide_space(data, at, inside):
    """Return the mask of first bytes of white space beyond ASCII, as ``space_width`` finds it."""
    low = range_mask(data, at, 0x80, 0x80) & inside
    third = (
        range_mask(data, at, 0x80, 0x8A) | range_mask(data, at, 0xA8, 0xA9) | range_mask(data, at, 0xAF, 0xAF)
    ) & inside
    second = (range_mask(data, at, 0x85, 0x85) | range_mask(data, at, 0xA0, 0xA0)) & inside
    white = range_mask(data, at, 0xC2, 0xC2) & (second >> ONE)
    white |= range_mask(data, at, 0xE1, 0xE1) & (range_mask(data, at, 0x9A, 0x9A) >> ONE) & (low >> TWO)
    mathematical = (range_mask(data, at, 0x81, 0x81) >> ONE) & ((range_mask(data, at, 0x9F, 0x9F) & inside) >> TWO)
    white |= range_mask(data, at, 0xE2, 0xE2) & ((low >> ONE) & (third >> TWO) | mathematical)
    return white | range_mask(data, at, 0xE3, 0xE3) & (low >> ONE) & (low >> TWO)


@allocating_kernel
def space_width(data, at, end):
    """Return the bytes of the white-space character (Unicode 16.0 White_Space) at ``at``; 0 if there is none."""
    byte = data[at]
    if byte == 32 or 9 <= byte <= 13:
        return 1
    if byte == 0xC2 and at + 1 < end:  # NEL, no-break space
        return 2 if data[at + 1] == 0x85 or data[at + 1] == 0xA0 else 0
    if at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE1:  # Ogham space mark
        return 3 if second == 0x9A and third == 0x80 else 0
    if byte == 0xE2:  # U+2000-200A, line and paragraph separators, narrow no-break and mathematical space
        if second == 0x80:
            return 3 if third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF else 0
        return 3 if second == 0x81 and third == 0x9F else 0
    return 3 if byte == 0xE3 and second == 0x80 and third == 0x80 else 0  # ideographic space
