"""Spans of a document that the n-grams of a benchmark item cover."""

import numpy as np

from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.dedup.near.shingles import CODE, START, scramble
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.kernels.utf8 import decode


def word_places(text: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return hash (as in dedup/contamination/ngram_index.py), first byte and end of each word of one document."""
    return _word_places(text, letters())


@allocating_kernel
def _word_places(data, table):
    hashes = np.empty(data.size // 2 + 1, np.uint64)  # a word takes a letter and a separator, or three bytes
    starts, ends = np.empty(hashes.size, np.int64), np.empty(hashes.size, np.int64)
    at, n, inside = 0, 0, False
    hash = START
    while at < data.size:
        code, length = (np.int64(data[at]), 1) if data[at] < 0x80 else decode(data, at, data.size)
        letter, alone = np.uint64(table[code] & CODE), table[code] >= SPACELESS
        if inside and (alone or not letter):
            hashes[n], ends[n], inside = hash, at, False
            n += 1
        if letter:
            if not inside:
                starts[n], hash, inside = at, START, True
            hash = (hash ^ letter) * GOLDEN_RATIO
        at += length
        if alone:
            hashes[n], ends[n], inside = hash, at, False
            n += 1
    if inside:
        hashes[n], ends[n] = hash, data.size
        n += 1
    return hashes[:n], starts[:n], ends[:n]


@allocating_kernel
def covered_spans(hashes, grams, weight, ngram, gap):
    """Return the runs of words that ``grams`` (ascending) cover, with gaps of at most ``gap`` words.

    Each run has its first and last word, and the weight of its distinct n-grams.
    """
    n = hashes.size
    covered, number = np.zeros(n, np.bool_), np.full(n, -1, np.int64)
    for at in range(n):
        hash = hashes[at]
        for size in range(1, min(ngram, n - at) + 1):
            if size > 1:
                hash = hash * GOLDEN_RATIO + hashes[at + size - 1]
            gram = scramble(hash + np.uint64(size))
            found = np.searchsorted(grams, gram)
            if found < grams.size and grams[found] == gram:
                covered[at : at + size] = True
                number[at] = found
    room = covered.sum()
    firsts, lasts, weights = np.empty(room, np.int64), np.empty(room, np.int64), np.zeros(room)
    seen, at, m = np.full(grams.size, -1, np.int64), 0, 0
    while at < n:
        if not covered[at]:
            at += 1
            continue
        first = last = at
        while at < n and at - last - 1 <= gap:
            if covered[at]:
                last = at
            at += 1
        for i in range(first, last + 1):
            if number[i] >= 0 and seen[number[i]] != m:
                seen[number[i]] = m
                weights[m] += weight[number[i]]
        firsts[m], lasts[m] = first, last
        m += 1
    return firsts[:m], lasts[:m], weights[:m]
