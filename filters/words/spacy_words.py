"""Words as datatrove 0.10.1 has them: those of spaCy's blank English, stripped of white space.

spaCy takes apart one chunk (what stands between white space) after the other, and datatrove lets it forget them after
each text. Here a chunk is asked for once: a table that kernels read maps the hash of its bytes to its pieces. New text
is split at 1.8 to 2.6 MB/s and more, known chunks at 44 MB/s. filters/words/spacy_chunks.py says why a chunk's pieces
do not depend on the text around it, and of the one exception, which is looked for here.
"""

from functools import cache
from itertools import pairwise

import numpy as np

from gristmill.filters.words.chunks import add_word
from gristmill.filters.words.spacy_chunks import CLOSES, FRAGILE, OPENS, SpacyTokens, chunk_splitter
from gristmill.filters.words.str_compat import find_chunks
from gristmill.filters.words.words import Words
from gristmill.pipelines.kernels.hashing import hash_word
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged

CHUNKS = 1 << 22  # remembered at most: some 200 MB; a full table is emptied, and fills with what is frequent now
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def spacy_words(text: Ragged) -> Words:
    """The words of every document; the texts must be UTF-8. A blank document has none."""
    return _cache().words(text)


@cache
def _cache() -> "SpacyCache":
    return SpacyCache()


def clear_cache() -> None:
    """Begin with an empty memo, as a new process does."""
    _cache.cache_clear()


class SpacyCache:
    """Chunks and their pieces. Pieces of entry i are ``first[i]:first[i + 1]`` of the columns of ``pieces``."""

    def __init__(self, chunks: int = CHUNKS):
        self.chunks = chunks
        self._clear(chunks)

    def _clear(self, chunks: int) -> None:
        # Of keys and notes, memory that is never written to is never taken; the table is 32 MB.
        self.table = np.full(1 << max(10, (2 * chunks - 1).bit_length()), -1, np.int32)
        self.keys, self.notes = np.empty(chunks, np.uint64), np.empty(chunks, np.uint8)
        self.first = np.zeros(1, np.int64)
        self.pieces = [np.empty(0, kind) for kind in (np.int32, np.int32, np.uint64, np.int32, np.uint8)]

    @property
    def known(self) -> int:
        return self.first.size - 1

    def words(self, text: Ragged) -> Words:
        most = text.data.size // 2 + text.rows
        start, end, begins = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.uint8)
        rows = np.zeros(text.rows + 1, np.int64)
        find_chunks(*text, rows, start, end, begins)
        start, end = start[: rows[-1]], end[: rows[-1]]
        entry = self._look_up(text.data, start, end)
        first, pieces = self._with_doubtful(text, rows, start, end, entry)
        size = int((first[entry + 1] - first[entry]).sum())
        columns = [np.empty(size, piece.dtype) for piece in pieces]
        offsets = np.zeros(text.rows + 1, np.int64)
        place_words(rows, start, begins, entry, first, *pieces, offsets, *columns)
        for array in (offsets, *columns):
            array.flags.writeable = False
        return Words(offsets, *columns)

    def _look_up(self, data: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Entries int64[m] of chunks; those not known yet are asked for and remembered."""
        if self.known + start.size > self.keys.size:
            self._clear(max(self.chunks, start.size))
        entry, fresh = np.empty(start.size, np.int64), np.empty(start.size, np.int64)
        unknown = number_chunks(data, start, end, self.table, self.keys, self.known, entry, fresh)
        if unknown:
            split = chunk_splitter().split([data[start[i] : end[i]].tobytes().decode() for i in fresh[:unknown]])
            self.notes[self.known : self.known + unknown] = split.notes
            self.first, self.pieces = self._and(data, start[fresh[:unknown]], split)
        return entry

    def _and(self, data: np.ndarray, start: np.ndarray, split: SpacyTokens) -> tuple[np.ndarray, list[np.ndarray]]:
        """``first`` and ``pieces`` with those of chunks that begin at ``start`` behind them."""
        size = split.start.size
        hashes, lengths, flags = np.empty(size, np.uint64), np.empty(size, np.int32), np.empty(size, np.uint8)
        places = np.empty(size, np.int32), np.empty(size, np.int32)
        begin = start[split.chunk]
        describe_words(data, begin + split.start, begin + split.end, hashes, *places, lengths, flags)
        ends = self.first[-1] + np.cumsum(np.bincount(split.chunk, minlength=start.size))
        columns = (split.start, split.end, hashes, lengths, flags)
        pieces = [np.concatenate(pair) for pair in zip(self.pieces, columns, strict=True)]
        return np.concatenate((self.first, ends)), pieces

    def _with_doubtful(self, text: Ragged, rows, start, end, entry):
        """``first`` and ``pieces``, with entries of their own for chunks that depend on what stands beside them."""
        doubtful, low, high = (np.empty(start.size, np.int64) for _ in range(3))
        found = find_ambiguous(text.data, rows, start, end, entry, self.notes, doubtful, low, high)
        if not found:
            return self.first, self.pieces
        windows, doubtful = [], doubtful[:found]
        for i, first, last in zip(doubtful, low, high, strict=False):
            cuts = (start[first], start[i], end[i], end[last])
            windows.append(tuple(text.data[a:b].tobytes().decode() for a, b in pairwise(cuts)))
        entry[doubtful] = self.known + np.arange(doubtful.size)
        return self._and(text.data, start[doubtful], chunk_splitter().split_within(windows))


@kernel
def number_chunks(data, start, end, table, keys, known, entry, fresh):
    """Look up chunks, or enter them behind the ``known`` ones, with where they stood first; return how many are new."""
    total, mask = known, np.uint64(table.size - 1)
    for i in range(start.size):
        key = hash_word(data, np.int64(start[i]), np.int64(end[i]))
        slot = np.int64((key * GOLDEN >> np.uint64(20)) & mask)
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
def may_span_space(data, start, end, entry, notes, i):
    """May an exception lie across the space between chunk i and the next? Other white space is a piece itself."""
    spaced = start[i + 1] - end[i] == 1 and data[end[i]] == 0x20
    return spaced and notes[entry[i]] & CLOSES != 0 and notes[entry[i + 1]] & OPENS != 0


@kernel
def find_ambiguous(data, rows, start, end, entry, notes, doubtful, low, high):
    """Find fragile chunks beside which an exception may lie across the space, and how far such spaces go on around
    them: from chunk ``low`` to chunk ``high``. Returns how many there are.
    """
    found = 0
    for row in range(rows.size - 1):
        for i in range(rows[row], rows[row + 1]):
            if notes[entry[i]] & FRAGILE:
                first = last = i
                while first > rows[row] and may_span_space(data, start, end, entry, notes, first - 1):
                    first -= 1
                while last + 1 < rows[row + 1] and may_span_space(data, start, end, entry, notes, last):
                    last += 1
                if first < last:
                    doubtful[found], low[found], high[found] = i, first, last
                    found += 1
    return found


@kernel
def describe_words(data, begin, stop, hashes, start, end, lengths, flags):
    m = 0
    for j in range(begin.size):
        hashes[j] = hash_word(data, np.int64(begin[j]), np.int64(stop[j]))
        m = add_word(data, np.int64(begin[j]), np.int64(stop[j]), m, start, end, lengths, flags)


@kernel
def place_words(rows, places, begins, entry, first, begin, stop, hash, length, flag, offsets, *words):
    """The pieces of each chunk, where it stands in the text."""
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
