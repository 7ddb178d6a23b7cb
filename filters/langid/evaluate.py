"""How well models tell languages, how sure they are of languages they do not know, and how fast they are."""

import time
from typing import NamedTuple

import numpy as np
import polars as pl

from gristmill.filters.langid.labels import language_of
from gristmill.filters.langid.models import MODELS, load_model
from gristmill.filters.langid.preprocess import sample_slices
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.shards import cut_groups

REFERENCE = "lid.176"  # scores are over the languages this model knows


class ModelScore(NamedTuple):
    """One model with one cap over all documents. Shares and F1 are between 0 and 1."""

    model: str
    max_bytes: int | None
    macro_f1: float  # mean over the corpus's languages that lid.176 knows; confusions among their documents count
    shared_f1: float  # the same over those that every compared model knows
    accuracy: float  # over the documents of the same languages as macro_f1
    confident_correct: float  # of documents in a language the model knows: right, and at least 0.5 probable
    confident_unknown: float  # of documents in a language the model does not know: at least 0.5 probable all the same
    megabytes_per_second: float  # of full text for a second of CPU
    languages: int
    megabytes: float | None  # of the model on disk
    license: str


def read_labeled(paths: list[str], label_column: str = "language") -> pl.DataFrame:
    """JSONL files (plain, gzip or zstd) -> text and language, under our names; rows without one of them are left out.

    Raises InputError where a file cannot be read or has no such columns.
    """
    frames = []
    for path in paths:
        try:
            frame = pl.read_ndjson(path, schema={"text": pl.String, label_column: pl.String}).drop_nulls()
        except (OSError, pl.exceptions.PolarsError) as error:
            raise InputError(f"cannot read {path} as JSON lines with text and {label_column}: {error}") from None
        if frame.is_empty():
            raise InputError(f"{path} has no rows with both 'text' and {label_column!r}; see --label-column")
        frames.append(frame.select("text", language=pl.col(label_column)))
    documents = pl.concat(frames)
    names = {label: language_of(label) for label in documents["language"].unique()}
    return documents.with_columns(pl.col("language").replace_strict(names))


def compare(documents: pl.DataFrame, names: list[str], caps: list[int | None]) -> list[ModelScore]:
    """Every model with every cap over documents (text, language)."""
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
            right, sure = label == language, probability >= 0.5
            knows = np.isin(language, list(model.languages))
            scores.append(
                ModelScore(
                    name,
                    cap,
                    macro_f1(language, label, known),
                    macro_f1(language, label, shared),
                    _share(right, np.isin(language, list(known))),
                    _share(right & sure, knows),
                    _share(sure, ~knows),
                    rate,
                    len(model.languages),
                    MODELS[name].megabytes if name in MODELS else None,
                    MODELS[name].license if name in MODELS else "see the file's origin",
                )
            )
    return scores


def macro_f1(truth: np.ndarray, label: np.ndarray, languages: frozenset[str]) -> float:
    """The mean F1 of the languages that occur, over the documents in ``languages`` alone; 0 where there are none."""
    counted = np.isin(truth, list(languages))
    truth, label = truth[counted], label[counted]
    _, codes = np.unique(np.concatenate((truth, label)), return_inverse=True)
    true, said = codes.reshape(2, -1)
    occurs, found, right = (np.bincount(some, minlength=codes.size) for some in (true, said, true[true == said]))
    scores = 2 * right[occurs > 0] / (occurs + found)[occurs > 0]
    return float(scores.mean()) if scores.size else 0.0


def _share(what: np.ndarray, among: np.ndarray) -> float:
    return float(what[among].mean()) if among.any() else 0.0
