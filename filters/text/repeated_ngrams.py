"""Repeated n-grams: number equal keys, and build n-grams only from (n-1)-grams that repeat.

A repeated n-gram consists of two repeated (n-1)-grams, so only those are counted again. Of 100 words of an English
document 72 repeat in it, then 26 pairs, 10 triples, 5 runs of four words and 3 of five. All nine measures of Gopher
together cost two table lookups per word instead of ten. n-grams are compared exactly, by the numbers of their halves,
not by a hash of joined strings.
"""

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel

MIN_SLOTS, CACHED_SLOTS = 64, 8192  # of a table at the start: at least, and at most (32 KB)


def table_for(keys: int) -> np.ndarray:
    """Return the table of ``intern_keys`` for up to ``keys`` keys; memory it does not grow into is never allocated."""
    return np.empty(max(MIN_SLOTS, 2 << int(max(keys, 1) - 1).bit_length()), np.int32)


@inline_kernel
def _slot(key, shift):
    return np.int64((key * GOLDEN_RATIO) >> shift)


@kernel
def intern_keys(keys, n, table, distinct, counts, numbers):
    """Number ``keys[:n]`` in the order of first occurrence, and return the number of distinct keys.

    Fills ``numbers[:n]``, and for each number its key (``distinct``) and its count (``counts``). The table doubles when
    it is half full, so that of a novel stays as small as its vocabulary.
    """
    slots, shift = MIN_SLOTS, U64(58)
    while slots < 2 * n and slots < CACHED_SLOTS:
        slots, shift = 2 * slots, shift - U64(1)
    table[:slots] = -1
    total = 0
    for i in range(n):
        key = keys[i]
        slot = _slot(key, shift)
        number = table[slot]
        while number >= 0 and distinct[number] != key:
            slot = (slot + 1) & (slots - 1)
            number = table[slot]
        if number >= 0:
            counts[number] += 1
            numbers[i] = number
            continue
        table[slot] = total
        distinct[total], counts[total] = key, 1
        numbers[i] = total
        total += 1
        if 2 * total > slots:
            slots, shift = 2 * slots, shift - U64(1)
            table[:slots] = -1
            for known in range(total):
                slot = _slot(distinct[known], shift)
                while table[slot] >= 0:
                    slot = (slot + 1) & (slots - 1)
                table[slot] = known
    return total


@kernel
def drop_singletons(n, place, keys, table):
    """Remove most singletons from ``keys[:n]`` and ``place[:n]``, keep every repeated key, and return the number kept.

    A sketch of 8 to 16 cells per key, two bits each: the first says seen, the second seen again. It has no branches and
    takes 2 to 4 bytes per key. It saves two of three pairs of words a table lookup, which costs an unpredictable branch
    and a cache line: all of filters/rules/repetition.py takes 50 ns per word of novels, 66 without it.
    """
    cells, shift = 16, U64(60)
    while cells < 8 * n:
        cells, shift = 2 * cells, shift - U64(1)
    table[: cells >> 4] = 0
    for i in range(n):
        at = _slot(keys[i], shift)
        bits = (table[at >> 4] >> (at & 15) * 2) & 1
        table[at >> 4] |= (1 + 2 * bits) << (at & 15) * 2
    kept = 0
    for i in range(n):
        at = _slot(keys[i], shift)
        place[kept], keys[kept] = place[i], keys[i]
        kept += (table[at >> 4] >> (at & 15) * 2 + 1) & 1
    return kept


@kernel
def keep_repeats(n, counts, place, numbers):
    """Keep the entries of ``place[:n]`` and ``numbers[:n]`` whose number repeats, and return how many there are."""
    kept = 0
    for i in range(n):
        if counts[numbers[i]] > 1:
            place[kept], numbers[kept] = place[i], numbers[i]
            kept += 1
    return kept


@kernel
def join_ngrams(n, place, numbers, keys):
    """Replace the (n-1)-grams at ``place[:n]`` by the n-grams made of two; fill their keys and return their number."""
    kept = 0
    for i in range(n - 1):
        if place[i + 1] == place[i] + 1:
            keys[kept] = U64(numbers[i]) << U64(32) | U64(numbers[i + 1])
            place[kept] = place[i]
            kept += 1
    return kept
