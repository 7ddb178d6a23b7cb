"""Variance by the choice of documents: seeds train on disjoint parts of an arm's documents, so intervals contain it.

Runs that share their documents differ by initial weights and order alone, and their interval says nothing about other
documents: of five random halves of 1.5 MB, three were called worse than the other half. Runs on disjoint parts are
independent draws of both. A run that reads less than its part once sees what it would see of the whole corpus, so the
parts cost nothing while the text lasts. When there are more seeds than parts, a part is trained several times, and its
mean counts as one run.

Where a run reads its text more often than that, a run on a part would repeat it more often still. Then runs on all
documents give the mean. Runs on parts give only the spread, and read their part as often as the others read all: the
documents of p parts together vary the loss by the variance between parts over p (subsampling, Politis and Romano 1994).
"""

import math

import numpy as np


def part_means(values: np.ndarray, parts: int) -> np.ndarray:
    """Return the mean of each part's runs, float64[parts, …], of float64[runs, …]; run k has part k mod ``parts``.

    >>> part_means(np.array([1.0, 2.0, 3.0]), 2).tolist()
    [2.0, 2.0]
    """
    return np.stack([values[part::parts].mean(0) for part in range(min(parts, len(values)))])


def recenter(parts: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return the runs of parts, float64[parts, …], moved to the mean of runs on all documents, float64[runs, …].

    Their mean has the variance of that of the runs on all documents, or more, if these are as many as the parts.

    >>> recenter(np.array([3.0, 5.0]), np.array([1.0, 2.0, 3.0])).tolist()
    [1.0, 3.0]
    """
    return parts - parts.mean(0) + whole.mean(0)


def variance_components(losses: np.ndarray) -> tuple[float, float]:
    """Return the standard deviations by the documents that all arms share, and by everything else, of one run.

    ``losses``, float64[arms, seeds]: runs of one seed have the same part of the documents. The first is the component
    between seeds in a two-way analysis of variance, the second the residual: weights, order, documents of one arm.
    """
    arms, seeds = losses.shape
    rest = losses - losses.mean(1, keepdims=True)
    between = arms * float((rest.mean(0) ** 2).sum()) / (seeds - 1)
    residual = float(((rest - rest.mean(0)) ** 2).sum()) / ((arms - 1) * (seeds - 1))
    return math.sqrt(max(0.0, between - residual) / arms), math.sqrt(residual)
