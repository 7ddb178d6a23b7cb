"""Importance of documents for a target: how much likelier their words and pairs of words are there than in the corpus.

Both sides are bags of n-grams hashed into buckets; a document's log importance weight is the sum, over its n-grams, of
``log(target share / raw share)`` of their buckets. Xie et al. 2023 (DSIR, arXiv:2302.03169), with three differences:
words are those that all filters share, with their case; buckets are chosen by another hash; and where their code adds
1e-8 to each share, a hundredth of the raw share is mixed into the target's, so that an n-gram that a small target lacks
costs log(100) and does not settle a document alone.
"""

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.words.words import Words
from gristmill.pipelines.kernels.hashing import U64, W0, W1, W2, W3, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, multiply

SMOOTHING = 0.01  # of the raw share in the target's
EMPTY_WEIGHT = -1e6  # the weight of a document without a word, below that of all others


class HashedNgrams:
    """Counts of hashed n-grams of 1 to ``ngrams`` words."""

    def __init__(self, buckets: int, ngrams: int):
        self.counts, self.ngrams = np.zeros(buckets, np.int64), ngrams

    def add(self, batch: Batch) -> None:
        count_ngrams(batch.words.offsets, batch.words.hash, self.ngrams, self.counts)

    def shares(self) -> np.ndarray:
        """Of all n-grams the share in each bucket, float64[buckets]."""
        return self.counts / max(self.counts.sum(), 1)


def log_ratios(target: HashedNgrams, raw: HashedNgrams) -> np.ndarray:
    """What an n-gram of each bucket weighs, float64[buckets]; 0 for one that the corpus does not have."""
    shares = raw.shares()
    ratios = np.divide(target.shares(), shares, out=np.ones(shares.size), where=shares > 0)
    return np.log((1 - SMOOTHING) * ratios + SMOOTHING)


def log_weights(words: Words, target: HashedNgrams, raw: HashedNgrams) -> tuple[np.ndarray, np.ndarray]:
    """Of each document its log importance weight, float64[n], and how many n-grams it has, int64[n].

    NOTHING and 0 for one without a word.
    """
    n = words.offsets.size - 1
    weights, grams = np.empty(n), np.empty(n, np.int64)
    add_up(words.offsets, words.hash, target.ngrams, log_ratios(target, raw), weights, grams)
    return np.where(grams > 0, weights, EMPTY_WEIGHT), grams


@inline_kernel
def _bucket(key, buckets):
    return np.int64(multiply(mix(key ^ W2, W3), U64(buckets))[1])


@kernel
def count_ngrams(offsets, hashes, ngrams, counts):
    """Add the n-grams of documents, given by the hashes of their words, to the counts of their buckets."""
    for row in range(offsets.size - 1):
        for i in range(offsets[row], offsets[row + 1]):
            key = hashes[i]
            counts[_bucket(key, counts.size)] += 1
            for j in range(i + 1, min(i + ngrams, offsets[row + 1])):
                key = mix(key ^ W0, hashes[j] ^ W1)
                counts[_bucket(key, counts.size)] += 1


@kernel
def add_up(offsets, hashes, ngrams, values, sums, grams):
    """The sum of the values of each document's n-grams, and how many they are."""
    for row in range(offsets.size - 1):
        total, n = 0.0, 0
        for i in range(offsets[row], offsets[row + 1]):
            key = hashes[i]
            total += values[_bucket(key, values.size)]
            n += 1
            for j in range(i + 1, min(i + ngrams, offsets[row + 1])):
                key = mix(key ^ W0, hashes[j] ^ W1)
                total += values[_bucket(key, values.size)]
                n += 1
        sums[row], grams[row] = total, n
