"""Repeats: equal keys get equal numbers, and from there the n-grams of words that come more than once.

An n-gram that repeats is made of two (n-1)-grams that repeat. So only those are looked at again: of 100 words of an
English document 72 repeat in it, then 26 pairs, 10 triples, 5 of four words and 3 of five. All nine measures of Gopher
together cost two table look-ups a word instead of ten, and n-grams are told apart exactly: by the numbers of their
halves, not by a hash of joined strings.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel

U64 = np.uint64
GOLDEN = U64(0x9E3779B97F4A7C15)
FEW, IN_CACHE = 64, 8192  # slots a table starts with: at least, and at most (32 KB)


def table_for(keys: int) -> np.ndarray:
    """Slots for ``number_keys`` over up to so many keys. Memory not reached by growing is never taken."""
    return np.empty(max(FEW, 2 << int(max(keys, 1) - 1).bit_length()), np.int32)


@inline_kernel
def _slot(key, shift):
    return np.int64((key * GOLDEN) >> shift)


@kernel
def intern_keys(keys, n, table, distinct, counts, numbers):
    """Number ``keys[:n]`` in the order of first appearance.

    Fills ``numbers[:n]``, and of each number its key and its count, ``distinct`` and ``counts``; returns how many
    there are. The table doubles when half full, so that a novel's stays as small as its vocabulary.
    """
    slots, shift = FEW, U64(58)
    while slots < 2 * n and slots < IN_CACHE:
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
    """Drop of ``place[:n]`` and ``keys[:n]`` most keys that come once, none that comes twice; return how many stay.

    A filter of 8 to 16 places a key, two bits each: taken once, taken twice. Without branches and in 2 to 4 bytes a
    key, it spares two of three pairs of words the table, where each costs a branch nobody foresees and a cache line:
    50 against 66 ns a word of novels for all of filters/rules/repetition.py.
    """
    places, shift = 16, U64(60)
    while places < 8 * n:
        places, shift = 2 * places, shift - U64(1)
    table[: places >> 4] = 0
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
    """Keep of ``place[:n]`` and ``numbers[:n]`` what is numbered more than once; return how many."""
    kept = 0
    for i in range(n):
        if counts[numbers[i]] > 1:
            place[kept], numbers[kept] = place[i], numbers[i]
            kept += 1
    return kept


@kernel
def join_ngrams(n, place, numbers, keys):
    """(n-1)-grams at ``place[:n]`` -> in place those n-grams both of whose halves are there, and a key for each."""
    kept = 0
    for i in range(n - 1):
        if place[i + 1] == place[i] + 1:
            keys[kept] = U64(numbers[i]) << U64(32) | U64(numbers[i + 1])
            place[kept] = place[i]
            kept += 1
    return kept
