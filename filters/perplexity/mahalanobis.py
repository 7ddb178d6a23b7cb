"""How far a document lies from those of a sample in what a model of n-grams says of it.

Three numbers are looked at together: the logarithms of the cost a word and a byte, and what context saves of it. Each
alone misses something: repeated lines cost no more than others, but their context saves less than their cost promises.
The distance is that of Mahalanobis, from the sample's mean, in its standard deviations along each of its axes.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import orjson

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import atomic_write, to_path

MIN_COST = 0.01  # nats a word and bits a byte; a document that costs less is not told from one that costs so much
MIN_DOCUMENTS = 30  # for three means and six covariances


class MahalanobisModel(NamedTuple):
    """Where a sample lies, and how it spreads."""

    mean: np.ndarray  # float64[3]
    precision: np.ndarray  # float64[3, 3]: the inverse of the covariance

    @classmethod
    def from_measures(cls, perplexity: np.ndarray, bits_per_byte: np.ndarray, gain: np.ndarray) -> "MahalanobisModel":
        """Measures of a sample, float64[n] each. Raises InputError where it is too small, or all of it alike."""
        places = _places(perplexity, bits_per_byte, gain)
        covariance = np.cov(places.T)
        if len(places) < MIN_DOCUMENTS or np.linalg.matrix_rank(covariance) < 3:
            raise InputError(
                f"{len(places):,} documents with words do not say what is typical; "
                f"expected {MIN_DOCUMENTS} or more, no three alike"
            )
        return cls(places.mean(axis=0), np.linalg.inv(covariance))

    def distance(self, perplexity: np.ndarray, bits_per_byte: np.ndarray, gain: np.ndarray) -> np.ndarray:
        """Of documents to the sample's mean, float64[n]; most of the sample lies within 3."""
        away = _places(perplexity, bits_per_byte, gain) - self.mean
        return np.sqrt(np.einsum("ij,jk,ik->i", away, self.precision, away))


def _places(perplexity: np.ndarray, bits_per_byte: np.ndarray, gain: np.ndarray) -> np.ndarray:
    a_word = np.log(np.maximum(np.log(np.maximum(perplexity, 1)), MIN_COST))
    return np.column_stack((a_word, np.log(np.maximum(bits_per_byte, MIN_COST)), gain))


def write_reference(path: str, label: str, typical: MahalanobisModel) -> None:
    """Add or replace what is typical of a label's documents in a JSON file."""
    old = orjson.loads(to_path(path).read_bytes()) if to_path(path).exists() else {}
    found = {name: array.tolist() for name, array in typical._asdict().items()}
    with atomic_write(to_path(path)) as file:
        file.write(orjson.dumps({**old, label: found}, option=orjson.OPT_INDENT_2))


@cache
def read_reference(path: str) -> dict[str, MahalanobisModel]:
    """What is typical, by label. Raises InputError where the file is missing or holds something else."""
    try:
        table = orjson.loads(to_path(path).read_bytes())
        found = {
            label: MahalanobisModel(np.array(each["mean"]), np.array(each["precision"]))
            for label, each in table.items()
        }
        if any((each.mean.shape, each.precision.shape) != ((3,), (3, 3)) for each in found.values()):
            raise ValueError("expected three numbers and three by three")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        remedy = "`gristmill ngram score --write-reference FILE` makes one"
        raise InputError(f"cannot read what is typical from {path}: {error}; {remedy}") from None
    return found
