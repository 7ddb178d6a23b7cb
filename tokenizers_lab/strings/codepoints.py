"""Text as Unicode code points. A byte that belongs to no character is one of its own, at INVALID_BYTE_BASE + byte."""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import INVALID, decode
from gristmill.pipelines.ragged import Ragged

INVALID_BYTE_BASE = 0x110000  # plus the byte


@inline_kernel
def codepoint_at(data, at, stop):
    """Return the code point at ``at`` and its size in bytes."""
    byte = np.int64(data[at])
    if byte < 0x80:
        return byte, 1
    # Two and three bytes are decoded inline: segments of Japanese were found three times as fast.
    if 0xC2 <= byte < 0xE0 and at + 1 < stop and data[at + 1] & 0xC0 == 0x80:
        return (byte & 0x1F) << 6 | data[at + 1] & 0x3F, 2
    if 0xE1 <= byte < 0xED and at + 2 < stop and data[at + 1] & 0xC0 == 0x80 and data[at + 2] & 0xC0 == 0x80:
        return (byte & 0xF) << 12 | np.int64(data[at + 1] & 0x3F) << 6 | data[at + 2] & 0x3F, 3
    code, size = decode(data, at, stop)
    return (INVALID_BYTE_BASE + np.int64(data[at]) if code == INVALID and size == 1 else code), size


@inline_kernel
def character_size(byte):
    """Return the bytes of the character that begins with a byte; 1 if none begins with it."""
    return 1 + (byte >= 0xC2) + (byte >= 0xE0) + (byte >= 0xF0)


def count_characters(words: Ragged, counts: np.ndarray) -> np.ndarray:
    """Return the count of each code point in words with ``counts``: int64[0x110000], without stray bytes."""
    frequency = np.zeros(INVALID_BYTE_BASE, np.int64)
    _count_characters(*words, counts, frequency)
    return frequency


@kernel
def _count_characters(offsets, data, counts, frequency):
    for row in range(counts.size):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            code, size = codepoint_at(data, at, stop)
            if code < INVALID_BYTE_BASE:
                frequency[code] += counts[row]
            at += size


def codepoints(text: Ragged) -> Ragged:
    """Return the code points of each row, uint32."""
    return Ragged.from_arrays(*_codepoints(*text))


@allocating_kernel
def _codepoints(offsets, data):
    new_offsets, found, count = np.zeros(offsets.size, np.int64), np.empty(data.size, np.uint32), 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            found[count], size = codepoint_at(data, at, stop)
            at += size
            count += 1
        new_offsets[row + 1] = count
    return new_offsets, found[:count].copy()
