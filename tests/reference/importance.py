"""DSIR in plain Python: bags of hashed n-grams, and the log importance weight of a document."""

import math
from collections import Counter

from gristmill.filters.importance.dsir import EMPTY_WEIGHT, SMOOTHING

MASK = (1 << 64) - 1
W0, W1, W2, W3 = 0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3, 0x589965CC75374CC3


def mix(a: int, b: int) -> int:
    return (a * b & MASK) ^ (a * b >> 64)


def grams(hashes: list[int], ngrams: int, buckets: int) -> list[int]:
    """The buckets of a document's n-grams."""
    found = []
    for n in range(1, ngrams + 1):
        for i in range(len(hashes) - n + 1):
            key = hashes[i]
            for other in hashes[i + 1 : i + n]:
                key = mix(key ^ W0, other ^ W1)
            found.append(mix(key ^ W2, W3) * buckets >> 64)
    return found


def shares(documents: list[list[int]], ngrams: int, buckets: int) -> list[float]:
    counts = Counter(bucket for hashes in documents for bucket in grams(hashes, ngrams, buckets))
    return [counts[bucket] / max(counts.total(), 1) for bucket in range(buckets)]


def log_weight(hashes: list[int], target: list[float], raw: list[float], ngrams: int) -> float:
    if not hashes:
        return EMPTY_WEIGHT
    found = grams(hashes, ngrams, len(target))
    return sum(math.log(((1 - SMOOTHING) * target[b] + SMOOTHING * raw[b]) / raw[b]) for b in found)
