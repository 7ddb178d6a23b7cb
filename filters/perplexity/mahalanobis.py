"""Mahalanobis distance of a document from a reference sample, over three measures of an n-gram model.

The measures are log(log perplexity), log(bits per byte) and context gain. Each alone misses some noise: repeated lines
have a usual perplexity, but a lower context gain than that perplexity implies. The distance is measured from the
sample's mean, in its standard deviations along its principal axes.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import orjson

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import atomic_write, to_path

MIN_COST = 0.01  # nats per word and bits per byte; lower values are raised to it
MIN_DOCUMENTS = 30  # for three means and six covariances


class MahalanobisModel(NamedTuple):
    """The mean and covariance of a reference sample."""

    mean: np.ndarray  # float64[3]
    precision: np.ndarray  # float64[3, 3]: the inverse of the covariance

    @classmethod
    def from_measures(
        cls, perplexity: np.ndarray, bits_per_byte: np.ndarray, context_gain: np.ndarray
    ) -> "MahalanobisModel":
        """Fit measures of a sample, float64[n] each. Raises InputError if it is too small or lacks variation."""
        features = _features(perplexity, bits_per_byte, context_gain)
        covariance = np.cov(features.T)
        if len(features) < MIN_DOCUMENTS or np.linalg.matrix_rank(covariance) < 3:
            raise InputError(
                f"{len(features):,} documents with words are no reference sample; "
                f"expected at least {MIN_DOCUMENTS} documents that differ"
            )
        return cls(features.mean(axis=0), np.linalg.inv(covariance))

    def distance(self, perplexity: np.ndarray, bits_per_byte: np.ndarray, context_gain: np.ndarray) -> np.ndarray:
        """Return the distance of each document, float64[n]; most of the sample lies within 3."""
        away = _features(perplexity, bits_per_byte, context_gain) - self.mean
        return np.sqrt(np.einsum("ij,jk,ik->i", away, self.precision, away))


def _features(perplexity: np.ndarray, bits_per_byte: np.ndarray, context_gain: np.ndarray) -> np.ndarray:
    per_word = np.log(np.maximum(np.log(np.maximum(perplexity, 1)), MIN_COST))
    return np.column_stack((per_word, np.log(np.maximum(bits_per_byte, MIN_COST)), context_gain))


def write_reference(path: str, label: str, model: MahalanobisModel) -> None:
    """Add or replace the statistics of one label in a JSON file."""
    old = orjson.loads(to_path(path).read_bytes()) if to_path(path).exists() else {}
    found = {name: array.tolist() for name, array in model._asdict().items()}
    with atomic_write(to_path(path)) as file:
        file.write(orjson.dumps({**old, label: found}, option=orjson.OPT_INDENT_2))


@cache
def read_reference(path: str) -> dict[str, MahalanobisModel]:
    """Return the models of a file of statistics by label. Raises InputError if it is missing or invalid."""
    try:
        table = orjson.loads(to_path(path).read_bytes())
        found = {
            label: MahalanobisModel(np.array(each["mean"]), np.array(each["precision"]))
            for label, each in table.items()
        }
        if any((each.mean.shape, each.precision.shape) != ((3,), (3, 3)) for each in found.values()):
            raise ValueError("expected a mean of 3 numbers and a precision of 3 by 3")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "`gristmill ngram score --write-reference FILE` writes it"
        raise InputError(f"cannot read reference_stats {path}: {error}; {remedy}") from None
    return found
