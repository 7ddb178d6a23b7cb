"""What pieces of text became when they were cut: tables that keep it, of bounded size.

A piece of up to 15 bytes whose ids fill up to 16 fills a line of 32 bytes: its bytes, its size and how many ids in two
words, and the ids in two. Where ids are too many the line has none, and the piece lies with the longer ones in a table
of places in two pools. When either is full, who has them takes larger
ones, or empty ones of the largest size: these fill with what is frequent now.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, W1, hash_word, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, load_u64, low_bytes_mask, store_u64
from gristmill.tokenizers_lab.encode.vocab_lookup import NONE, same

LINE_BYTES, LINE_ID_BYTES = 15, 16  # bytes of a piece, and of its ids, that fit a line
LONG_BYTES = 256  # bytes of a piece that is remembered
# Lines at first and at most: 2 and 32 MB. The first is best for prose, whose frequent words stay in the processor's
# cache; 24 MB of 60 languages and code were encoded at 18 MB/s with 2 ** 18 lines, and at 65 with 2 ** 20.
MIN_LINES, MAX_LINES = 1 << 16, 1 << 20
SIZE_SHIFT, COUNT_SHIFT = U64(56), U64(60)
KEY = ~(U64(15) << COUNT_SHIFT)  # all of the second word but the number of ids


class PretokenCache(NamedTuple):
    """The tables. A fourth as many pieces can be otherwise remembered as there are lines."""

    lines: np.ndarray  # uint64[2 ** k, 4]
    line_ids: np.ndarray  # the same memory as ids
    slots: np.ndarray  # int32[2 ** i]: a hash table of the numbers of other pieces
    places: np.ndarray  # int64[pieces + 1, 2]: where the bytes of each begin, and its ids
    text: np.ndarray  # uint8
    known: np.ndarray  # ids
    used: np.ndarray  # int64[2]: how many lines, and other pieces

    @classmethod
    def empty(cls, lines: int, dtype: np.dtype) -> "PretokenCache":
        """Empty tables. Memory: 54 bytes a line where ids take two bytes, 58 where they take four."""
        words, table = max(lines // 4, 1), np.zeros((lines, 4), np.uint64)
        places, slots = np.zeros((words + 1, 2), np.int64), np.full(2 * words, NONE, np.int32)
        text, known = np.empty(32 * words + LONG_BYTES, np.uint8), np.empty(16 * words + LONG_BYTES, dtype)
        return cls(table, table.view(dtype), slots, places, text, known, np.zeros(2, np.int64))

    def larger(self) -> "PretokenCache":
        """Empty tables of four times the size, or of the largest."""
        return PretokenCache.empty(min(4 * self.lines.shape[0], MAX_LINES), self.known.dtype)


@inline_kernel
def key_of(data, at, end):
    """A piece as the two words of a line; the second is 0 for one that is too long, or too near the text's end."""
    size = end - at
    if size > LINE_BYTES or at + 16 > data.size:
        return U64(0), U64(0)
    low, high = (
        load_u64(data, at) & low_bytes_mask(min(size, 8)),
        load_u64(data, at + 8) & low_bytes_mask(max(size - 8, 0)),
    )
    return low, high | U64(size) << SIZE_SHIFT


@inline_kernel
def find_line(lines, low, high):
    """The line of that key, or the empty one where it may be written."""
    line = np.int64(mix(low ^ GOLDEN_RATIO, high ^ W1) & U64(lines.shape[0] - 1))
    while lines[line, 1] != 0 and (lines[line, 0] != low or lines[line, 1] & KEY != high):
        line = (line + 1) & (lines.shape[0] - 1)
    return line


@inline_kernel
def has_ids(lines, line):
    return lines[line, 1] >> COUNT_SHIFT != 0


@inline_kernel
def write_line(lines, line, out, at):
    """Write the ids of a line, and what room it has behind them, as bytes of ``out``; returns how many ids."""
    store_u64(out, at, lines[line, 2])
    store_u64(out, at + 8, lines[line, 3])
    return np.int64(lines[line, 1] >> COUNT_SHIFT)


@inline_kernel
def insert_line(lines, line_ids, used, line, low, high, symbols, count):
    """Enter ids for a key, or none where they are too many; returns whether the table is then full."""
    count = count if 2 * count <= line_ids.shape[1] else 0
    lines[line, 0], lines[line, 1] = low, high | U64(count) << COUNT_SHIFT
    for k in range(count):
        line_ids[line, line_ids.shape[1] // 2 + k] = symbols[k]
    used[0] += 1
    return 2 * used[0] >= lines.shape[0]


@kernel
def find_long(data, at, end, slots, places, text):
    """The number of another piece, or NONE, and its slot."""
    mask = slots.size - 1
    slot = np.int64(hash_word(data, at, end) & U64(mask))
    word = np.int64(slots[slot])
    while word >= 0 and not same(data, at, end - at, text, places[word, 0], places[word + 1, 0]):
        slot = (slot + 1) & mask
        word = np.int64(slots[slot])
    return word, slot


@kernel
def insert_long(data, at, end, slots, places, text, known, used, slot, symbols, count):
    """Enter another piece at its slot; returns whether one of ``LONGEST`` bytes has no room then."""
    word, size = used[1], end - at
    begin, first = places[word, 0], places[word, 1]
    slots[slot], used[1] = word, word + 1
    for i in range(size):
        text[begin + i] = data[at + i]
    for k in range(count):
        known[first + k] = symbols[k]
    places[word + 1, 0], places[word + 1, 1] = begin + size, first + count
    full = 2 * used[1] >= slots.size or used[1] + 1 >= places.shape[0]
    return full or begin + size + LONG_BYTES > text.size or first + count + LONG_BYTES > known.size
