"""DSIR importance weights (Xie et al. 2023, arXiv:2302.03169): how typical a document is of a target sample.

Target and corpus are bags of n-grams hashed into buckets. A document's log importance weight is the sum over its
n-grams of ``log(target share / raw share)`` of their buckets. Three differences from the paper's code:

- words are split as for all other filters, and keep their case;
- buckets come from another hash;
- a hundredth of the raw share is mixed into the target's, where their code adds 1e-8 to each share. An n-gram that a
  small target lacks therefore costs log(100) and does not decide a document alone.
"""

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.words.words import Words
from gristmill.pipelines.kernels.hashing import U64, W0, W1, W2, W3, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, multiply

SMOOTHING = 0.01  # weight of the raw share in the target's
EMPTY_WEIGHT = -1e6  # of a document without words, below all other weights


class HashedNgrams:
    """Bucket counts of the n-grams of 1 to ``ngrams`` words."""

    def __init__(self, buckets: int, ngrams: int):
        self.counts, self.ngrams = np.zeros(buckets, np.int64), ngrams

    def add(self, batch: Batch) -> None:
        """Count the n-grams of a batch."""
        count_ngrams(batch.words.offsets, batch.words.hash, self.ngrams, self.counts)

    def shares(self) -> np.ndarray:
        """Return the share of all n-grams in each bucket, float64[buckets]."""
        return self.counts / max(self.counts.sum(), 1)


def log_ratios(target: HashedNgrams, raw: HashedNgrams) -> np.ndarray:
    """Return the log weight of an n-gram in each bucket, float64[buckets]; 0 for buckets empty in the corpus."""
    shares = raw.shares()
    ratios = np.divide(target.shares(), shares, out=np.ones(shares.size), where=shares > 0)
    return np.log((1 - SMOOTHING) * ratios + SMOOTHING)


def log_weights(words: Words, target: HashedNgrams, raw: HashedNgrams) -> tuple[np.ndarray, np.ndarray]:
    """Return each document's log importance weight, float64[n], and number of n-grams, int64[n].

    The pair is EMPTY_WEIGHT and 0 for a document without words.
    """
    n = words.offsets.size - 1
    weights, sizes = np.empty(n), np.empty(n, np.int64)
    sum_values(words.offsets, words.hash, target.ngrams, log_ratios(target, raw), weights, sizes)
    return np.where(sizes > 0, weights, EMPTY_WEIGHT), sizes


@inline_kernel
def _bucket(key, buckets):
    return np.int64(multiply(mix(key ^ W2, W3), U64(buckets))[1])


@kernel
def count_ngrams(offsets, hashes, ngrams, counts):
    """Add the n-grams of documents, given as word hashes, to the counts of their buckets."""
    for row in range(offsets.size - 1):
        for i in range(offsets[row], offsets[row + 1]):
            key = hashes[i]
            counts[_bucket(key, counts.size)] += 1
            for j in range(i + 1, min(i + ngrams, offsets[row + 1])):
                key = mix(key ^ W0, hashes[j] ^ W1)
                counts[_bucket(key, counts.size)] += 1


@kernel
def sum_values(offsets, hashes, ngrams, values, sums, sizes):
    """Write the sum of the values of each document's n-grams, and their number."""
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
        sums[row], sizes[row] = total, n
