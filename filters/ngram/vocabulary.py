"""Words and their ids: numbered by first appearance while counting, then by frequency.

Words are identified by 64-bit hashes: two of a million words collide with probability 3e-8.
"""

from typing import NamedTuple

import numpy as np

from gristmill.filters.ngram.token_stream import BEGIN, END, SPECIAL, UNKNOWN
from gristmill.pipelines.kernels.gather import gather_spans
from gristmill.pipelines.kernels.hashing import U64, W0, W1, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

NAMES = {UNKNOWN: b"<unk>", BEGIN: b"<s>", END: b"</s>"}
MAX_WORDS = 2**21 - 1  # three ids fit into 63 bits


class Vocabulary(NamedTuple):
    """A table of words: ``words.row(id)`` has the id ``id``; the first three are <unk>, <s> and </s>."""

    words: Ragged
    slots: np.ndarray  # uint64[2 * slots]: hash and id + 1 side by side, 0 where free; empty for token ids

    @property
    def size(self) -> int:
        return self.words.rows

    def ids(self, hashes: np.ndarray) -> np.ndarray:
        """Return the ids, uint32, of word hashes (filters/words/words.py); UNKNOWN for words outside the vocabulary."""
        out = np.empty(hashes.size, np.uint32)
        _look_up(self.slots, hashes, out)
        return out


class VocabularyBuilder:
    """A growing table that numbers words by first appearance and counts them."""

    def __init__(self):
        self.slots, self.taken = np.zeros(2 << 16, np.uint64), 0
        self.hashes, self.counts = np.empty(1 << 16, np.uint64), np.zeros(1 << 16, np.int64)
        self.places = np.empty((1 << 16, 2), np.int64)  # begin and end in ``text``
        self.text = [np.empty(0, np.uint8)]
        self.bytes = 0

    def add(self, data: np.ndarray, start: np.ndarray, end: np.ndarray, hashes: np.ndarray) -> np.ndarray:
        """Return the numbers of a batch's words, uint32, from 0."""
        out, done = np.empty(hashes.size, np.uint32), 0
        before = self.taken
        while True:
            arrays = self.slots, self.hashes, self.counts, self.places
            done, self.taken = _number(start, end, hashes, done, out, self.taken, *arrays)
            if done == hashes.size:
                break
            self._grow()
        begin, stop = self.places[before : self.taken].T
        rows = gather_spans(data, begin, stop)
        self.places[before : self.taken, 0] = rows.offsets[:-1] + self.bytes
        self.places[before : self.taken, 1] = rows.offsets[1:] + self.bytes
        self.text.append(rows.data)
        self.bytes += rows.data.size
        return out

    def finish(self, max_words: int, min_count: int) -> tuple[Vocabulary, np.ndarray]:
        """Return the vocabulary of the most frequent words (of equals, the lower hash) and the numbers' ids, uint32."""
        hashes, counts = self.hashes[: self.taken], self.counts[: self.taken]
        order = np.lexsort((hashes, -counts))[: max_words + len(NAMES)]
        order = order[counts[order] >= min_count]
        text = np.concatenate(self.text)
        # a word of the text written "<s>" is no marker: it is unknown
        numbers = order[~_is_name(text, *self.places[order].T)][:max_words]
        ids = np.full(self.taken, UNKNOWN, np.uint32)
        ids[numbers] = np.arange(SPECIAL, SPECIAL + numbers.size, dtype=np.uint32)
        names, words = Ragged.from_strings(list(NAMES.values())), gather_spans(text, *self.places[numbers].T)
        offsets = np.concatenate((names.offsets, words.offsets[1:] + names.data.size))
        rows = Ragged.from_arrays(offsets, np.concatenate((names.data, words.data)))
        return Vocabulary(rows, build_slots(hashes[numbers])), ids

    def _grow(self) -> None:
        self.slots = np.zeros(self.slots.size * 2, np.uint64)
        _fill(self.slots, self.hashes[: self.taken], 0)
        self.hashes = np.concatenate((self.hashes, np.empty_like(self.hashes)))
        self.counts = np.concatenate((self.counts, np.zeros_like(self.counts)))
        self.places = np.concatenate((self.places, np.empty_like(self.places)))


def _is_name(text: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return whether each span of the text is a name of NAMES."""
    found = np.zeros(begin.size, np.bool_)
    for name in NAMES.values():
        same = np.flatnonzero(end - begin == len(name))
        found[same] = (text[begin[same, None] + np.arange(len(name))] == np.frombuffer(name, np.uint8)).all(axis=1)
    return found


def build_slots(hashes: np.ndarray) -> np.ndarray:
    """Return the table of these word hashes, with ids from SPECIAL; at most half full."""
    slots = np.zeros(4 << max(hashes.size, 1).bit_length(), np.uint64)
    _fill(slots, hashes, SPECIAL)
    return slots


@inline_kernel
def _place(slots, hash):
    """Return the position of a hash in the table, or of the free slot where it would be inserted."""
    last = U64(slots.size // 2 - 1)
    at = mix(hash ^ W0, W1) & last
    while slots[U64(2) * at + U64(1)] != U64(0) and slots[U64(2) * at] != hash:
        at = (at + U64(1)) & last
    return U64(2) * at


@kernel
def _fill(slots, hashes, first):
    for i in range(hashes.size):
        at = _place(slots, hashes[i])
        slots[at], slots[at + U64(1)] = hashes[i], U64(i + first + 1)


@kernel
def _look_up(slots, hashes, out):
    for i in range(hashes.size):
        found = slots[_place(slots, hashes[i]) + U64(1)]
        out[i] = found - U64(1) if found else U64(UNKNOWN)


@kernel
def _number(start, end, hashes, done, out, taken, slots, known, counts, places):
    """Number words from ``done`` until all are numbered or the table is half full."""
    room = known.size // 2
    while done < hashes.size and taken < room:
        at = _place(slots, hashes[done])
        number = np.int64(slots[at + U64(1)]) - 1
        if number < 0:
            number = taken
            taken += 1
            slots[at], slots[at + U64(1)] = hashes[done], U64(taken)
            known[number], places[number, 0], places[number, 1] = hashes[done], start[done], end[done]
        counts[number] += 1
        out[done] = number
        done += 1
    return done, taken
