"""Pre-token cache: the bytes of a pre-token -> its token ids, of bounded size.

- *Short entries*: a pre-token of up to 15 bytes whose ids take up to 16 bytes is one 32-byte line of a hash table. Two
  words hold the bytes, their number and the number of ids; the other two hold the ids.
- *Long entries*: every other pre-token of up to 256 bytes is a row of a second table, which points into a pool of bytes
  and a pool of ids. A short pre-token with too many ids has a line without ids and a row here.

When a table is full, the encoder replaces both by empty ones four times as large, up to MAX_LINES. At the maximum it
only empties them, so they refill with the pre-tokens that are frequent now.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, W1, hash_word, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, load_u64, low_bytes_mask, store_u64
from gristmill.tokenizers_lab.encode.vocab_lookup import NONE, same

LINE_BYTES, LINE_ID_BYTES = 15, 16  # bytes of a pre-token and of its ids that fit a line
LONG_BYTES = 256  # bytes of the longest pre-token that is kept
# 2 and 32 MB. The first suits prose, whose frequent words then fit the processor's cache. 24 MB of 60 languages and
# code were encoded at 18 MB/s with 2 ** 18 lines and at 65 MB/s with 2 ** 20.
MIN_LINES, MAX_LINES = 1 << 16, 1 << 20
SIZE_SHIFT, COUNT_SHIFT = U64(56), U64(60)
KEY = ~(U64(15) << COUNT_SHIFT)  # the bits of the second word except the number of ids


class PretokenCache(NamedTuple):
    """The two tables of the cache. The second has a quarter as many rows as the first has lines."""

    lines: np.ndarray  # uint64[2 ** k, 4]
    line_ids: np.ndarray  # the same memory as ids
    slots: np.ndarray  # int32[2 ** i]: hash table of rows of the second table
    places: np.ndarray  # int64[rows + 1, 2]: where the bytes and the ids of each row begin
    text: np.ndarray  # uint8
    known: np.ndarray  # ids
    used: np.ndarray  # int64[2]: lines and rows in use

    @classmethod
    def empty(cls, lines: int, dtype: np.dtype) -> "PretokenCache":
        """Return empty tables. They take 54 bytes per line if an id takes two bytes, and 58 if it takes four."""
        words, table = max(lines // 4, 1), np.zeros((lines, 4), np.uint64)
        places, slots = np.zeros((words + 1, 2), np.int64), np.full(2 * words, NONE, np.int32)
        text, known = np.empty(32 * words + LONG_BYTES, np.uint8), np.empty(16 * words + LONG_BYTES, dtype)
        return cls(table, table.view(dtype), slots, places, text, known, np.zeros(2, np.int64))

    def larger(self) -> "PretokenCache":
        """Return empty tables of four times the size, or of MAX_LINES."""
        return PretokenCache.empty(min(4 * self.lines.shape[0], MAX_LINES), self.known.dtype)


@inline_kernel
def key_of(data, at, end):
    """Return a pre-token as two words; the second is 0 if it is too long, or too near the end of the text."""
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
    """Return the line that holds the key, or the empty line where it belongs."""
    line = np.int64(mix(low ^ GOLDEN_RATIO, high ^ W1) & U64(lines.shape[0] - 1))
    while lines[line, 1] != 0 and (lines[line, 0] != low or lines[line, 1] & KEY != high):
        line = (line + 1) & (lines.shape[0] - 1)
    return line


@inline_kernel
def has_ids(lines, line):
    return lines[line, 1] >> COUNT_SHIFT != 0


@inline_kernel
def write_line(lines, line, out, at):
    """Copy the 16 bytes of ids of a line to ``out``, and return the number of ids; later writes overwrite the rest."""
    store_u64(out, at, lines[line, 2])
    store_u64(out, at + 8, lines[line, 3])
    return np.int64(lines[line, 1] >> COUNT_SHIFT)


@inline_kernel
def insert_line(lines, line_ids, used, line, low, high, symbols, count):
    """Enter the ids of a key, or none if there are too many; True if the table is then half full."""
    count = count if 2 * count <= line_ids.shape[1] else 0
    lines[line, 0], lines[line, 1] = low, high | U64(count) << COUNT_SHIFT
    for k in range(count):
        line_ids[line, line_ids.shape[1] // 2 + k] = symbols[k]
    used[0] += 1
    return 2 * used[0] >= lines.shape[0]


@kernel
def find_long(data, at, end, slots, places, text):
    """Return the row of a pre-token in the second table (or NONE), and its slot."""
    mask = slots.size - 1
    slot = np.int64(hash_word(data, at, end) & U64(mask))
    word = np.int64(slots[slot])
    while word >= 0 and not same(data, at, end - at, text, places[word, 0], places[word + 1, 0]):
        slot = (slot + 1) & mask
        word = np.int64(slots[slot])
    return word, slot


@kernel
def insert_long(data, at, end, slots, places, text, known, used, slot, symbols, count):
    """Enter a pre-token at its slot; True if the tables may then be too full for another one of LONG_BYTES."""
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
