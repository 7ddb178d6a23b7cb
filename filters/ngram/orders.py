"""The grams of every order out of those of the highest: a trie whose paths read grams from their last word backwards.

A node of level k is a gram of k words; its parent is the same gram without its first word. What Kneser-Ney counts of a
gram shorter than the highest order is how many different words come before it, its children; a gram that begins a
line has none before it, and counts how often it occurs.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit

from gristmill.filters.ngram.count import SortedRun
from gristmill.filters.ngram.radix_sort import DIGITS
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.kernels.hashing import U64
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel


class Order(NamedTuple):
    """Grams of one order, in the order of their reversed words. Level 1 has a row for each id."""

    words: np.ndarray  # uint32[n]: the gram's first word
    parents: np.ndarray  # uint32[n]: the row, a level below, of the gram without it
    counts: np.ndarray  # uint32[n]: adjusted
    occurrences: np.ndarray  # uint32[n]


class Orders(NamedTuple):
    """The levels 1 to ``order``, end to end in files, a file a column."""

    folder: Path
    first: np.ndarray  # int64[order + 2]: level k is rows ``first[k]:first[k + 1]``

    @property
    def order(self) -> int:
        return self.first.size - 2

    def __getitem__(self, k: int) -> Order:
        """Mapped anew each time: what one level takes of memory is given back before the next."""
        n = int(self.first[k + 1] - self.first[k])
        if not n:
            return Order(*(np.empty(0, np.uint32) for _ in Order._fields))
        options = {"dtype": np.uint32, "mode": "r", "offset": 4 * int(self.first[k]), "shape": n}
        return Order(*(np.memmap(_column(self.folder, name), **options) for name in Order._fields))


def _column(folder: Path, name: str) -> Path:
    return folder / f"level-{name}"


def split_orders(grams: SortedRun, order: int, bits: int, vocabulary: int, scratch: Path) -> Orders:
    """The levels of sorted grams, in files of ``scratch``."""
    sizes = np.zeros(order + 1, np.int64)
    _measure(*grams[:2], order, bits, sizes)
    sizes[1] = vocabulary
    first = np.concatenate(([0], np.cumsum(sizes)))
    shape = max(int(first[-1]), 1)
    columns = [np.memmap(_column(scratch, name), np.uint32, "w+", shape=shape) for name in Order._fields]
    _fill(*grams, order, bits, first, *columns)
    return Orders(scratch, first)


@inline_kernel
def _digit(high, low, k, order, bits):
    """Digit k of a key, from 1: the word k - 1 before the last."""
    if k <= DIGITS:
        return np.int64(high >> U64(bits * (min(order, DIGITS) - k))) & ((1 << bits) - 1)
    return np.int64(low >> U64(bits * (order - k))) & ((1 << bits) - 1)


@kernel
def _measure(high, low, order, bits, sizes):
    """How many grams of each order there are."""
    for i in range(high.size):
        fresh = i == 0
        for k in range(1, order + 1):
            digit = _digit(high[i], low[i], k, order, bits)
            fresh = fresh or digit != _digit(high[i - 1], low[i - 1], k, order, bits)
            sizes[k] += fresh
            if digit == BEGIN:
                break


@njit(nogil=True, cache=True)
def _fill(high, low, occurs, order, bits, first, words, parents, counts, occurrences):
    row = first[:-1] - 1  # of each level, the newest node
    for i in range(high.size):
        fresh = i == 0
        for k in range(1, order + 1):
            digit = _digit(high[i], low[i], k, order, bits)
            fresh = fresh or digit != _digit(high[i - 1], low[i - 1], k, order, bits)
            if k == 1:
                row[1] = first[1] + digit
            elif fresh:
                row[k] += 1
                words[row[k]], parents[row[k]] = digit, row[k - 1] - first[k - 1]
                counts[row[k - 1]] += 1
            occurrences[row[k]] += occurs[i]
            if digit == BEGIN or k == order:
                counts[row[k]] += occurs[i]
                break
