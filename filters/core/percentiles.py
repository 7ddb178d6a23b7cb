"""Percentiles of a sample's scores, so that a threshold can be "the lowest tenth"."""

from functools import cache

import numpy as np
import orjson

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import atomic_write, to_path

ALL_LANGUAGES = "*"  # label of a model, word list or percentiles for documents in any language
PERCENTS = 101


def percentiles(scores: np.ndarray) -> list[float]:
    """Return the percentiles 0 to 100 of the scores of a sample."""
    return np.percentile(scores, np.arange(PERCENTS)).tolist()


def write_percentiles(path: str, label: str, scores: np.ndarray) -> None:
    """Add or replace the percentiles of one label in a JSON file. Raises InputError if there are no scores."""
    if not len(scores):
        raise InputError("no document contains words, so there are no percentiles to write")
    old = orjson.loads(to_path(path).read_bytes()) if to_path(path).exists() else {}
    with atomic_write(to_path(path)) as file:
        file.write(orjson.dumps({**old, label: percentiles(scores)}, option=orjson.OPT_INDENT_2))


@cache
def read_percentiles(path: str, command: str = "ngram") -> dict[str, list[float]]:
    """Return the percentiles of a file by label. Raises InputError if it is missing or invalid."""
    try:
        table = orjson.loads(to_path(path).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        remedy = f"`gristmill {command} score --write-percentiles FILE` writes it"
        raise InputError(f"cannot read percentiles_file {path}: {error}; {remedy}") from None
    if not isinstance(table, dict) or any(
        not isinstance(values, list) or len(values) != PERCENTS or sorted(values) != values for values in table.values()
    ):
        raise InputError(f"{path} is no percentiles_file: expected {PERCENTS} rising numbers for each label")
    return table
