"""Merge loop that balances languages: its arrays and their growth. parity_kernels.py explains the algorithm."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.merge_kernels import (
    EXHAUSTED,
    FULL,
    LISTS,
    POOLED,
    SPARE_PAIRS,
    SYMBOLS,
    State,
    learn_spellings,
)
from gristmill.tokenizers_lab.bpe.merger import ANY_LENGTH, CorpusCells, hash_pieces, larger
from gristmill.tokenizers_lab.bpe.pair_heap import ENTRY
from gristmill.tokenizers_lab.bpe.pair_positions import LIST, NONE, compact, list_places
from gristmill.tokenizers_lab.bpe.parity_kernels import Languages, balance_some, count_lists, enqueue_language

ID_BITS = 21  # as in the encoder's merge table
PAIRS_PER_MERGE = 100  # room for new pairs at the start; pages never written take no memory


class ParityLoop:
    """Loop that makes each merge for the language with the most tokens per unit of ``content``.

    ``rows`` are the words of each language as symbols, numbers in ``pieces``. Memory: as MergeLoop, with pairs counted
    once per language.
    """

    def __init__(
        self,
        rows: Sequence[tuple[Ragged, np.ndarray]],
        content: Sequence[float],
        pieces: list[bytes],
        target: int,
        *,
        min_frequency: int,
        max_length: int | None,
    ):
        self.target, self.min_frequency, self.max_length = target, min_frequency, max_length or ANY_LENGTH
        words, counts = _one_after_another(rows)
        ends = np.cumsum([each.rows for each, _ in rows])  # in words
        layout = CorpusCells.from_words(words, counts)
        lists, language, ring = _first_lists(layout, words.offsets[ends] + ends)
        room = 2 * int(lists["size"].max(initial=0)) + SPARE_PAIRS
        pooled, size = int(lists["size"].sum()), max(target, len(pieces))
        pool = np.empty(pooled + pooled // 4 + room, np.int32)
        list_places(layout.cells, lists, pool)
        length = np.ones(size, np.int32)
        length[: len(pieces)] = [*map(len, pieces)]
        spare = lists.size + room + PAIRS_PER_MERGE * target
        nothing = np.empty(0, np.int32)
        self.state = State(
            **layout._asdict(),
            lists=larger(lists, spare),
            pool=pool,
            heap=np.empty(0, ENTRY),
            span=np.ones(size, np.int32),
            length=length,
            hashes=hash_pieces(pieces, size),
            known=np.full(1 << int(4 * size).bit_length(), NONE, np.int32),
            with_left=np.zeros((size, 4), np.int64),
            with_right=np.zeros((size, 4), np.int64),
            fresh=np.empty((room, 2), np.int32),
            merges=nothing.reshape(0, 3),
            spelling=nothing,
            used=np.zeros(5, np.int64),
        )
        self.state.used[[LISTS, POOLED, SYMBOLS]] = lists.size, pooled, len(pieces)
        learn_spellings(self.state.known, self.state.hashes, len(pieces))
        queued = np.bincount(language, minlength=len(rows))
        self.languages = Languages(
            language=larger(language, spare),
            ring=larger(ring, spare),
            heaps=np.empty(0, ENTRY),
            begin=np.zeros(len(rows) + 1, np.int64),
            queued=queued,
            tokens=np.array([int(np.diff(each.offsets) @ count) for each, count in rows]),
            content=np.array(content, np.float64),
            latest=np.zeros((size, 2, 2), np.int64),
            made=np.empty((max(target - len(pieces), 0), 3), np.int32),
            done=np.zeros(1, np.int64),
        )
        self._move_heaps()
        queued[:] = 0
        too_long = length[lists["left"]] + length[lists["right"]] > self.max_length
        self.state.lists["count"][: lists.size][too_long] = 0
        enqueue_language(self.state, self.languages, 0, lists.size, min_frequency)

    @property
    def symbols(self) -> int:
        return int(self.state.used[SYMBOLS])

    @property
    def merges(self) -> int:
        return int(self.languages.done[0])

    def merge(self, count: int) -> bool:
        """Perform up to ``count`` merges; True if more are possible."""
        limit = self.merges + count
        while True:
            why = balance_some(self.state, self.languages, self.target, limit, self.min_frequency, self.max_length)
            if why != FULL:
                return why != EXHAUSTED and self.symbols < self.target
            self._make_room()

    def result(self) -> np.ndarray:
        """Return left, right and merged symbol of each merge, in order: int32[merges, 3]."""
        return self.languages.made[: self.merges].copy()

    def _make_room(self) -> None:
        """Drop invalid places, and enlarge the arrays that one merge in all languages might fill."""
        state, used, count = self.state, self.state.used, self.languages.queued.size
        used[POOLED] = compact(state.lists, used[LISTS], state.pool, state.cells)
        room = state.fresh.shape[0] * count
        if used[POOLED] + used[POOLED] // 4 + room > state.pool.size:
            self.state = state = state._replace(pool=larger(state.pool, int(used[POOLED] * 7 // 4 + room)))
        if used[LISTS] + used[LISTS] // 4 + room > state.lists.size:
            more = int(used[LISTS] * 7 // 4 + room)
            self.state = state._replace(lists=larger(state.lists, more))
            grown = {name: larger(getattr(self.languages, name), more) for name in ("language", "ring")}
            self.languages = self.languages._replace(**grown)
        self._move_heaps()

    def _move_heaps(self) -> None:
        """Give each heap twice the room that it takes, and that of one merge."""
        old = self.languages
        most = min(self.state.fresh.shape[0], 2 * self.target + 2)
        begin = np.concatenate(([0], np.cumsum(2 * old.queued + most)))
        heaps = np.empty(begin[-1], ENTRY)
        if old.heaps.size:
            for to, at, size in zip(begin[:-1], old.begin[:-1], old.queued, strict=True):
                heaps[to : to + size] = old.heaps[at : at + size]
        self.languages = old._replace(heaps=heaps, begin=begin)


def _one_after_another(rows: Sequence[tuple[Ragged, np.ndarray]]) -> tuple[Ragged, np.ndarray]:
    sizes = np.concatenate([np.diff(each.offsets) for each, _ in rows])
    data = np.concatenate([each.data.astype(np.int32) for each, _ in rows])
    counts = np.concatenate([count for _, count in rows])
    return Ragged.from_arrays(np.concatenate(([0], np.cumsum(sizes))), data), counts


def _first_lists(layout: CorpusCells, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the lists of pairs of each language, their languages and rings, and name them in the cells.

    ``ends`` are the cells at which languages end; the first begins at cell 0.
    """
    found, languages, used = [], [], 0
    for of, (begin, end) in enumerate(pairwise((0, *ends.tolist()))):
        symbols = layout.cells["symbol"][begin : end + 1].astype(np.int64)
        at = np.flatnonzero((symbols[:-1] >= 0) & (symbols[1:] >= 0))
        keys = symbols[at] << ID_BITS | symbols[at + 1]
        keys, first, inverse, sizes = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
        layout.cells["pair"][begin + at] = used + inverse
        lists = np.zeros(keys.size, LIST)
        lists["left"], lists["right"] = keys >> ID_BITS, keys & ((1 << ID_BITS) - 1)
        lists["size"], lists["first"], lists["pair"] = sizes, begin + at[first], used + np.arange(keys.size)
        found.append(lists)
        languages.append(np.full(keys.size, of, np.int32))
        used += keys.size
    lists = np.concatenate(found)
    count_lists(*layout, lists)
    pair = lists["left"].astype(np.int64) << ID_BITS | lists["right"]
    order = np.argsort(pair, kind="stable")
    begins = np.flatnonzero(np.diff(pair[order], prepend=-1))
    ring = np.empty(used, np.int32)
    ring[order] = np.roll(order, -1)
    ring[order[np.append(begins, used)[1:] - 1]] = order[begins]
    return lists, np.concatenate(languages), ring
