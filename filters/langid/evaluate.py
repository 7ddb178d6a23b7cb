"""Evaluation of language models: F1, accuracy, confidence in unknown languages, and speed."""

import time
from typing import NamedTuple

import numpy as np
import polars as pl

from gristmill.filters.langid.labels import language_of
from gristmill.filters.langid.models import MODELS, load_model
from gristmill.filters.langid.preprocess import sample_slices
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.inputs import clean_folder
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.inspect import only, open_table
from gristmill.pipelines.storage.shards import cut_groups

REFERENCE = "lid.176"  # scores are over the languages that this model knows
CONFIDENT = 0.5  # probability


class ModelScore(NamedTuple):
    """The scores of one model with one cap, over all documents. Shares and F1 lie between 0 and 1."""

    model: str
    max_bytes: int | None
    macro_f1: float  # over the languages of the corpus that lid.176 knows, and over their documents only
    shared_f1: float  # the same over the languages that all compared models know
    accuracy: float  # over the documents that macro_f1 counts
    confident_correct: float  # share of the documents in known languages labeled right, with at least CONFIDENT
    confident_unknown: float  # share of the documents in unknown languages labeled with at least CONFIDENT
    megabytes_per_second: float  # of full text, per second of CPU
    languages: int
    megabytes: float | None  # of the model on disk
    license: str


def read_labeled(paths: list[str], label_column: str = "language") -> pl.DataFrame:
    """Return the columns text and language (our label) of JSONL files, plain, gzip or zstd, and of folders of shards.

    A work folder stands for its ``clean/``. Rows without one of the columns are left out. Raises InputError where a
    file cannot be read or has no such rows, RecipeError for a folder without the columns.
    """
    frames = []
    for path in paths:
        try:
            if (folder := to_path(clean_folder(path))).is_dir():
                table = open_table(folder)
                frame = table.rows.select(only(table, [TEXT, label_column], "--label-column")).cast(pl.String).collect()
            else:
                frame = pl.read_ndjson(path, schema={TEXT: pl.String, label_column: pl.String})
            frame = frame.drop_nulls()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"cannot read {path} as JSON lines with text and {label_column}: {error}") from None
        if frame.is_empty():
            raise InputError(f"{path} has no rows with both 'text' and {label_column!r}; see --label-column")
        frames.append(frame.select("text", language=pl.col(label_column)))
    documents = pl.concat(frames)
    names = {label: language_of(label) for label in documents["language"].unique()}
    return documents.with_columns(pl.col("language").replace_strict(names))


def compare(documents: pl.DataFrame, names: list[str], caps: list[int | None]) -> list[ModelScore]:
    """Return the scores of each model with each cap on documents (columns text and language)."""
    models = {name: load_model(name) for name in names}
    known = load_model(REFERENCE).languages
    shared = frozenset.intersection(known, *(model.languages for model in models.values()))
    language = documents["language"].to_numpy()
    groups = [Ragged.from_text(group["text"]) for group in cut_groups(documents.select("text").to_arrow())]
    scores = []
    for name, model in models.items():
        for cap in caps:
            model.predict(sample_slices(Ragged.from_strings(["compile, load"]), cap))
            began = time.process_time()
            found = [model.predict(sample_slices(group, cap)) for group in groups]
            rate = sum(group.data.size for group in groups) / 1e6 / max(time.process_time() - began, 1e-9)
            label, probability = (np.concatenate(parts) for parts in zip(*found, strict=True))
            right, confident = label == language, probability >= CONFIDENT
            known_language = np.isin(language, list(model.languages))
            scores.append(
                ModelScore(
                    name,
                    cap,
                    macro_f1(language, label, known),
                    macro_f1(language, label, shared),
                    _share(right, np.isin(language, list(known))),
                    _share(right & confident, known_language),
                    _share(confident, ~known_language),
                    rate,
                    len(model.languages),
                    MODELS[name].megabytes if name in MODELS else None,
                    MODELS[name].license if name in MODELS else "see the file's origin",
                )
            )
    return scores


def f1_scores(truth: np.ndarray, label: np.ndarray, languages: frozenset[str]) -> dict[str, float]:
    """Return the F1 of each true language over the documents in ``languages``."""
    counted = np.isin(truth, list(languages))
    truth, label = truth[counted], label[counted]
    names, codes = np.unique(np.concatenate((truth, label)), return_inverse=True)
    true, predicted = codes.reshape(2, -1)
    columns = true, predicted, true[true == predicted]
    occurs, found, right = (np.bincount(column, minlength=codes.size) for column in columns)
    return {str(names[i]): float(2 * right[i] / (occurs[i] + found[i])) for i in np.flatnonzero(occurs)}


def macro_f1(truth: np.ndarray, label: np.ndarray, languages: frozenset[str]) -> float:
    """Return the mean F1 of the true languages over the documents in ``languages``; 0 without documents."""
    scores = f1_scores(truth, label, languages)
    return sum(scores.values()) / max(1, len(scores))


def _share(flags: np.ndarray, rows: np.ndarray) -> float:
    return float(flags[rows].mean()) if rows.any() else 0.0
