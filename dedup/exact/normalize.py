"""Text normalization of exact duplicates: collapse each run of white space to one space and trim both ends."""

import numpy as np

from gristmill.pipelines.kernels.hashing import U64, hash128
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, load_u64, store_u64

# In 8 bytes at once: the high bit, all lower bits, the two bits of which a printable character has one, a space.
HIGH, LOW, PRINTABLE, SPACE = (U64(byte * 0x0101010101010101) for byte in (0x80, 0x7F, 0x60, 0x20))
FIRST, EIGHT, SIXTY_THREE = U64(0x80), U64(8), U64(63)


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
    buffer = np.empty(longest, np.uint8)
    for i in range(n):
        size = normalize(data, offsets[i], offsets[i + 1], lowercase, buffer)
        high[i], low[i] = hash128(buffer, 0, size)
    return high, low


@allocating_kernel
def normalized(begins, ends, data):
    """Return ranges of ``data`` as normalized texts: offsets int64[n + 1], data uint8."""
    offsets, out = np.zeros(begins.size + 1, np.int64), np.empty((ends - begins).sum(), np.uint8)
    for i in range(begins.size):
        at = offsets[i]
        offsets[i + 1] = at + normalize(data, begins[i], ends[i], False, out[at:])
    return offsets, out[: offsets[-1]].copy()


@allocating_kernel
def normalize(data, begin, end, lowercase, buffer):
    """Write the normalized bytes begin:end of ``data`` into ``buffer`` and return their number."""
    size, at, pending = 0, begin, False
    while at < end:
        if end - at >= 8 and not pending and not lowercase:
            word = load_u64(data, at)
            if word & HIGH == 0 and (word & PRINTABLE) + LOW & HIGH == HIGH:  # ASCII without controls
                spaces = ~((word ^ SPACE) + LOW) & HIGH
                if spaces & spaces >> EIGHT == 0 and (size or spaces & FIRST == 0):
                    store_u64(buffer, size, word)
                    step = 8 - np.int64(spaces >> SIXTY_THREE)  # a space at the end may begin a run
                    at, size = at + step, size + step
                    continue
        byte = data[at]
        width = space_width(data, at, end) if byte <= 32 or byte >= 0xC2 else 0
        if width:
            pending = size > 0
            at += width
            continue
        if pending:
            buffer[size] = 32
            size += 1
            pending = False
        buffer[size] = byte + 32 if lowercase and 65 <= byte <= 90 else byte
        size += 1
        at += 1
    return size


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
