"""Words as datatrove 0.10.1 has them: those of spaCy's blank English, stripped of white space.

spaCy takes apart one chunk (what stands between white space) after the other at 0.2 MB/s and forgets them. Here a
chunk is asked for once: a table that kernels read maps the hash of its bytes to its pieces, so that known chunks are
split at 60 MB/s. filters/spacy_chunks.py says why a chunk's pieces do not depend on the text around it, and of the one
exception, which is looked for here: documents that have it are shown to spaCy whole.
"""

from functools import cache

import numpy as np

from filters.spacy_chunks import CLOSES, FRAGILE, OPENS, Pieces, chunk_splitter
from filters.words import BEGINS_LINE, BEGINS_PARAGRAPH, Words, describe
from pipelines.bits import inlined, kernel
from pipelines.hashing import hash_word
from pipelines.ragged import Ragged

CHUNKS = 1 << 22  # remembered at most: 150 MB; a full table is emptied, and fills with what is frequent now
GOLDEN = np.uint64(0x9E3779B97F4A7C15)

INSIDE, BLANK, BREAK, RETURN, UNSURE = range(5)  # roles of bytes: no space; a space; a line break; \r; may be wider
BYTE = np.zeros(256, np.uint8)
BYTE[[*b" \t\x1f"]] = BLANK
BYTE[[*b"\n\v\f\x1c\x1d\x1e"]] = BREAK
BYTE[ord("\r")] = RETURN
BYTE[[0xC2, 0xE1, 0xE2, 0xE3]] = UNSURE


def spacy_words(text: Ragged) -> Words:
    """The words of every document; the texts must be UTF-8. A blank document has none."""
    return _memo().words(text)


@cache
def _memo() -> "Memo":
    return Memo()


class Memo:
    """Chunks and their pieces. Pieces of entry i are ``first[i]:first[i + 1]`` of the columns of ``pieces``."""

    def __init__(self, chunks: int = CHUNKS):
        self.chunks = chunks
        self._clear(chunks)

    def _clear(self, chunks: int) -> None:
        # Memory that is never written to is never taken, so the room for all costs nothing.
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

    def _and(self, data: np.ndarray, start: np.ndarray, split: Pieces) -> tuple[np.ndarray, list[np.ndarray]]:
        """``first`` and ``pieces`` with those of chunks that begin at ``start`` behind them."""
        hashes, lengths = np.empty(split.start.size, np.uint64), np.empty(split.start.size, np.int32)
        flags = np.empty(split.start.size, np.uint8)
        begin = start[split.chunk]
        describe_words(data, begin + split.start, begin + split.end, hashes, lengths, flags)
        ends = self.first[-1] + np.cumsum(np.bincount(split.chunk, minlength=start.size))
        columns = (split.start, split.end, hashes, lengths, flags)
        pieces = [np.concatenate(pair) for pair in zip(self.pieces, columns, strict=True)]
        return np.concatenate((self.first, ends)), pieces

    def _with_doubtful(self, text: Ragged, rows, start, end, entry):
        """``first`` and ``pieces``, with entries of their own for the chunks of documents that spaCy must see whole."""
        doubtful = np.zeros(text.rows, np.bool_)
        doubt(text.data, rows, start, end, entry, self.notes, doubtful)
        chunk, begin, stop, places, count = [], [], [], [], 0
        for row in np.flatnonzero(doubtful):
            of = slice(rows[row], rows[row + 1])
            chunks = [text.data[a:b].tobytes().decode() for a, b in zip(start[of], end[of], strict=True)]
            split = chunk_splitter().split_text(text.row(row).decode(), chunks)
            entry[of] = self.known + count + np.arange(len(chunks))
            chunk.append(split.chunk + count)
            begin.append(split.start)
            stop.append(split.end)
            places.append(start[of])
            count += len(chunks)
        if not chunk:
            return self.first, self.pieces
        split = Pieces(*(np.concatenate(part) for part in (chunk, begin, stop)), np.zeros(0, np.uint8))
        return self._and(text.data, np.concatenate(places), split)


@inlined
def wide_space(data, at, stop):
    """The size of the space beyond ASCII, as ``str.isspace`` has them, that begins here, and the line breaks it makes."""
    byte = data[at]
    if byte == 0xC2:
        if at + 1 < stop and (data[at + 1] == 0x85 or data[at + 1] == 0xA0):
            return 2, data[at + 1] == 0x85
        return 0, 0
    if at + 2 >= stop:
        return 0, 0
    second, third = data[at + 1], data[at + 2]
    if byte == 0xE1:
        return 3 * (second == 0x9A and third == 0x80), 0
    if byte == 0xE3:
        return 3 * (second == 0x80 and third == 0x80), 0
    if byte == 0xE2 and second == 0x80:
        breaks = (third == 0xA8) + 2 * (third == 0xA9)
        return 3 * (0x80 <= third <= 0x8A or breaks > 0 or third == 0xAF), breaks
    return 3 * (byte == 0xE2 and second == 0x81 and third == 0x9F), 0


@kernel
def find_chunks(offsets, data, rows, start, end, begins):
    """Fill in the chunks of each document: their places, and whether they begin a line or a paragraph."""
    m = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        breaks = 2
        while at < stop:
            role = BYTE[data[at]]
            if role != INSIDE:
                size, broken = 1, 0
                if role == BREAK:
                    broken = 1
                elif role == RETURN:
                    broken = np.int64(at + 1 == stop or data[at + 1] != 10)
                elif role == UNSURE:
                    size, broken = wide_space(data, at, stop)
                if size:
                    at, breaks = at + size, breaks + broken
                    continue
            start[m] = at
            while at < stop:
                role = BYTE[data[at]]
                if role != INSIDE and (role != UNSURE or wide_space(data, at, stop)[0]):
                    break
                at += 1
            end[m] = at
            begins[m] = 0 if breaks == 0 else BEGINS_LINE if breaks == 1 else BEGINS_LINE | BEGINS_PARAGRAPH
            breaks = 0
            m += 1
        rows[row + 1] = m


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
def doubt(data, rows, start, end, entry, notes, doubtful):
    """Mark documents where an exception might lie across a space beside a fragile chunk."""
    for row in range(rows.size - 1):
        for i in range(rows[row], rows[row + 1]):
            note = notes[entry[i]]
            if note & FRAGILE:
                if note & OPENS and i > rows[row] and start[i] - end[i - 1] == 1 and data[end[i - 1]] == 0x20:
                    doubtful[row] |= notes[entry[i - 1]] & CLOSES != 0
                if note & CLOSES and i + 1 < rows[row + 1] and start[i + 1] - end[i] == 1 and data[end[i]] == 0x20:
                    doubtful[row] |= notes[entry[i + 1]] & OPENS != 0


@kernel
def describe_words(data, start, end, hashes, lengths, flags):
    for j in range(start.size):
        hashes[j] = hash_word(data, np.int64(start[j]), np.int64(end[j]))
        lengths[j], flags[j] = describe(data, start[j], end[j])


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
