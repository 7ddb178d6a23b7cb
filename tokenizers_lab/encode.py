"""Text to ids, piece by piece of a split: each is cut once and remembered.

How a piece is cut is BPE (merge_text.py) or, with a trie, WordPiece. A piece of up to 15 bytes that became up to four
ids fills a line of 32 bytes: its bytes and size in 16, which compare in two words, and the ids. Others lie in a table
of places in two pools. A table that is full is emptied and fills with what is frequent now, so memory is bounded.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipelines.bits import first_bytes, inlined, kernel, load8
from pipelines.hashing import hash_word, mix
from pipelines.ragged import Ragged
from pipelines.utf8 import decode
from tokenizers_lab.characters import kind_at
from tokenizers_lab.merge_text import SHORT, Merges, merge_long, merge_short, queues
from tokenizers_lab.split import DROPS_SPACE, pieces
from tokenizers_lab.split.runs import SPACES, is_in
from tokenizers_lab.unigram.trie import NOTHING, build, step

SMALL, FEW = 15, 4  # bytes of a piece, and ids, that fit a line
LINES = 1 << 18  # 8 MB: 2 ** 17 gave 70 MB/s of novels and this 105, 2 ** 20 no more
WORDS = 1 << 16  # remembered otherwise
LONGEST = 256  # bytes of one of these
GOLDEN, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xE7037ED1A0B428DB)
SIZE_SHIFT, COUNT_SHIFT = np.uint64(56), np.uint64(60)
KEY = ~(np.uint64(15) << COUNT_SHIFT)  # all of the second word but the number of ids
NONE = -1


class Whole(NamedTuple):
    """Pieces of text that are their ids as they stand, whatever the cutting says."""

    offsets: np.ndarray
    text: np.ndarray
    ids: np.ndarray  # int32
    slots: np.ndarray  # a hash table of their rows

    @classmethod
    def of(cls, pieces: dict[bytes, int]) -> "Whole":
        texts = Ragged.from_strings([*pieces])
        return cls(*texts, np.array([*pieces.values()], np.int32), _slots(*texts))


class Longest(NamedTuple):
    """WordPiece: the longest pieces from the left, those inside a word told apart by a byte 0xFF before them."""

    keys: np.ndarray
    nodes: np.ndarray
    piece: np.ndarray
    inside: int  # the node behind that byte; NOTHING for BPE
    unknown: int
    max_word: int  # characters; a longer word is unknown

    @classmethod
    def none(cls) -> "Longest":
        """For BPE."""
        return cls(*build(Ragged.from_strings([b"\xff"])), NOTHING, 0, 0)


class Encoder:
    """Cuts text by a split, and each piece. Keeps its tables from batch to batch; one per worker."""

    def __init__(
        self,
        split: str,
        dtype: np.dtype,
        first: np.ndarray,
        merges: Merges,
        whole: Whole | None = None,
        longest: Longest | None = None,
    ):
        """``first`` int32: byte -> id [256], or code point -> id [0x110000] where -1 is written as its bytes' ids
        ``first[0x110000 + byte]``, or as one unknown id where these are -1 too and ``first[-1]`` has it.
        """
        self.split, self.dtype, self.first, self.merges = split, dtype, first, merges
        self.whole, self.longest = whole or Whole.of({}), longest or Longest.none()
        self.lines, self.used = np.zeros((LINES, 4), np.uint64), np.zeros(2, np.int64)
        self.table = np.full(2 * WORDS, NONE, np.int32)
        self.places = np.zeros((WORDS + 1, 2), np.int64)
        self.text, self.ids = np.empty(32 * WORDS, np.uint8), np.empty(16 * WORDS, np.int32)
        self.long = queues(0, 0)

    def __call__(self, text: Ragged) -> Ragged:
        """The ids of each document, uint16 or uint32."""
        documents, ends = pieces(text, self.split)
        longest = int(np.diff(ends).max(initial=0))
        if longest > SHORT and longest > self.long.before.size:
            self.long = queues(2 * longest, self.merges.made.size)
        room = np.empty((2, max(longest, SHORT) + 1), np.int32)
        offsets, ids = np.empty(text.rows + 1, np.int64), np.empty(text.data.size + FEW, self.dtype)
        held = self.lines, self.lines.view(np.int32), self.used, self.table, self.places, self.text, self.ids
        count = encode(
            *(documents, ends, text.data, self.split in DROPS_SPACE, self.first, *self.merges),
            *(*self.whole, *self.longest, *held, *room, *self.long, offsets, ids),
        )
        return Ragged.of(offsets, ids[:count])


@njit(nogil=True, cache=True)
def _slots(offsets, data):
    """A table of the rows by their bytes: int32[2 ** k], NONE where there is none."""
    size = 16
    while size < 2 * offsets.size:
        size *= 2
    slots = np.full(size, NONE, np.int32)
    for row in range(offsets.size - 1):
        slot = np.int64(hash_word(data, offsets[row], offsets[row + 1]) & np.uint64(size - 1))
        while slots[slot] >= 0:
            slot = (slot + 1) & (size - 1)
        slots[slot] = row
    return slots


@inlined
def _same(data, at, size, text, begin, stop):
    if stop - begin != size:
        return False
    for i in range(size):
        if data[at + i] != text[begin + i]:
            return False
    return True


@kernel
def _whole_id(data, at, end, offsets, text, ids, slots):
    """The id of a piece that is in the vocabulary as it stands, or NONE."""
    mask = slots.size - 1
    slot = np.int64(hash_word(data, at, end) & np.uint64(mask))
    while slots[slot] >= 0:
        row = slots[slot]
        if _same(data, at, end - at, text, offsets[row], offsets[row + 1]):
            return np.int64(ids[row])
        slot = (slot + 1) & mask
    return np.int64(NONE)


@kernel
def first_symbols(data, at, end, first, symbols):
    """A piece in the ids it begins with; returns how many."""
    count = 0
    if first.size == 256:
        for i in range(at, end):
            symbols[count] = first[data[i]]
            count += 1
        return count
    unknown = first[first.size - 1]
    while at < end:
        code, size = decode(data, at, end)
        id = first[code] if size > 1 or code < 0x80 else NONE
        if id >= 0:
            symbols[count] = id
            count += 1
        elif first[0x110000] >= 0:
            for i in range(at, at + size):
                symbols[count] = first[0x110000 + np.int64(data[i])]
                count += 1
        elif count == 0 or symbols[count - 1] != unknown:  # unknown characters in a row are one id
            symbols[count] = unknown
            count += 1
        at += size
    return count


@kernel
def cut_longest(data, at, end, keys, nodes, piece, inside, unknown, max_word, symbols):
    """A word in the longest pieces from the left, or one unknown id where that does not come out even."""
    characters = 0
    for i in range(at, end):
        characters += data[i] & 0xC0 != 0x80
    count, node = 0, np.int64(0)
    while at < end and characters <= max_word:
        id, last = np.int64(NONE), at
        for i in range(at, end):
            node = step(keys, nodes, node, np.int64(data[i]))
            if node == NOTHING:
                break
            if piece[node] != NOTHING:
                id, last = np.int64(piece[node]), i + 1
        if id < 0:
            break
        symbols[count] = id
        count += 1
        at, node = last, np.int64(inside)
    if at < end:
        symbols[0] = unknown
        return 1
    return count


@njit(nogil=True, cache=True)
def encode(
    documents,
    ends,
    data,
    drops,
    first,
    pairs,
    made,
    whole_offsets,
    whole_text,
    whole_ids,
    whole_slots,
    trie_keys,
    trie_nodes,
    trie_piece,
    inside,
    unknown,
    max_word,
    lines,
    line_ids,
    used,
    table,
    places,
    text,
    known,
    symbols,
    ranks,
    head,
    waiting,
    place,
    behind,
    ordered,
    before,
    after,
    offsets,
    ids,
):
    """Fill ``offsets`` and ``ids``; returns how many ids there are."""
    count, line_mask, mask = 0, np.uint64(lines.shape[0] - 1), np.uint64(table.size - 1)
    for row in range(documents.size - 1):
        offsets[row] = count
        for number in range(documents[row], documents[row + 1]):
            at, end = ends[number], ends[number + 1]
            size, line = end - at, np.int64(NONE)
            if drops and is_in(kind_at(data, at, end)[0], SPACES):
                continue
            if size <= SMALL and at + 16 <= data.size:
                low = load8(data, at) & first_bytes(min(size, 8))
                high = load8(data, at + 8) & first_bytes(max(size - 8, 0)) | np.uint64(size) << SIZE_SHIFT
                line = np.int64(mix(low ^ GOLDEN, high ^ SECOND) & line_mask)
                while lines[line, 1] != 0 and (lines[line, 0] != low or lines[line, 1] & KEY != high):
                    line = (line + 1) & np.int64(line_mask)
                if lines[line, 1] != 0:
                    for k in range(FEW):  # as many as fit, for the next ones overwrite what is too much
                        ids[count + k] = line_ids[line, 4 + k]
                    count += np.int64(lines[line, 1] >> COUNT_SHIFT)
                    continue
            slot, word = np.int64(0), np.int64(NONE)
            if size <= LONGEST:
                slot = np.int64(hash_word(data, at, end) & mask)
                word = np.int64(table[slot])
                while word >= 0 and not _same(data, at, size, text, places[word, 0], places[word + 1, 0]):
                    slot = (slot + 1) & np.int64(mask)
                    word = np.int64(table[slot])
                if word >= 0:
                    for k in range(places[word, 1], places[word + 1, 1]):
                        ids[count] = known[k]
                        count += 1
                    continue
            id = _whole_id(data, at, end, whole_offsets, whole_text, whole_ids, whole_slots)
            if id >= 0:
                symbols[0], n = id, 1
            elif inside != NOTHING:
                n = cut_longest(data, at, end, trie_keys, trie_nodes, trie_piece, inside, unknown, max_word, symbols)
            else:
                n = first_symbols(data, at, end, first, symbols)
                if n <= SHORT:
                    n = merge_short(symbols, ranks, n, pairs, made)
                else:
                    n = merge_long(symbols, ranks, n, pairs, made, head, waiting, place, behind, ordered, before, after)
            for k in range(n):
                ids[count + k] = symbols[k]
            count += n
            if line >= 0 and n <= FEW:
                if 2 * used[0] >= lines.shape[0]:
                    lines[:] = 0
                    used[0] = 0
                    line = np.int64(mix(low ^ GOLDEN, high ^ SECOND) & line_mask)
                lines[line, 0], lines[line, 1] = low, high | np.uint64(n) << COUNT_SHIFT
                for k in range(n):
                    line_ids[line, 4 + k] = symbols[k]
                used[0] += 1
            elif size <= LONGEST:
                word = used[1]
                if (
                    2 * (word + 1) >= table.size
                    or places[word, 0] + size > text.size
                    or places[word, 1] + n > known.size
                ):
                    table[:] = NONE
                    word = np.int64(0)
                    slot = np.int64(hash_word(data, at, end) & mask)
                table[slot], used[1] = word, word + 1
                begin, stop = places[word, 0], places[word, 1]
                for i in range(size):
                    text[begin + i] = data[at + i]
                for k in range(n):
                    known[stop + k] = symbols[k]
                places[word + 1, 0], places[word + 1, 1] = begin + size, stop + n
    offsets[documents.size - 1] = count
    return count
