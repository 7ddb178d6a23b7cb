"""Probability from which on a label is taken for the language, from the probabilities of the documents with its label.

FineWeb2 (Penedo et al. 2025, arXiv:2506.20920): the median less one standard deviation, between 0.3 and 0.9. Models
are sure of some languages and never sure of others, such as Croatian beside Bosnian and Serbian.
"""

import math

import numpy as np

BINS = 1000  # of equal width, from 0 to 1
LEAST, MOST = 0.3, 0.9


def histogram(probability: np.ndarray) -> np.ndarray:
    """Return int64[BINS]: documents by probability. Histograms of parts of a corpus add up to that of the whole."""
    return np.bincount(np.minimum((probability * BINS).astype(np.int64), BINS - 1), minlength=BINS)


def sure_probability(counts: np.ndarray) -> float:
    """Return the threshold for documents counted by ``histogram``, to two decimals, rounded down.

    >>> sure_probability(histogram(np.array([0.9955, 0.9955, 0.9955]))), sure_probability(histogram(np.array([0.1])))
    (0.9, 0.3)
    """
    middle = (np.arange(BINS) + 0.5) / BINS
    documents = int(counts.sum())
    mean = float(counts @ middle) / documents
    deviation = math.sqrt(float(counts @ (middle - mean) ** 2) / documents)
    median = float(middle[np.searchsorted(np.cumsum(counts), documents / 2)])
    return math.floor(100 * min(max(median - deviation, LEAST), MOST)) / 100


def below(counts: np.ndarray, threshold: float) -> float:
    """Return the share of the documents with a lower probability than a threshold of two decimals."""
    return float(counts[: round(threshold * BINS)].sum() / counts.sum())
