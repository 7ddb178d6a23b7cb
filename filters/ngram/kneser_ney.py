"""Modified Kneser-Ney, interpolated: levels of counted grams become a table of probabilities and back-offs.

For a gram ``h w``, of adjusted count c, and h' for the context h without its first word:

    p(w | h) = (c - D(c)) / total(h) + backoff(h) p(w | h')        backoff(h) = sum of what was taken / total(h)

down to p(w) = 1 / (ids but <s>) under order 1. So a gram that is not in the table has probability
``backoff(h) p(w | h')``, and the probabilities after any context add up to one. Chen and Goodman 1999; counts and
pruning as Heafield et al. 2013: a pruned gram's whole count goes to the back-off.
"""

import math

import numpy as np

from gristmill.filters.ngram.discounts import discounts
from gristmill.filters.ngram.hash_table import NONE, find, insert, key_of, places_for
from gristmill.filters.ngram.orders import Order, Orders
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.kernels.intrinsics import kernel

NEVER = -99.0  # log10 probability of <s>, which nothing predicts


def estimate(
    levels: Orders, bits: int, prune: list[int], fallback, modified: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels -> unigrams float32[ids, 2] (log10 probability and back-off), cells, begins int64[order + 2].

    The table of grams of k words is ``begins[k]:begins[k + 1]`` of the cells. Grams of k words that occur
    ``prune[k - 1]`` times or less are left out; ``prune`` must not fall.
    """
    order = levels.order
    keep = [levels[k].occurrences > least for k, least in enumerate(prune, 1)]
    sizes = [0, 0, *(places_for(int(np.count_nonzero(kept))) for kept in keep[1:])]
    begins = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    cells = np.zeros(2 * begins[-1], np.uint64)
    floats = cells.view(np.float32)
    unigrams, probability = _first(levels[1], fallback, modified)
    places = context = np.arange(len(unigrams), dtype=np.int64)  # of a single word the place is its id
    for k in range(2, order + 1):
        level, kept = levels[k], keep[k - 1]
        context = _contexts_of(level, context, cells, begins, k, bits)
        taken = discounts(level.counts, k, fallback, modified)
        n = unigrams.shape[0] if k == 2 else sizes[k - 1]
        total, backoff = np.zeros(n), np.zeros(n)
        _add_up(context, level.counts, kept, taken, total, backoff)
        _divide(backoff, total)
        longer = np.empty(level.words.size)
        _interpolate(context, level.counts, level.parents, taken, total, backoff, probability, longer)
        del total  # arrays as long as the table are what a model's training takes most memory for
        _put_logs(backoff, unigrams[:, 1] if k == 2 else floats[4 * begins[k - 1] + 3 : 4 * begins[k] : 4])
        del backoff
        shorter, places = places, np.empty(level.words.size, np.int64)
        table = cells, floats, begins[k], sizes[k], bits
        insert(*table, shorter, level.parents, level.words, kept, longer, places)
        probability = longer
    return unigrams, cells, begins


def _first(level: Order, fallback, modified: bool) -> tuple[np.ndarray, np.ndarray]:
    """Single words: those never seen share, with all others, what the discounts took."""
    counts = level.counts.astype(np.float64)
    taken = discounts(level.counts, 1, fallback, modified)[np.minimum(level.counts, 3)]
    probability = (counts - taken + taken.sum() / (counts.size - 1)) / counts.sum()
    probability[BEGIN] = 0
    unigrams = np.zeros((counts.size, 2), np.float32)
    unigrams[:, 0] = np.log10(probability, out=np.full(counts.size, NEVER), where=probability > 0)
    return unigrams, probability


def _contexts_of(level: Order, shorter: np.ndarray, cells, begins: np.ndarray, k: int, bits: int) -> np.ndarray:
    """The place of each gram's context: its parent's, longer by the first word. NONE where that was pruned."""
    if k == 2:
        return level.words.astype(np.int64)
    out = np.empty(level.words.size, np.int64)
    _find_contexts(cells, begins[k - 1], begins[k] - begins[k - 1], bits, level.parents, shorter, level.words, out)
    return out


@kernel
def _find_contexts(cells, begin, size, bits, parents, shorter, words, out):
    for i in range(words.size):
        place = shorter[parents[i]]
        out[i] = NONE if place < 0 else find(cells, begin, size, 2, 0, key_of(place, words[i], bits))


@kernel
def _add_up(context, counts, kept, taken, total, left):
    """Of each context: what its grams count, and how much of it goes to the back-off."""
    for i in range(context.size):
        if context[i] >= 0:
            total[context[i]] += counts[i]
            left[context[i]] += taken[min(counts[i], 3)] if kept[i] else counts[i]


@kernel
def _divide(left, total):
    """What was taken becomes the share that goes to the back-off, 1 in a context that was never seen."""
    for i in range(left.size):
        left[i] = left[i] / total[i] if total[i] > 0 else 1.0


@kernel
def _put_logs(values, out):
    for i in range(values.size):
        out[i] = math.log10(values[i]) if values[i] > 0 else NEVER


@kernel
def _interpolate(context, counts, parents, taken, total, backoff, shorter, out):
    for i in range(context.size):
        at = context[i]
        if at < 0:
            out[i] = 1.0  # pruned, as its context is
            continue
        out[i] = (counts[i] - taken[min(counts[i], 3)]) / total[at] + backoff[at] * shorter[parents[i]]
