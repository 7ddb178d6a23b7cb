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


def write_cutoffs(path: str, label: str, scores: np.ndarray) -> None:
    """Add or replace one label's cut-offs in a JSON file. Raises InputError where there are no scores to fit."""
    if not len(scores):
        raise InputError("no document has a word, so there are no percentiles to fit")
    old = orjson.loads(to_path(path).read_bytes()) if to_path(path).exists() else {}
    with atomic_write(to_path(path)) as file:
        file.write(orjson.dumps({**old, label: percentiles(scores)}, option=orjson.OPT_INDENT_2))


@cache
def read_cutoffs(path: str, command: str = "ngram") -> dict[str, list[float]]:
    """Return percentiles by label. Raises InputError where the file is missing or holds something else."""
    try:
        table = orjson.loads(to_path(path).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise InputError(
            f"cannot read cut-offs {path}: {error}; `gristmill {command} score --fit` makes them"
        ) from None
    if not isinstance(table, dict) or any(
        not isinstance(values, list) or len(values) != PERCENTS or sorted(values) != values for values in table.values()
    ):
        raise InputError(f"{path} holds no cut-offs: expected {PERCENTS} rising numbers for each language")
    return table
