"""Unigram training: from many seeds to the pieces whose loss would cost the likelihood most.

Each round estimates the pieces' probabilities by EM (two steps, with the digamma M-step that starves rare pieces) and
keeps the three quarters that cost most to lose, down to 1.1 times the vocabulary; the most probable of these stay.
Kudo 2018 (arXiv:1804.10959), section 3.2; the M-step is of Liang and Klein's tutorial on Bayesian NLP (ACL 2007).
All sums are float64 in the order of the words: the same bits for any number of workers.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.count.word_counts import sort_words
from gristmill.tokenizers_lab.strings.codepoints import codepoints
from gristmill.tokenizers_lab.strings.trie import build
from gristmill.tokenizers_lab.unigram.lattice import (
    Lattice,
    best_counts,
    best_without_piece,
    expected_counts,
    lattice,
    renumber,
)
from gristmill.tokenizers_lab.unigram.segments import adjacent_pairs, split_segments

RARE = 0.5  # a piece expected less often than this is dropped
SPARE = 1.1  # of the vocabulary, before the most probable are taken
PENALTY = 1e-4  # between required characters that EM left without a score
SIEVE = 1 << 21  # bytes: 1,000,000 seeds set one bit in a hundred
UNKNOWN = 10.0  # nats below the least probable piece


class UnigramVocab(NamedTuple):
    """Pieces in the order of their scores (natural logarithms), highest first; of equal ones, by their bytes."""

    pieces: list[bytes]
    scores: np.ndarray  # float64


def train_unigram(
    words: Ragged,
    counts: np.ndarray,
    seeds: Ragged,
    weights: np.ndarray,
    size: int,
    required: Ragged,
    *,
    shrinking: float = 0.75,
    steps: int = 2,
    report: Callable[[str], None] = lambda line: None,
) -> UnigramVocab:
    """The ``size`` best pieces for words that come ``counts`` times (int64 [words]).

    ``seeds`` are the candidates with their ``weights`` (float64), single characters among them; ``required`` are the
    characters that must be pieces, the most frequent first. Raises RecipeError where the vocabulary has no room for
    those, or the words for the vocabulary.
    """
    if size < required.rows:
        raise RecipeError(f"a vocabulary of {size:,} cannot hold the {required.rows:,} characters that must be in it")
    wanted = int(SPARE * size)
    state = _State(words, counts, seeds, np.log(weights) - np.log(weights.sum()))
    while True:
        for _ in range(steps):
            state = state.step()
        report(f"{state.pieces.rows:,} pieces, {-state.likelihood / counts.sum():.4f} nats a word")
        state = state.prune(wanted, shrinking)
        if state.pieces.rows <= wanted:
            break
    kept, scores = state.reachable()
    return _finish(kept, scores, size, required)


class _State:
    """Pieces, their scores and the lattices of the words and of the pieces themselves."""

    def __init__(self, words: Ragged, counts: np.ndarray, pieces: Ragged, scores: np.ndarray):
        self.pieces, self.scores, self.likelihood = pieces, scores, 0.0
        trie = build(codepoints(pieces))
        words, self.counts = split_unreachable(words, counts, codepoints(pieces))
        self.words = lattice(words, trie, pieces.rows)
        self.own = lattice(pieces, trie, pieces.rows, whole=False)

    def step(self) -> "_State":
        """One step of EM; pieces that are expected too rarely go."""
        expected, self.likelihood = expected_counts(self.words, self.counts, self.with_unknown())
        expected = expected[:-1]
        often = expected >= RARE
        scores = digamma(expected[often]) - digamma(expected[often].sum(keepdims=True))
        return self.keep(often, scores)

    def prune(self, wanted: int, shrinking: float) -> "_State":
        """Keep the pieces that cost most to lose, and those that nothing can stand for."""
        scores = self.with_unknown()
        value, into = best_without_piece(self.own, scores)
        often = best_counts(self.words, self.counts, scores)
        loss = np.empty(self.pieces.rows)
        _prune_loss(often, self.scores, value, *into, loss)
        keep, rest = loss == np.inf, np.flatnonzero(np.isfinite(loss))
        room = max(wanted, int(shrinking * self.pieces.rows)) - int(keep.sum())
        keep[rest[np.argsort(-loss[rest], kind="stable")[: max(0, room)]]] = True
        return self.keep(keep, self.scores[keep])

    def reachable(self) -> tuple[list[bytes], np.ndarray]:
        """The pieces that are not better cut, with their scores."""
        value, _ = best_without_piece(self.own, self.with_unknown())
        stay = np.flatnonzero(value <= self.scores)
        return [self.pieces.row(row) for row in stay], self.scores[stay]

    def with_unknown(self) -> np.ndarray:
        return np.append(self.scores, self.scores.min(initial=0.0) - UNKNOWN)

    def keep(self, which: np.ndarray, scores: np.ndarray) -> "_State":
        """The state of some of the pieces."""
        new, stay = object.__new__(_State), int(which.sum())
        numbers = np.where(which, np.cumsum(which) - 1, -1)
        numbers = np.append(numbers, stay).astype(np.int32)
        new.counts, new.scores, new.likelihood = self.counts, scores, self.likelihood
        new.pieces = gather_rows(self.pieces, np.flatnonzero(which))
        new.words = renumber(self.words, numbers, stay)
        new.own = _rows_of(renumber(self.own, numbers, stay), np.flatnonzero(which))
        return new


def split_unreachable(words: Ragged, counts: np.ndarray, pieces: Ragged) -> tuple[Ragged, np.ndarray]:
    """Words in parts that no piece (codes) crosses, and how often each comes, sorted: the same lattices, but fewer.

    1,000,000 seeds leave 62 % of the characters of a mix of languages, 76 % of Japanese.
    """
    documents, ends = np.empty(words.rows + 1, np.int64), np.empty(words.data.size + 1, np.int64)
    parts = split_segments(*words, adjacent_pairs(pieces, SIEVE), False, 0, documents, ends)
    (offsets, data), counts = sort_words(ends[: parts + 1], words.data, np.repeat(counts, np.diff(documents)))
    offsets, data, counts = _add_up(offsets, data, counts)
    return Ragged.of(offsets, data), counts


@njit(nogil=True, cache=True)
def _add_up(offsets, data, counts):
    """Sorted rows, each but once."""
    new_offsets, out, new_counts, row = np.zeros_like(offsets), np.empty_like(data), np.zeros_like(counts), 0
    for old in range(counts.size):
        begin, size, at = offsets[old], offsets[old + 1] - offsets[old], new_offsets[row]
        same = row > 0 and size == at - new_offsets[row - 1]
        for i in range(size):
            same = same and out[at - size + i] == data[begin + i]
            out[at + i] = data[begin + i]
        if not same:
            row += 1
            new_offsets[row] = at + size
        new_counts[row - 1] += counts[old]
    return new_offsets[: row + 1].copy(), out[: new_offsets[row]].copy(), new_counts[:row].copy()


def _rows_of(net: Lattice, which: np.ndarray) -> Lattice:
    """The lattice of some of its words."""
    degree = np.diff(net.first)
    places = np.zeros(net.words.data.size + 1, np.int8)
    old = net.words.offsets
    places[old[which]] += 1
    places[old[which + 1]] -= 1
    of_place = np.cumsum(places[:-1]).astype(bool)
    of_edge = np.repeat(of_place, degree)
    first = np.concatenate(([0], np.cumsum(degree[of_place])))
    return Lattice(gather_rows(net.words, which), first, net.piece[of_edge], net.size[of_edge])


@njit(nogil=True, cache=True)
def _prune_loss(often, scores, value, offsets, into, loss):
    """What each piece's loss costs: inf where nothing stands for it, NaN where it is not needed."""
    total = 0.0
    for count in often:
        total += count
    for row in range(loss.size):
        if often[row] == 0 or value[row] > scores[row]:
            loss[row] = np.nan
        elif offsets[row] == offsets[row + 1]:
            loss[row] = np.inf
        else:
            parts = offsets[row + 1] - offsets[row]
            instead, sum_instead = 0.0, np.log(total + often[row] * (parts - 1))
            for i in range(offsets[row], offsets[row + 1]):
                instead += np.log(often[into[i]] + often[row]) - sum_instead
            loss[row] = often[row] / total * (np.log(often[row]) - np.log(total) - instead)


def _finish(pieces: list[bytes], scores: np.ndarray, size: int, required: Ragged) -> UnigramVocab:
    """The required characters, and of the others the most probable that there is room for."""
    known = dict(zip(pieces, scores.tolist(), strict=True))
    least, penalty, final = min(known.values(), default=0.0), 0.0, {}
    for row in range(required.rows):
        char = required.row(row)
        if char in known:
            final[char] = known[char]
        else:
            final[char] = least + penalty
            penalty += PENALTY
    for piece, score in sorted(known.items(), key=lambda item: (-item[1], item[0])):
        if len(final) >= size:
            break
        final.setdefault(piece, score)
    if len(final) < size:
        raise RecipeError(
            f"the corpus gives {len(final):,} pieces, fewer than the {size:,} asked for; lower the vocabulary size"
        )
    order = sorted(final.items(), key=lambda item: (-item[1], item[0]))
    return UnigramVocab([piece for piece, _ in order], np.array([score for _, score in order]))


def digamma(x: np.ndarray) -> np.ndarray:
    """The logarithmic derivative of the gamma function for x > 0.

    By recurrence to 7 and more, then the asymptotic series about x - 1/2.
    """
    x = x.astype(np.float64)  # a copy
    shift = np.zeros_like(x)
    while (low := x < 7).any():
        shift[low] -= 1 / x[low]
        x[low] += 1
    x -= 0.5
    square = 1 / x**2
    series = square * (1 / 24 - square * (7 / 960 - square * (31 / 8064 - square * 127 / 30720)))
    return shift + np.log(x) + series
