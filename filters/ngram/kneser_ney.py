"""Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999): from counts to probabilities and back-offs.

For an n-gram ``h w`` of adjusted count c, and h' for the context h without its first word:

    p(w | h) = (c - D(c)) / total(h) + backoff(h) p(w | h')        backoff(h) = sum of the discounts / total(h)

The recursion ends at p(w) = 1 / (number of ids without <s>). An n-gram outside the table has probability
``backoff(h) p(w | h')``, and the probabilities after any context sum to one. Counts and pruning follow Heafield et al.
2013: the whole count of a pruned n-gram goes to the back-off.
"""

import math

import numpy as np

from gristmill.filters.ngram.discounts import discounts
from gristmill.filters.ngram.hash_table import NOT_FOUND, find, insert, key_of, table_size
from gristmill.filters.ngram.orders import Order, Orders
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.kernels.intrinsics import kernel

LOG10_ZERO = -99.0  # log10 probability of <s>, which is never predicted


def estimate(
    orders: Orders, bits: int, prune: list[int], fallback, modified: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return unigrams float32[ids, 2] (log10 probability and back-off), cells, and begins int64[order + 2].

    The table of order k is ``begins[k]:begins[k + 1]`` of the cells. N-grams of k words with ``prune[k - 1]``
    occurrences or fewer are left out; ``prune`` must not fall.
    """
    order = orders.order
    keep = [orders[k].occurrences > pruned for k, pruned in enumerate(prune, 1)]
    sizes = [0, 0, *(table_size(int(np.count_nonzero(kept))) for kept in keep[1:])]
    begins = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    cells = np.zeros(2 * begins[-1], np.uint64)
    floats = cells.view(np.float32)
    unigrams, probability = _estimate_unigrams(orders[1], fallback, modified)
    slots = context = np.arange(len(unigrams), dtype=np.int64)  # the slot of a single word is its id
    for k in range(2, order + 1):
        ngrams, kept = orders[k], keep[k - 1]
        context = _context_slots(ngrams, context, cells, begins, k, bits)
        discount = discounts(ngrams.counts, k, fallback, modified)
        n = unigrams.shape[0] if k == 2 else sizes[k - 1]
        total, backoff = np.zeros(n), np.zeros(n)
        _sum_contexts(context, ngrams.counts, kept, discount, total, backoff)
        _normalize(backoff, total)
        longer = np.empty(ngrams.words.size)
        _interpolate(context, ngrams.counts, ngrams.parents, discount, total, backoff, probability, longer)
        del total  # arrays as long as the table take most of the memory of training
        _write_log10(backoff, unigrams[:, 1] if k == 2 else floats[4 * begins[k - 1] + 3 : 4 * begins[k] : 4])
        del backoff
        shorter, slots = slots, np.empty(ngrams.words.size, np.int64)
        table = cells, floats, begins[k], sizes[k], bits
        insert(*table, shorter, ngrams.parents, ngrams.words, kept, longer, slots)
        probability = longer
    return unigrams, cells, begins


def _estimate_unigrams(words: Order, fallback, modified: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return unigrams float32[ids, 2] and probabilities float64[ids]; all words share the discounted mass equally."""
    counts = words.counts.astype(np.float64)
    discount = discounts(words.counts, 1, fallback, modified)[np.minimum(words.counts, 3)]
    probability = (counts - discount + discount.sum() / (counts.size - 1)) / counts.sum()
    probability[BEGIN] = 0
    unigrams = np.zeros((counts.size, 2), np.float32)
    unigrams[:, 0] = np.log10(probability, out=np.full(counts.size, LOG10_ZERO), where=probability > 0)
    return unigrams, probability


def _context_slots(ngrams: Order, shorter: np.ndarray, cells, begins: np.ndarray, k: int, bits: int) -> np.ndarray:
    """Return the slot of each n-gram's context (its parent's, plus the first word); NOT_FOUND if it was pruned."""
    if k == 2:
        return ngrams.words.astype(np.int64)
    out = np.empty(ngrams.words.size, np.int64)
    _find_contexts(cells, begins[k - 1], begins[k] - begins[k - 1], bits, ngrams.parents, shorter, ngrams.words, out)
    return out


@kernel
def _find_contexts(cells, begin, size, bits, parents, shorter, words, out):
    for i in range(words.size):
        slot = shorter[parents[i]]
        out[i] = NOT_FOUND if slot < 0 else find(cells, begin, size, 2, 0, key_of(slot, words[i], bits))


@kernel
def _sum_contexts(context, counts, kept, discount, total, left):
    """Sum for each context the counts of its n-grams, and the part of them that goes to the back-off."""
    for i in range(context.size):
        if context[i] >= 0:
            total[context[i]] += counts[i]
            left[context[i]] += discount[min(counts[i], 3)] if kept[i] else counts[i]


@kernel
def _normalize(left, total):
    """Divide the discounted mass by the total: the back-off, 1 for a context that was never seen."""
    for i in range(left.size):
        left[i] = left[i] / total[i] if total[i] > 0 else 1.0


@kernel
def _write_log10(values, out):
    for i in range(values.size):
        out[i] = math.log10(values[i]) if values[i] > 0 else LOG10_ZERO


@kernel
def _interpolate(context, counts, parents, discount, total, backoff, shorter, out):
    for i in range(context.size):
        at = context[i]
        if at < 0:
            out[i] = 1.0  # never used: the n-gram is pruned with its context
            continue
        out[i] = (counts[i] - discount[min(counts[i], 3)]) / total[at] + backoff[at] * shorter[parents[i]]
