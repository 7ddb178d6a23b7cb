"""Perplexity: how surprising a text is to a model of n-grams, and whether it is too much or too little so."""

from collections.abc import Callable
from functools import cache, partial
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE, Filter, Rule
from gristmill.filters.core.percentiles import ALL_LANGUAGES, read_cutoffs
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.ngram.document_scores import DocumentScores, score_documents
from gristmill.filters.ngram.formats.kenlm import KenLM, is_kenlm
from gristmill.filters.ngram.model import WORDS, NGram
from gristmill.filters.perplexity.ccnet_normalize import normalize_batch
from gristmill.filters.perplexity.mahalanobis import read_reference
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import checksum, to_path

HEAD, MIDDLE = 30, 60  # percentiles below which CCNet calls a document head or middle


class Perplexity(Filter):
    """Drop documents that surprise a model too much (noise, other languages) or too little (boilerplate).

    Models are files of ``gristmill ngram train``, or KenLM's, one by language label of the language step. Cut-offs in
    perplexity mean something for one model only; percentiles, of a sample measured with the same model
    (``gristmill ngram score --fit``), carry over, as does the distance from what is typical of it (``--typical``).
    Wenzek et al. 2020 (arXiv:1911.00359) keep what is below the 30th (head) or 60th (middle) percentile of its
    language.
    """

    NAME: ClassVar[str] = "perplexity"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = ("models", "pieces", "cutoffs", "typical", "normalise", "lines")

    models: dict[str, str] = {}  # file by language label; "*": for all other documents
    pieces: dict[str, str] = {}  # by the same label: the SentencePiece model that KenLM's was counted over
    cutoffs: str | None = None  # JSON file: language label -> perplexities at the percentiles 0 to 100
    typical: str | None = (
        None  # JSON file: language label -> what is typical of a sample; see filters/perplexity/mahalanobis.py
    )
    normalise: Literal["none", "ccnet"] = "none"
    lines: bool = False  # measure each line too, in lists
    min_perplexity: float | None = Field(None, ge=1)
    max_perplexity: float | None = Field(None, ge=1)
    min_percentile: int | None = Field(None, ge=0, le=100)
    max_percentile: int | None = Field(None, ge=0, le=100)
    max_distance: float | None = Field(None, gt=0)  # from what is typical, in standard deviations
    min_gain: float | None = None  # bits a token that its context saves; shuffled words have less than 0.5

    @model_validator(mode="after")
    def _readable(self):
        try:
            for name, path in self.models.items():
                open_scorer(path, self.pieces.get(name))
            self.rules()
        except InputError as error:
            raise ValueError(str(error)) from None
        return self

    @model_validator(mode="after")
    def _consistent(self):
        if self.cutoffs is None and (self.min_percentile is not None or self.max_percentile is not None):
            raise ValueError("percentiles need cutoffs; `gristmill ngram score --fit FILE` measures them on a sample")
        if self.typical is None and self.max_distance is not None:
            raise ValueError(
                "max_distance needs typical; `gristmill ngram score --typical FILE` measures it on a sample"
            )
        return self

    def measure(self, batch: Batch) -> pl.DataFrame:
        """What ``columns`` gives, zeros for a document without words or without a model, and besides

        ``model``, the language whose model spoke, "" where none did, and ``bucket``: head, middle, tail, or all where
        there are no cut-offs; ``distance``, 0 where nothing is known to be typical.
        """
        n = batch.text.rows
        language = np.full(n, UNKNOWN) if batch.language is None else batch.language.astype(str)
        spoken = np.where(
            np.isin(language, list(self.models)), language, ALL_LANGUAGES if ALL_LANGUAGES in self.models else ""
        )
        total = DocumentScores(np.zeros(n), np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64))
        by_line = [[[], []] for _ in range(n)] if self.lines else []
        for name in np.unique(spoken[spoken != ""]):
            rows = np.flatnonzero(spoken == name)
            own = _taken(batch, rows, self.normalise)
            found, lines = open_scorer(self.models[name], self.pieces.get(name))(own)
            for all_rows, mine in zip(total, found, strict=True):
                all_rows[rows] = mine
            for row, first, last in zip(rows, *_spans(own), strict=True) if self.lines else ():
                by_line[row] = [lines.log10[first:last].tolist(), lines.tokens[first:last].tolist()]
        more = {"line_log10": [each[0] for each in by_line], "line_tokens": [each[1] for each in by_line]}
        kinds = {"line_log10": pl.List(pl.Float64), "line_tokens": pl.List(pl.Int64)}
        frame = pl.DataFrame({"model": spoken.astype(object).tolist(), **columns(total, np.diff(batch.text.offsets))})
        frame = frame.with_columns(
            bucket=pl.Series(self._buckets(spoken, frame["perplexity"].to_numpy()), dtype=pl.String)
        )
        frame = frame.with_columns(distance=self._distances(spoken, frame))
        return frame.hstack(pl.DataFrame(more, kinds, strict=False)) if self.lines else frame

    def _buckets(self, spoken: np.ndarray, perplexity: np.ndarray) -> list[str]:
        table = read_cutoffs(self.cutoffs) if self.cutoffs else {}
        buckets = np.full(spoken.size, "all", object)
        for name, values in table.items():
            mine = np.where(perplexity < values[HEAD], "head", np.where(perplexity < values[MIDDLE], "middle", "tail"))
            buckets = np.where(spoken == name, mine, buckets)
        return buckets.tolist()

    def _distances(self, spoken: np.ndarray, frame: pl.DataFrame) -> np.ndarray:
        out = np.zeros(spoken.size)
        for name, typical in (read_reference(self.typical) if self.typical else {}).items():
            rows = np.flatnonzero((spoken == name) & (frame["tokens"].to_numpy() > 0))
            measures = (frame[column].to_numpy()[rows] for column in ("perplexity", "bits_per_byte", "gain"))
            out[rows] = typical.distance(*measures)
        return out

    def rules(self) -> dict[str, Rule]:
        """Documents that no model spoke of have no threshold."""
        table = read_cutoffs(self.cutoffs) if self.cutoffs else {}
        typical = read_reference(self.typical) if self.typical else {}
        far = {} if self.max_distance is None else dict.fromkeys(typical, self.max_distance)

        def by_model(value: float | None) -> dict[str, float]:
            return {} if value is None else dict.fromkeys(self.models, value)

        def by_percent(percent: int | None) -> dict[str, float]:
            return {} if percent is None else {name: values[percent] for name, values in table.items()}

        return {
            "too_predictable": Rule("perplexity", "<", None, "model", by_model(self.min_perplexity)),
            "too_surprising": Rule("perplexity", ">", None, "model", by_model(self.max_perplexity)),
            "low_percentile": Rule("perplexity", "<", None, "model", by_percent(self.min_percentile)),
            "high_percentile": Rule("perplexity", ">", None, "model", by_percent(self.max_percentile)),
            "untypical": Rule("distance", ">", None, "model", far),
            "no_gain": Rule("gain", "<", None, "model", by_model(self.min_gain)),
        }

    def measured_settings(self) -> dict:
        """As for every filter, with what the models and cut-offs are."""
        files = [*self.models.values(), *self.pieces.values(), self.cutoffs, self.typical]
        return {**super().measured_settings(), "checksums": [checksum(to_path(path)) for path in files if path]}


def columns(total: DocumentScores, size: np.ndarray) -> dict[str, np.ndarray]:
    """Costs of documents of so many bytes -> the measures that rules ask for."""
    return {
        "log10": total.log10,
        "tokens": total.tokens,
        "perplexity": total.perplexity(),
        "bits_per_byte": total.bits_per_byte(size),
        "unknown": total.unknown / np.maximum(total.tokens, 1),
        "gain": total.gain(),
    }


@cache
def open_scorer(path: str, pieces: str | None = None) -> Callable[[Batch], tuple[DocumentScores, DocumentScores]]:
    """What documents and lines cost under a model of words, opened once a process; others' through ``kenlm``."""
    if to_path(path).exists() and is_kenlm(to_path(path)):
        return KenLM(path, pieces).costs
    model = NGram.open(to_path(path))
    if pieces:
        raise InputError(f"{path} is a model of ours and knows no pieces; leave them out")
    if model.about["units"] != WORDS:
        raise InputError(
            f"{path} is a model of the ids of {model.about['units']}; this filter scores words: train one on words"
        )
    return partial(score_documents, model)


def _taken(batch: Batch, rows: np.ndarray, normalise: str) -> Batch:
    if rows.size == batch.text.rows and normalise == "none":
        return batch
    text = Ragged.from_text(batch.text.to_text().take(pa.array(rows)))
    return batch.rewritten(normalize_batch(text) if normalise == "ccnet" else text)


def _spans(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    return batch.logical_lines.offsets[:-1], batch.logical_lines.offsets[1:]
