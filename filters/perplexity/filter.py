"""Perplexity filter: drops documents that an n-gram model finds too surprising or too predictable."""

from collections.abc import Iterable
from functools import cache, partial
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE, Filter, Rule
from gristmill.filters.core.percentiles import ALL_LANGUAGES, read_percentiles
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.ngram.document_scores import DocumentScores, Scorer, score_documents
from gristmill.filters.ngram.formats.kenlm import KenLM, is_kenlm
from gristmill.filters.ngram.model import WORDS, NGram
from gristmill.filters.perplexity.ccnet_normalize import normalize_batch
from gristmill.filters.perplexity.mahalanobis import MahalanobisModel, read_reference
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import checksum, to_path

HEAD_PERCENTILE, MIDDLE_PERCENTILE = 30, 60  # CCNet calls documents below them head and middle


class Perplexity(Filter):
    """Documents whose perplexity is neither too high (noise, other languages) nor too low (boilerplate).

    Models are files of ``gristmill ngram train`` or of KenLM, one per label of the language step. Perplexities are
    comparable within one model only. Two kinds of thresholds carry over to other models, measured on a sample with the
    same model: percentiles (``gristmill ngram score --write-percentiles``) and Mahalanobis distances
    (``--write-reference``). Wenzek et al. 2020 (CCNet, arXiv:1911.00359) keep documents below the 30th (head) or 60th
    (middle) percentile of their language.
    """

    NAME: ClassVar[str] = "perplexity"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = (
        *("models", "sentencepiece_models", "percentiles_file", "reference_stats", "normalize", "lines"),
    )

    models: dict[str, str] = {}  # language label -> model file; "*": for all other documents
    sentencepiece_models: dict[str, str] = {}  # same label -> model whose pieces are the units of the KenLM model
    percentiles_file: str | None = None  # JSON: language label -> perplexities at the percentiles 0 to 100
    reference_stats: str | None = None  # JSON: language label -> mean and covariance of a sample (mahalanobis.py)
    normalize: Literal["none", "ccnet"] = "none"
    lines: bool = False  # also measure each line, in list columns
    min_perplexity: float | None = Field(None, ge=1)
    max_perplexity: float | None = Field(None, ge=1)
    min_percentile: int | None = Field(None, ge=0, le=100)
    max_percentile: int | None = Field(None, ge=0, le=100)
    max_mahalanobis: float | None = Field(None, gt=0)  # from the reference, in standard deviations
    min_context_gain: float | None = Field(None, ge=0, le=100)  # bits per token; shuffled words have less than 0.5

    @model_validator(mode="after")
    def _files_are_readable(self):
        try:
            for name, path in self.models.items():
                open_scorer(path, self.sentencepiece_models.get(name))
            self._percentiles(), self._references()
        except InputError as error:
            raise ValueError(str(error)) from None
        return self

    @model_validator(mode="after")
    def _thresholds_have_files(self):
        percentiles = "percentiles_file", "--write-percentiles"
        needs = {"min_percentile": percentiles, "max_percentile": percentiles}
        for setting, (file, option) in {**needs, "max_mahalanobis": ("reference_stats", "--write-reference")}.items():
            if getattr(self, setting) is not None and getattr(self, file) is None:
                raise ValueError(f"{setting} needs {file}; `gristmill ngram score {option} FILE` writes it")
        return self

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the measures of ``score_columns``, 0 for a document without words or model, and three more.

        - ``model``: the label of the document's model, "" for none;
        - ``bucket``: head, middle or tail by the percentiles of its label, ``all`` without them;
        - ``mahalanobis``: the distance from the reference of its label, 0 without one.
        """
        n = batch.text.rows
        language = np.full(n, UNKNOWN) if batch.language is None else batch.language.astype(str)
        other = ALL_LANGUAGES if ALL_LANGUAGES in self.models else ""
        label = np.where(np.isin(language, list(self.models)), language, other)
        total = DocumentScores(np.zeros(n), np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64))
        log10: list[list[float]] = [[] for _ in range(n)]
        tokens: list[list[int]] = [[] for _ in range(n)]
        for name in np.unique(label[label != ""]):
            rows = np.flatnonzero(label == name)
            part = _take(batch, rows, self.normalize)
            scores, lines = open_scorer(self.models[name], self.sentencepiece_models.get(name))(part)
            for column, values in zip(total, scores, strict=True):
                column[rows] = values
            for row, (first, last) in (
                zip(rows, pairwise(part.logical_lines.offsets), strict=True) if self.lines else ()
            ):
                log10[row], tokens[row] = lines.log10[first:last].tolist(), lines.tokens[first:last].tolist()
        measures = score_columns(total, np.diff(batch.text.offsets))
        frame = pl.DataFrame({"model": label.astype(object).tolist(), **measures})
        buckets = pl.Series(self._buckets(label, measures["perplexity"]), dtype=pl.String)
        frame = frame.with_columns(bucket=buckets, mahalanobis=self._distances(label, measures))
        if not self.lines:
            return frame
        return frame.with_columns(
            line_log10=pl.Series(log10, dtype=pl.List(pl.Float64)),
            line_tokens=pl.Series(tokens, dtype=pl.List(pl.Int64)),
        )

    def _buckets(self, label: np.ndarray, perplexity: np.ndarray) -> list[str]:
        buckets = np.full(label.size, "all", object)
        for name, values in self._percentiles().items():
            middle = np.where(perplexity < values[MIDDLE_PERCENTILE], "middle", "tail")
            found = np.where(perplexity < values[HEAD_PERCENTILE], "head", middle)
            buckets = np.where(label == name, found, buckets)
        return buckets.tolist()

    def _distances(self, label: np.ndarray, measures: dict[str, np.ndarray]) -> np.ndarray:
        out = np.zeros(label.size)
        for name, model in self._references().items():
            rows = np.flatnonzero((label == name) & (measures["tokens"] > 0))
            out[rows] = model.distance(
                *(measures[key][rows] for key in ("perplexity", "bits_per_byte", "context_gain"))
            )
        return out

    def _percentiles(self) -> dict[str, list[float]]:
        return read_percentiles(self.percentiles_file) if self.percentiles_file else {}

    def _references(self) -> dict[str, MahalanobisModel]:
        return read_reference(self.reference_stats) if self.reference_stats else {}

    def rules(self) -> dict[str, Rule]:
        """Return the rules; a document without a model has no thresholds."""

        def by_label(value: float | None, labels: Iterable[str] = self.models) -> dict[str, float]:
            return {} if value is None else dict.fromkeys(labels, value)

        def by_percent(percent: int | None) -> dict[str, float]:
            return {} if percent is None else {name: values[percent] for name, values in self._percentiles().items()}

        far = by_label(self.max_mahalanobis, self._references())
        return {
            "perplexity_too_low": Rule("perplexity", "<", None, "model", by_label(self.min_perplexity)),
            "perplexity_too_high": Rule("perplexity", ">", None, "model", by_label(self.max_perplexity)),
            "percentile_too_low": Rule("perplexity", "<", None, "model", by_percent(self.min_percentile)),
            "percentile_too_high": Rule("perplexity", ">", None, "model", by_percent(self.max_percentile)),
            "mahalanobis_too_high": Rule("mahalanobis", ">", None, "model", far),
            "context_gain_too_low": Rule("context_gain", "<", None, "model", by_label(self.min_context_gain)),
        }

    def measured_settings(self) -> dict:
        """Return the settings that the measures depend on, with the checksums of their files."""
        given = *self.models.values(), *self.sentencepiece_models.values(), self.percentiles_file, self.reference_stats
        return {**super().measured_settings(), "checksums": [checksum(to_path(path)) for path in given if path]}


def score_columns(total: DocumentScores, size: np.ndarray) -> dict[str, np.ndarray]:
    """Return the measures of documents, by name, from their scores and their sizes in bytes, int64[n].

    ``unknown`` is a share of the tokens, ``context_gain`` is in bits per token.
    """
    return {
        "log10": total.log10,
        "tokens": total.tokens,
        "perplexity": total.perplexity(),
        "bits_per_byte": total.bits_per_byte(size),
        "unknown": total.unknown / np.maximum(total.tokens, 1),
        "context_gain": total.context_gain(),
    }


@cache
def open_scorer(path: str, sentencepiece_model: str | None = None) -> Scorer:
    """Open a model of words, once per process. Raises InputError if the file is none."""
    if to_path(path).exists() and is_kenlm(to_path(path)):
        return KenLM(path, sentencepiece_model).score
    model = NGram.open(to_path(path))
    if sentencepiece_model:
        raise InputError(f"{path} is no KenLM model; remove its label from sentencepiece_models")
    if model.metadata["units"] != WORDS:
        raise InputError(
            f"{path} is a model of {model.metadata['units']}; expected one of words: train without --tokenizer"
        )
    return partial(score_documents, model)


def _take(batch: Batch, rows: np.ndarray, normalize: str) -> Batch:
    if rows.size == batch.text.rows and normalize == "none":
        return batch
    text = Ragged.from_text(batch.text.to_text().take(pa.array(rows)))
    return batch.rewritten(normalize_batch(text) if normalize == "ccnet" else text)
