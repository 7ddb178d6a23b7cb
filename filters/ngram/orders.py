"""N-grams of all orders, from those of the highest order: a trie over reversed n-grams.

A node at depth k is an n-gram of k words; its parent is the n-gram without its first word. Kneser-Ney counts the
children of an n-gram below the highest order: the distinct words that precede it. An n-gram that begins a line has no
preceding word and counts its occurrences.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gristmill.filters.ngram.count import SortedRun
from gristmill.filters.ngram.radix_sort import DIGITS
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.kernels.hashing import U64
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.storage.files import mapped_array


class Order(NamedTuple):
    """The n-grams of one order, sorted by their reversed words. Order 1 has a row for each id."""

    words: np.ndarray  # uint32[n]: the first word
    parents: np.ndarray  # uint32[n]: the row, in the order below, of the n-gram without its first word
    counts: np.ndarray  # uint32[n]: adjusted
    occurrences: np.ndarray  # uint32[n]


@dataclass(frozen=True)
class Orders:
    """The orders 1 to ``order``, end to end in files, one file per column."""

    folder: Path
    first: np.ndarray  # int64[order + 2]: order k is rows ``first[k]:first[k + 1]``

    @property
    def order(self) -> int:
        return self.first.size - 2

    def __getitem__(self, k: int) -> Order:
        """Map one order. It is mapped anew each time, so that its memory can be freed before the next."""
        n = int(self.first[k + 1] - self.first[k])
        if not n:
            return Order(*(np.empty(0, np.uint32) for _ in Order._fields))
        paths, begin = [_column(self.folder, name) for name in Order._fields], 4 * int(self.first[k])
        return Order(*(np.memmap(path, np.uint32, "r", begin, n) for path in paths))


def _column(folder: Path, name: str) -> Path:
    return folder / f"order-{name}"


def split_orders(ngrams: SortedRun, order: int, bits: int, vocabulary: int, scratch: Path) -> Orders:
    """Write all orders of sorted n-grams of the highest order to files in ``scratch``."""
    sizes = np.zeros(order + 1, np.int64)
    _count_orders(*ngrams[:2], order, bits, sizes)
    sizes[1] = vocabulary
    first = np.concatenate(([0], np.cumsum(sizes)))
    size = max(int(first[-1]), 1)
    columns = [mapped_array(_column(scratch, name), np.uint32, size) for name in Order._fields]
    _fill(*ngrams, order, bits, first, *columns)
    return Orders(scratch, first)


@inline_kernel
def _digit(high, low, k, order, bits):
    """Return digit k of a key, from 1: the word k - 1 before the last."""
    if k <= DIGITS:
        return np.int64(high >> U64(bits * (min(order, DIGITS) - k))) & ((1 << bits) - 1)
    return np.int64(low >> U64(bits * (order - k))) & ((1 << bits) - 1)


@kernel
def _count_orders(high, low, order, bits, sizes):
    """Count the n-grams of each order."""
    for i in range(high.size):
        fresh = i == 0
        for k in range(1, order + 1):
            digit = _digit(high[i], low[i], k, order, bits)
            fresh = fresh or digit != _digit(high[i - 1], low[i - 1], k, order, bits)
            sizes[k] += fresh
            if digit == BEGIN:
                break


@allocating_kernel
def _fill(high, low, occurs, order, bits, first, words, parents, counts, occurrences):
    row = first[:-1] - 1  # the newest node of each order
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
