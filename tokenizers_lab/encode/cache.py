"""Pre-token cache: the bytes of a pre-token -> its token ids, of bounded size.

- *Short entries*: a pre-token of up to 15 bytes whose ids take up to 16 bytes is one 32-byte line of a hash table. Two
  words hold the bytes, their number and the number of ids; the other two hold the ids.
- *Long entries*: every other pre-token of up to 256 bytes is a row of a second table, which points into a pool of bytes
  and a pool of ids. A short pre-token with too many ids has a line without ids and a row here.

When a table is full, the encoder replaces both by ones four times as large, up to MAX_LINES, and moves the short
entries. At the maximum it only empties them, so they refill with the pre-tokens that are frequent now.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, W1, hash_word, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, load_u64, prefetch, store_u64
from gristmill.tokenizers_lab.encode.vocab_lookup import NONE, same

LINE_BYTES, LINE_ID_BYTES = 15, 16  # bytes of a pre-token and of its ids that fit a line
LINE = 4  # words of a line
LONG_BYTES = 256  # bytes of the longest pre-token that is kept
# 2 and 32 MB. The first suits prose, whose frequent words then fit the processor's cache. 24 MB of 60 languages and
# code were encoded at 18 MB/s with 2 ** 18 lines and at 65 MB/s with 2 ** 20.
MIN_LINES, MAX_LINES = 1 << 16, 1 << 20
ONE, SIZE_SHIFT, COUNT_SHIFT = U64(1), U64(56), U64(60)
LONG, NOWHERE = ONE << COUNT_SHIFT, U64(0)  # the second word of the key of a long entry; its first is a hash
KEY = LONG - ONE  # the bits of the second word except the number of ids


class PretokenCache(NamedTuple):
    """The two tables of the cache. The second has a quarter as many rows as the first has lines."""

    lines: np.ndarray  # uint64[4 << k], at a multiple of 64 bytes
    line_ids: np.ndarray  # the same memory as ids
    slots: np.ndarray  # int32[2 ** i]: hash table of rows of the second table
    places: np.ndarray  # int64[rows + 1, 2]: where the bytes and the ids of each row begin
    text: np.ndarray  # uint8
    known: np.ndarray  # ids
    used: np.ndarray  # int64[2]: lines and rows in use

    @classmethod
    def empty(cls, lines: int, dtype: np.dtype) -> "PretokenCache":
        """Return empty tables. They take 54 bytes per line if an id takes two bytes, and 58 if it takes four."""
        words, room = max(lines // 4, 1), np.zeros(LINE * lines + 7, np.uint64)
        table = room[-room.ctypes.data % 64 // 8 :][: LINE * lines]
        places, slots = np.zeros((words + 1, 2), np.int64), np.full(2 * words, NONE, np.int32)
        text, known = np.empty(32 * words + LONG_BYTES, np.uint8), np.empty(16 * words + LONG_BYTES, dtype)
        return cls(table, table.view(dtype), slots, places, text, known, np.zeros(2, np.int64))

    def larger(self) -> "PretokenCache":
        """Return tables of four times the size with the short entries; at MAX_LINES, empty ones."""
        lines, dtype = self.lines.size // LINE, self.known.dtype
        cache = PretokenCache.empty(min(4 * lines, MAX_LINES), dtype)
        if lines < MAX_LINES:
            cache.used[0] = self.used[0]
            move_lines(self.lines, cache.lines)
        return cache


@inline_kernel
def key_of(data, at, end, lines):
    """Return the key of a pre-token as two words, and the place of its line, which is fetched in advance.

    A pre-token within 16 bytes of the end of the array is a long entry.
    """
    size = end - at
    if size > LINE_BYTES or at + 16 > data.size:
        hash = hash_word(data, at, end) if size <= LONG_BYTES else U64(0)
        return hash, LONG, NOWHERE
    low = load_u64(data, at) & ~U64(0) >> U64(64 - 8 * min(size, 8))
    high = load_u64(data, at + 8) & (ONE << U64(8 * max(size - 8, 0))) - ONE | U64(size) << SIZE_SHIFT
    place = first_line(lines, low, high)
    prefetch(lines, np.int64(place))
    return low, high, place


@inline_kernel
def first_line(lines, low, high):
    """Return the place of the line where the search for a key begins, the first of two in 64 bytes."""
    return mix(low ^ GOLDEN_RATIO, high ^ W1) << U64(3) & U64(lines.size - 1)


@inline_kernel
def find_line(lines, line, low, high):
    """Return the place of the line that holds the key, or of the empty line where it belongs, from ``line`` on."""
    word = lines[line + ONE]
    while word != 0 and (word & KEY != high or lines[line] != low):
        line = (line + U64(LINE)) & U64(lines.size - 1)
        word = lines[line + ONE]
    return line


@inline_kernel
def likely_line(lines, line, low, high):
    """Return the place of the first of two lines if it holds the key, or else of the second, without a branch."""
    return line + (U64((lines[line] ^ low | (lines[line + ONE] & KEY) ^ high) != 0) << U64(2))


@kernel
def move_lines(lines, larger):
    """Copy all lines to a larger table."""
    for line in range(0, lines.size, LINE):
        if lines[line + 1]:
            low, high = lines[line], lines[line + 1] & KEY
            place = find_line(larger, first_line(larger, low, high), low, high)
            for k in range(LINE):
                larger[place + U64(k)] = lines[line + k]


@inline_kernel
def write_line(lines, line, word, ids, at, half):
    """Copy the 16 bytes of ids of a line to ``ids``, ``half`` ids at once; later writes overwrite the rest.

    Return their number, which is in ``word``, the line's second word.
    """
    store_u64(ids, at, lines[line + U64(2)])
    store_u64(ids, at + half, lines[line + U64(3)])
    return np.int64(word >> COUNT_SHIFT)


@inline_kernel
def insert_line(lines, line_ids, used, line, low, high, symbols, count):
    """Enter the ids of a key, or none if there are too many; True if the table is then half full."""
    per_word = 8 // line_ids.itemsize
    count = count if count <= 2 * per_word else 0
    lines[line], lines[line + ONE] = low, high | U64(count) << COUNT_SHIFT
    for k in range(count):
        line_ids[np.int64(line + U64(2)) * per_word + k] = symbols[k]
    used[0] += 1
    return 2 * LINE * used[0] >= lines.size


@kernel
def find_long(data, at, end, hash, slots, places, text):
    """Return the row of a pre-token in the second table (or NONE), and its slot."""
    mask = slots.size - 1
    slot = np.int64(hash & U64(mask))
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
