"""Words of datatrove 0.10.1: those of spaCy's blank English, without white space.

spaCy tokenizes chunk by chunk (the text between white space), and datatrove clears its cache after each text. Here each
chunk is tokenized once: a hash table that kernels read maps the hash of its bytes to its tokens. Chunks of one shape
have the same tokens, so spaCy itself is asked for shapes and for chunks that have none (filters/words/spacy_shapes.py).
filters/words/spacy_chunks.py explains why the tokens of a chunk do not depend on the text around it, and the one
exception, which is handled here.
"""

from functools import cache
from itertools import pairwise

import numpy as np

from gristmill.filters.words.chunks import add_word
from gristmill.filters.words.spacy_chunks import FRAGILE, SpacyTokens, chunk_splitter
from gristmill.filters.words.spacy_shapes import CLOSES, OPENS
from gristmill.filters.words.str_compat import find_chunks
from gristmill.filters.words.words import Words
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, hash_word
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged

MAX_CHUNKS = 1 << 22  # cached, some 200 MB; a full table is emptied, and refills with frequent chunks


def spacy_words(text: Ragged) -> Words:
    """Return the words of every document, which must be valid UTF-8; a blank document has none."""
    return _cache().words(text)


@cache
def _cache() -> "SpacyCache":
    return SpacyCache()


def clear_cache() -> None:
    """Empty the cache."""
    _cache.cache_clear()


class SpacyCache:
    """Cache of chunks: entry i has the tokens ``first[i]:first[i + 1]`` of the columns of ``tokens``."""

    def __init__(self, chunks: int = MAX_CHUNKS):
        self.chunks = chunks
        self._clear(chunks)

    def _clear(self, chunks: int) -> None:
        # Untouched memory of keys and flags is never allocated; the table takes 32 MB.
        self.table = np.full(1 << max(10, (2 * chunks - 1).bit_length()), -1, np.int32)
        self.keys, self.flags = np.empty(chunks, np.uint64), np.empty(chunks, np.uint8)
        self.first = np.zeros(1, np.int64)
        self.tokens: list[np.ndarray] = [
            np.empty(0, kind) for kind in (np.int32, np.int32, np.uint64, np.int32, np.uint8)
        ]

    @property
    def known(self) -> int:
        """Number of cached chunks."""
        return self.first.size - 1

    def words(self, text: Ragged) -> Words:
        """Return the words of every document."""
        most = text.data.size // 2 + text.rows
        start, end, begins = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.uint8)
        rows = np.zeros(text.rows + 1, np.int64)
        find_chunks(*text, rows, start, end, begins)
        start, end = start[: rows[-1]], end[: rows[-1]]
        entry = self._look_up(text.data, start, end)
        first, tokens = self._with_ambiguous(text, rows, start, end, entry)
        size = int((first[entry + 1] - first[entry]).sum())
        columns = [np.empty(size, column.dtype) for column in tokens]
        offsets = np.zeros(text.rows + 1, np.int64)
        place_words(rows, start, begins, entry, first, *tokens, offsets, *columns)
        for array in (offsets, *columns):
            array.flags.writeable = False
        return Words(offsets, *columns)

    def _look_up(self, data: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Return the entries of chunks, int64[m]; tokenize and cache new chunks."""
        if self.known + start.size > self.keys.size:
            self._clear(max(self.chunks, start.size))
        entry, fresh = np.empty(start.size, np.int64), np.empty(start.size, np.int64)
        unknown = number_chunks(data, start, end, self.table, self.keys, self.known, entry, fresh)
        if unknown:
            fresh = fresh[:unknown]
            split = chunk_splitter().split(data, start[fresh], end[fresh])
            self.flags[self.known : self.known + unknown] = split.flags
            self.first, self.tokens = self._with(data, start[fresh], split)
        return entry

    def _with(self, data: np.ndarray, start: np.ndarray, split: SpacyTokens) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return ``first`` and ``tokens``, with the tokens of chunks that begin at ``start`` appended."""
        size = split.start.size
        hashes, lengths, flags = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.uint8)
        places = np.empty(size, np.int32), np.empty(size, np.int32)
        begin = start[split.chunk]
        describe_words(data, begin + split.start, begin + split.end, hashes, *places, lengths, flags)
        ends = self.first[-1] + np.cumsum(np.bincount(split.chunk, minlength=start.size))
        columns: tuple[np.ndarray, ...] = (split.start, split.end, hashes, lengths, flags)
        tokens = [np.concatenate(pair) for pair in zip(self.tokens, columns, strict=True)]
        return np.concatenate((self.first, ends)), tokens

    def _with_ambiguous(self, text: Ragged, rows, start, end, entry):
        """Return ``first`` and ``tokens``, with new entries for chunks whose tokens depend on their neighbors."""
        ambiguous, low, high = (np.empty(start.size, np.int64) for _ in range(3))
        found = find_ambiguous(text.data, rows, start, end, entry, self.flags, ambiguous, low, high)
        if not found:
            return self.first, self.tokens
        windows, ambiguous = [], ambiguous[:found]
        for i, first, last in zip(ambiguous, low, high, strict=False):
            cuts = (start[first], start[i], end[i], end[last])
            before, chunk, after = (text.data[a:b].tobytes().decode() for a, b in pairwise(cuts))
            windows.append((before, chunk, after))
        entry[ambiguous] = self.known + np.arange(ambiguous.size)
        return self._with(text.data, start[ambiguous], chunk_splitter().split_within(windows))


@kernel
def number_chunks(data, start, end, table, keys, known, entry, fresh):
    """Find the entries of chunks, append new ones to the ``known`` ones, and return how many are new.

    ``fresh`` receives the first occurrence of each new chunk.
    """
    total, mask = known, np.uint64(table.size - 1)
    for i in range(start.size):
        key = hash_word(data, np.int64(start[i]), np.int64(end[i]))
        slot = np.int64((key * GOLDEN_RATIO >> np.uint64(20)) & mask)
        while table[slot] >= 0 and keys[table[slot]] != key:
            slot = (slot + 1) & np.int64(mask)
        if table[slot] < 0:
            table[slot] = total
            keys[total] = key
            fresh[total - known] = i
            total += 1
        entry[i] = table[slot]
    return total - known


@kernel
def may_span_space(data, start, end, entry, flags, i):
    """True if a special case may span the space between chunk i and the next; other white space is a token itself."""
    spaced = start[i + 1] - end[i] == 1 and data[end[i]] == 0x20
    return spaced and flags[entry[i]] & CLOSES != 0 and flags[entry[i + 1]] & OPENS != 0


@kernel
def find_ambiguous(data, rows, start, end, entry, flags, ambiguous, low, high):
    """Find the fragile chunks next to a space that a special case may span; return how many there are.

    ``low`` and ``high`` receive the first and last chunk around each that such spaces connect.
    """
    found = 0
    for row in range(rows.size - 1):
        for i in range(rows[row], rows[row + 1]):
            if flags[entry[i]] & FRAGILE:
                first = last = i
                while first > rows[row] and may_span_space(data, start, end, entry, flags, first - 1):
                    first -= 1
                while last + 1 < rows[row + 1] and may_span_space(data, start, end, entry, flags, last):
                    last += 1
                if first < last:
                    ambiguous[found], low[found], high[found] = i, first, last
                    found += 1
    return found


@kernel
def describe_words(data, begin, stop, hashes, start, end, lengths, flags):
    """Fill hash, length and flags of the words ``data[begin:stop]``."""
    m = 0
    for j in range(begin.size):
        hashes[j] = hash_word(data, np.int64(begin[j]), np.int64(stop[j]))
        m = add_word(data, np.int64(begin[j]), np.int64(stop[j]), m, start, end, lengths, flags)


@kernel
def place_words(rows, places, begins, entry, first, begin, stop, hash, length, flag, offsets, *words):
    """Fill the words of each document: the tokens of its chunks at their places."""
    start, end, hashes, lengths, flags = words
    m = 0
    for row in range(rows.size - 1):
        for i in range(rows[row], rows[row + 1]):
            at = places[i]
            for j in range(first[entry[i]], first[entry[i] + 1]):
                start[m], end[m] = at + begin[j], at + stop[j]
                hashes[m], lengths[m] = hash[j], length[j]
                flags[m] = flag[j] | begins[i] if j == first[entry[i]] else flag[j]
                m += 1
        offsets[row + 1] = m
