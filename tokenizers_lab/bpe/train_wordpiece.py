"""Train WordPiece: merges as in BPE, of characters that are marked as beginning a word or inside one.

There are two criteria: ``count`` merges the most frequent pair, as tokenizers does; ``likelihood`` merges the pair that
raises the likelihood of the corpus most, freq(ab) / (freq(a) freq(b)) (Schuster and Nakajima, ICASSP 2012).
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from gristmill.pipelines.inputs.inputs import Positive
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import Settings
from gristmill.tokenizers_lab.bpe.alphabet import CODES, NONE, Alphabet, _character
from gristmill.tokenizers_lab.bpe.merge_kernels import (
    ANEW,
    BY_IDS,
    DONE,
    EXHAUSTED,
    FULL,
    LISTS,
    MERGES,
    SYMBOLS,
    lacks_room,
    merge_next,
)
from gristmill.tokenizers_lab.bpe.merger import ANY_LENGTH, CorpusCells, MergeLoop
from gristmill.tokenizers_lab.bpe.pair_positions import count_at
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings, train_bpe
from gristmill.tokenizers_lab.count.word_counts import WordCounts

NO_QUEUE = 1 << 62  # minimum count of a pair that no pair reaches: the heap stays empty
NOWHERE = -(1 << 40)  # no place, not even one less the cells of a symbol
INSIDE = b"\xff"  # before a character inside a word, during training


class WordpieceSettings(Settings):
    """Settings of WordPiece training."""

    criterion: Literal["count", "likelihood"] = "count"
    prefix: str = Field("##", min_length=1)  # of pieces inside a word
    min_frequency: int = Field(0, ge=0)  # a rarer pair is not merged
    max_input_chars_per_word: Positive = 100  # a longer word is unknown
    allow_smaller: bool = False  # accept a vocabulary smaller than asked for


class WordpieceAlphabet(Alphabet):
    """Characters at the beginning of words and inside them: symbol_of is int32[2, 0x110000]."""

    def to_symbols(self, words: Ragged) -> Ragged:
        return Ragged.from_arrays(*_spell(*words, self.symbol_of))


def train_wordpiece(
    counts: WordCounts,
    settings: WordpieceSettings,
    vocab_size: int,
    special: list[str],
    on_progress: Callable[[int, int], None] = lambda merges, wanted: None,
    order: Sequence[str] = (),
) -> list[bytes]:
    """Return the pieces by id: special tokens, characters, merged pieces.

    Every character may begin a word. Characters inside words are numbered by code point, after those in ``order``. Ties
    go to the smaller ids, and under ``likelihood`` to the pair that was found first.
    """
    alphabet = word_alphabet(counts, order)
    bpe = BpeSettings(
        vocab_size=vocab_size,
        special_tokens=special,
        alphabet="characters",
        min_frequency=settings.min_frequency,
        allow_smaller=settings.allow_smaller,
    )
    trained = train_bpe(
        counts, bpe, on_progress, alphabet, LikelihoodLoop if settings.criterion == "likelihood" else MergeLoop
    )
    prefix = settings.prefix.encode()
    return [(prefix if p.startswith(INSIDE) else b"") + p.replace(INSIDE, b"") for p in trained.pieces]


class LikelihoodLoop(MergeLoop):
    """Merge loop that picks the pair with the highest freq(ab) / (freq(a) freq(b)), of equal ones the first found.

    A merge changes the score of every pair that contains one of its halves, so each merge scans all pairs: 2 ms per
    million.
    """

    def __init__(self, layout: CorpusCells, pieces: list[bytes], target: int, **settings):
        super().__init__(layout, pieces, target, **settings)
        self.often = np.zeros(max(target, len(pieces)) + 1, np.int64)  # by symbol, after the merges so far
        count_symbols(*layout, self.often)

    def merge(self, count: int) -> bool:
        """Perform up to ``count`` merges; True if more are possible."""
        limit = self.merges + count
        while True:
            why = merge_likeliest(self.state, self.often, self.target, limit, max(self.min_frequency, 1))
            if why != FULL:
                return why != EXHAUSTED and self.symbols < self.target
            self._make_room()


@kernel
def count_symbols(cells, words, offsets, counts, often):
    for at in range(cells.size):
        if cells[at].symbol >= 0:
            often[cells[at].symbol] += count_at(at, words, offsets, counts)


@kernel
def _likeliest(state, often, min_frequency):
    """Return the list of the best pair, or NONE."""
    best, which = 0.0, np.int64(NONE)
    for k in range(state.used[LISTS]):
        pair = state.lists[k]
        if pair.size and pair.count >= min_frequency:  # a merged pair has no places left
            score = pair.count / (np.float64(often[pair.left]) * np.float64(often[pair.right]))
            if score > best:
                best, which = score, np.int64(k)
    return which


@kernel
def _places_of(state, which):
    """Return how often the list's pair merges: the count of valid places that do not overlap."""
    pair, last, total = state.lists[which], np.int64(NOWHERE), np.int64(0)
    whole = np.int64(state.span[pair.left])
    for k in range(pair.begin, pair.begin + pair.size):
        at = np.int64(state.pool[k])
        if state.cells[at].pair == which and (pair.left != pair.right or at - whole != last):
            total += count_at(at, state.words, state.offsets, state.counts)
            last = at
    return total


@kernel
def merge_likeliest(state, often, target, limit, min_frequency):
    """Merge as ``merge_some`` of merge_kernels.py, but by likelihood."""
    used = state.used
    while used[SYMBOLS] < target and used[MERGES] < limit:
        which = _likeliest(state, often, min_frequency)
        if which == NONE:
            return EXHAUSTED
        if lacks_room(state, which):
            return FULL
        left, right, weight = state.lists[which].left, state.lists[which].right, _places_of(state, which)
        merge_next(state, which, BY_IDS, ANEW, NO_QUEUE, ANY_LENGTH)
        often[state.merges[used[MERGES] - 1, 2]] += weight
        often[left] -= weight
        often[right] -= weight
    return DONE


def word_alphabet(counts: WordCounts, order: Sequence[str] = ()) -> WordpieceAlphabet:
    """Return every character as the beginning of a word, and every character seen inside a word as such."""
    there = np.zeros((2, CODES), np.bool_)
    _survey(*counts.words, there)
    begin, inside = np.flatnonzero(there[0] | there[1]), [chr(code) for code in np.flatnonzero(there[1])]
    rank = {character: place for place, character in enumerate(order)}
    inside.sort(key=lambda character: (rank.get(character, len(rank)), character))
    symbol_of = np.full((2, CODES), NONE, np.int32)
    symbol_of[0, begin] = np.arange(begin.size)
    symbol_of[1, [ord(character) for character in inside]] = begin.size + np.arange(len(inside))
    pieces = [chr(code).encode() for code in begin] + [INSIDE + character.encode() for character in inside]
    return WordpieceAlphabet(pieces, symbol_of)


@allocating_kernel
def _survey(offsets, data, there):
    for word in range(offsets.size - 1):
        at, stop, inside = offsets[word], offsets[word + 1], 0
        while at < stop:
            code, size = _character(data, at, stop)
            if code != NONE:
                there[inside, code] = True
            at += size
            inside = 1


@allocating_kernel
def _spell(offsets, data, symbol_of):
    new_offsets, symbols = np.empty(offsets.size, np.int64), np.empty(data.size, np.int32)
    new_offsets[0] = count = 0
    for word in range(offsets.size - 1):
        at, stop, inside = offsets[word], offsets[word + 1], 0
        while at < stop:
            code, size = _character(data, at, stop)
            symbols[count] = NONE if code == NONE else symbol_of[inside, code]
            count += 1
            at += size
            inside = 1
        new_offsets[word + 1] = count
    return new_offsets, symbols[:count].copy()
