"""Merge loop of BPE training: its arrays and their growth. merge_kernels.py explains the algorithm."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.merge_kernels import (
    ANEW,
    BASES,
    BY_SPELLING,
    EXHAUSTED,
    FULL,
    HEAPED,
    LISTS,
    MERGES,
    POOLED,
    PRIME,
    SPARE_PAIRS,
    SYMBOLS,
    State,
    enqueue,
    learn_spellings,
    merge_some,
)
from gristmill.tokenizers_lab.bpe.pair_heap import ENTRY
from gristmill.tokenizers_lab.bpe.pair_positions import BLOCK, CELL, NONE, compact, first_pairs, lay_out, list_places

ANY_LENGTH = 1 << 30
PAIRS_PER_MERGE = 100  # room for new pairs at the start; pages never written take no memory


class CorpusCells(NamedTuple):
    """Words in the layout of the merge loop: see State."""

    cells: np.ndarray
    words: np.ndarray
    offsets: np.ndarray
    counts: np.ndarray

    @classmethod
    def from_words(cls, words: Ragged, counts: np.ndarray) -> "CorpusCells":
        """Return the layout of words of symbols, NONE for symbols that never merge.

        Large arrays are numpy's own, never a kernel's: numpy asks for huge pages, and places are read at random.
        """
        cells = np.empty(words.data.size + words.offsets.size, CELL)
        word_at = np.empty(cells.size // BLOCK + 1, np.int32)
        lay_out(*words, cells, word_at)
        return cls(cells, word_at, words.offsets, counts)


class MergeLoop:
    """Loop that merges pairs of symbols until there are ``target`` symbols or no pair is frequent enough.

    Symbols of the layout are numbers in ``pieces``, which are distinct; ``rule`` is (ties, duplicates). ``max_length``
    limits the sum of ``size_of`` over a symbol's first pieces. Memory: 13 bytes per symbol of the words, and 70 per
    pair.
    """

    def __init__(
        self,
        layout: CorpusCells,
        pieces: list[bytes],
        target: int,
        *,
        rule: tuple[int, int],
        min_frequency: int,
        max_length: int | None,
        size_of: Callable[[bytes], int],
    ):
        self.rule, self.target, self.min_frequency = rule, target, min_frequency
        self.max_length = max_length or ANY_LENGTH
        ties, same = rule
        cells = layout.cells
        spelling = cells["symbol"].copy() if ties == BY_SPELLING else np.empty(0, np.int32)
        lists = first_pairs(*layout, ties == BY_SPELLING)
        room = 2 * int(lists["size"].max(initial=0)) + SPARE_PAIRS  # new pairs of one merge, at most
        pooled = int(lists["size"].sum())
        pool = np.empty(pooled + pooled // 4 + room, np.int32)
        list_places(cells, lists, pool)
        size = max(target, len(pieces))
        span, length = np.ones(size, np.int32), np.ones(size, np.int32)
        length[: len(pieces)] = [*map(size_of, pieces)]
        self.state = State(
            **layout._asdict(),
            lists=larger(lists, lists.size + room + PAIRS_PER_MERGE * target),
            pool=pool,
            heap=np.empty(lists.size + room + PAIRS_PER_MERGE * target, ENTRY),
            span=span,
            length=length,
            hashes=hash_pieces(pieces, size),
            known=np.full(1 << int(4 * size).bit_length(), NONE, np.int32),
            with_left=np.zeros((size, 4), np.int64),
            with_right=np.zeros((size, 4), np.int64),
            fresh=np.empty((room, 2), np.int32),
            merges=np.empty((size - len(pieces) + SPARE_PAIRS, 3), np.int32),
            spelling=spelling,
            used=np.zeros(5, np.int64),
        )
        self.state.used[[LISTS, POOLED, SYMBOLS]] = lists.size, pooled, len(pieces)
        too_long = length[lists["left"]] + length[lists["right"]] > self.max_length
        self.state.lists["count"][: lists.size][too_long] = 0  # never merged; merges check the pairs that they make
        if same != ANEW:
            learn_spellings(self.state.known, self.state.hashes, len(pieces))
        enqueue(self.state, 0, lists.size, ties, min_frequency)

    @property
    def symbols(self) -> int:
        return int(self.state.used[SYMBOLS])

    @property
    def merges(self) -> int:
        return int(self.state.used[MERGES])

    def merge(self, count: int) -> bool:
        """Perform up to ``count`` merges; True if more are possible."""
        limit, ties, same = self.merges + count, *self.rule
        while True:
            why = merge_some(self.state, self.target, limit, ties, same, self.min_frequency, self.max_length)
            if why != FULL:
                return why != EXHAUSTED and self.symbols < self.target
            self._make_room()

    def result(self) -> np.ndarray:
        """Return left, right and merged symbol of each merge, in order: int32[merges, 3]."""
        return self.state.merges[: self.merges].copy()

    def _make_room(self) -> None:
        """Drop invalid places, and enlarge the arrays that are still nearly full."""
        state, used = self.state, self.state.used
        room = state.fresh.shape[0]
        used[POOLED] = compact(state.lists, used[LISTS], state.pool, state.cells)
        grown = {}
        for name, taken in (("pool", POOLED), ("lists", LISTS), ("heap", HEAPED), ("merges", MERGES)):
            array, wanted = getattr(state, name), used[taken] + used[taken] // 4 + room
            if wanted > array.shape[0]:
                grown[name] = larger(array, int(wanted + used[taken] // 2))
        self.state = state._replace(**grown)


def larger(array: np.ndarray, size: int) -> np.ndarray:
    """Return a copy with room for ``size`` rows."""
    copy = np.empty((size, *array.shape[1:]), array.dtype)
    copy[: array.shape[0]] = array
    return copy


def hash_pieces(pieces: list[bytes], size: int) -> np.ndarray:
    """Return two polynomials of each piece's bytes modulo 2^61 - 1, and the powers of their bases: uint64[size, 4].

    Among 10^5 pieces two different ones agree in both with probability 10^-27.
    """
    rows = np.zeros((size, 4), np.uint64)
    for symbol, piece in enumerate(pieces):
        for i, base in enumerate(map(int, BASES)):
            value = 0
            for byte in piece:
                value = (value * base + byte + 1) % int(PRIME)
            rows[symbol, i], rows[symbol, i + 2] = value, pow(base, len(piece), int(PRIME))
    return rows
