"""Perplexity by 2-fold cross-fitting: n-gram models of the run's own documents, as a step over the corpus.

1. Sample: the documents that earlier steps kept are put into two folds by the hash of their ids. From each language
   and fold, the documents with the lowest hashes are sampled, up to ``sample_bytes``. Texts: the sample of each shard.
2. Models: one per language and fold; none for a language with less than ``min_bytes`` in a fold.
3. Scores: each document is scored by the model of the other fold, because a model memorizes its training documents.

The result does not depend on shards or workers, and no model has to be downloaded. Memory: the hashes of the sample,
one shard's sample, and the memory of training (filters/ngram/train.py).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.ngram.discounts import FALLBACK
from gristmill.filters.ngram.document_scores import score_documents
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.filter import score_columns
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict, StageTask, scratch_beside
from gristmill.pipelines.steps.decisions import violation_lists
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.shards import read_rows, read_shard, write_shard

N_FOLDS = 2
SAMPLE, TEXTS, MODELS, SCORES = "sample", "texts", "models", "scores"  # stages
MODEL_KEY = ["language", "fold"]
MEASURED = {"log10": pl.Float64, "tokens": pl.Int64, "perplexity": pl.Float64, "bits_per_byte": pl.Float64}
MEASURED |= {"unknown": pl.Float64, "context_gain": pl.Float64}
NO_SCORES = pl.DataFrame(schema={"row": pl.Int64, "language": pl.String, **MEASURED})
NO_SAMPLE = pl.DataFrame(schema={"language": pl.String, "bytes": pl.Int64, "fold": pl.Int64, "hash": pl.UInt64})
SAMPLED = pa.schema([("language", pa.string()), ("fold", pa.int64()), (TEXT, pa.large_string())])


class CrossFitPerplexity(CorpusStep):
    """A step that drops documents by their perplexity under models of the run's own documents."""

    NAME: ClassVar[str] = "cross_fit_perplexity"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = ("skip_languages",)
    STAGES: ClassVar[dict[str, tuple[str, ...]]] = {
        SAMPLE: ("sample_bytes", "min_bytes"), TEXTS: (), MODELS: ("order",), SCORES: ()
    }  # fmt: skip

    order: int = Field(3, ge=2, le=6)
    sample_bytes: int = Field(8_000_000, ge=1)  # of text, per language and fold
    min_bytes: int = Field(100_000, ge=1)  # per language and fold; a language with less has no model
    min_words: int = Field(20, ge=1)  # shorter documents are kept
    skip_languages: list[str] = ["code"]  # documents with these labels are kept, and train no model
    min_context_gain: float | None = Field(0.5, ge=0, le=100)  # bits per word (filters/ngram/document_scores.py)
    min_percentile: float | None = Field(None, ge=0, le=100)  # of the perplexities of a language
    max_percentile: float | None = Field(None, ge=0, le=100)

    @model_validator(mode="after")
    def _consistent(self):
        low, high = self.min_percentile, self.max_percentile
        if low is not None and high is not None and low >= high:
            raise ValueError(f"min_percentile {low} is not below max_percentile {high}")
        if self.min_bytes > self.sample_bytes:
            raise ValueError(f"min_bytes {self.min_bytes} is above sample_bytes {self.sample_bytes}")
        return self

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the language and bytes of each document, for the sample."""
        language = np.full(batch.text.rows, UNKNOWN) if batch.language is None else batch.language.astype(str)
        language = np.where(np.isin(language, self.skip_languages), UNKNOWN, language)
        return pl.DataFrame({"language": language.astype(object).tolist(), "bytes": np.diff(batch.text.offsets)})

    def stage(self, name: str, corpus: Corpus) -> Iterable[StageTask]:
        """Return the tasks of a stage: one for the sample, one per model, one per shard for texts and scores."""
        if name == SAMPLE:
            return [StageTask(SAMPLE, select_sample, (self, corpus))]
        if name == MODELS:
            models = selected(corpus.stage_folder).rows()
            return [
                StageTask(_name(*key), train_model, (self, corpus.stage_folder, *key), size) for *key, size, _ in models
            ]
        work = {TEXTS: write_sample, SCORES: score_shard}[name]
        return [StageTask(part, work, (corpus.shard(part),)) for part in corpus.parts]

    def compile_kernels(self, stage: str) -> None:
        if stage != MODELS:
            return
        words = Batch(Ragged.from_strings(["A first line, and\na second one. " * 3, ""]))
        score_documents(train([words], self.training()), words)

    def training(self) -> NGramSettings:
        return NGramSettings(order=self.order, discount_fallback=list(FALLBACK))

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield the verdict of each shard; thresholds are per language."""
        limits = self._limits(corpus)
        for part in corpus.parts:
            yield ShardVerdict(part, self._decide(_scores(corpus, part), limits, corpus.rows[part]))

    def _limits(self, corpus: Corpus) -> pl.DataFrame:
        """Return the perplexities of each language at the two percentiles; null for a rule that is off."""
        percents = {"low": self.min_percentile, "high": self.max_percentile}
        wanted = corpus.parts if set(percents.values()) != {None} else []
        scores = pl.concat([NO_SCORES, *(_scores(corpus, part) for part in wanted)])
        judged = scores.filter(pl.col("tokens") >= self.min_words)
        return judged.group_by("language").agg(
            (pl.lit(None, pl.Float64) if percent is None else pl.col("perplexity").quantile(percent / 100)).alias(side)
            for side, percent in percents.items()
        )

    def _decide(self, scores: pl.DataFrame, limits: pl.DataFrame, rows: int) -> pl.DataFrame:
        scores = scores.filter(pl.col("tokens") >= self.min_words).join(limits, on="language", how="left")
        scores = scores.with_columns(pl.lit(self.min_context_gain, pl.Float64).alias("min_gain"))
        rules = [
            ("percentile_too_low", "perplexity", "low", pl.col("perplexity") < pl.col("low")),
            ("percentile_too_high", "perplexity", "high", pl.col("perplexity") > pl.col("high")),
            ("context_gain_too_low", "context_gain", "min_gain", pl.col("context_gain") < pl.col("min_gain")),
        ]
        broken = []
        for rule, *columns, breaks in rules:
            row, value, threshold = scores.filter(breaks).select("row", *columns).get_columns()
            broken.append((rule, row.to_numpy(), value.to_numpy(), threshold.to_numpy()))
        return pl.DataFrame({"violations": violation_lists(rows, broken)})


def select_sample(step: CrossFitPerplexity, corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write, for each language and fold with enough text, the sampled bytes and the last sampled hash."""
    sample, before = NO_SAMPLE, pl.col("bytes").cum_sum().over(MODEL_KEY) - pl.col("bytes")
    for part in corpus.parts:
        some = list_documents(corpus, part).drop("row").filter(pl.col("language") != UNKNOWN)
        sample = pl.concat([sample, some]).sort("hash").filter(before < step.sample_bytes)
    sizes = sample.group_by(MODEL_KEY).agg(pl.col("bytes").sum(), pl.col("hash").max().alias("last"))
    enough = (pl.col("bytes") >= step.min_bytes).all().over("language") & (pl.len().over("language") == N_FOLDS)
    return [_write(outputs[0].path, [sizes.filter(enough).sort(MODEL_KEY).to_arrow()])]


def selected(made: UPath) -> pl.DataFrame:
    """Return language, fold, bytes and last hash of each model."""
    return pl.DataFrame(read_shard(made / SAMPLE / f"{SAMPLE}.parquet"))


def write_sample(corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the sampled documents of a shard, one row group per model."""
    (part,) = corpus.parts
    last = selected(corpus.stage_folder).drop("bytes")
    mine = list_documents(corpus, part).join(last, on=MODEL_KEY).filter(pl.col("hash") <= pl.col("last")).sort("row")
    texts = [text.to_text() for text in corpus.texts(part, mine["row"].to_numpy())]
    found = mine.select(MODEL_KEY).to_arrow().append_column(TEXT, pa.chunked_array(texts, pa.large_string()))
    groups = mine.with_row_index().group_by(MODEL_KEY).agg("index").sort(MODEL_KEY)["index"]
    return [_write(outputs[0].path, [found.take(rows.to_arrow()) for rows in groups], SAMPLED)]


def train_model(step: CrossFitPerplexity, made: UPath, language: str, fold: int, outputs) -> list[Written]:
    """Train and write the model of a language and fold."""

    def batches() -> Iterator[Batch]:
        for path in sorted((made / TEXTS).glob("*.parquet")):
            keys = pl.DataFrame(read_shard(path, MODEL_KEY))
            rows = np.flatnonzero((keys["language"] == language) & (keys["fold"] == fold))
            yield Batch(Ragged.from_text(read_rows(path, rows, [TEXT])[TEXT]))

    path = _model(outputs[0].folder, language, fold)
    with scratch_beside(made, path.stem) as scratch:
        scratch.mkdir(parents=True)
        train(batches(), step.training(), scratch=scratch).save(path)
    return [Written([path.name], {"models": 1})]


def score_shard(corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write row, language and scores of the shard's documents whose language has models.

    Memory: the text of the shard and one model. All models together may take gigabytes.
    """
    (part,) = corpus.parts
    frame, found, batches = list_documents(corpus, part), [NO_SCORES], []
    for text in corpus.texts(part, frame["row"].to_numpy()):
        batches.append((text.to_text(), frame.head(text.rows).with_row_index()))
        frame = frame.slice(text.rows)
    for language, fold in selected(corpus.stage_folder).select(MODEL_KEY).rows():
        rows_of = [(text, rows.filter(language=language, fold=1 - fold)) for text, rows in batches]
        mine = [(text, rows) for text, rows in rows_of if rows.height]
        if not mine:
            continue
        model = NGram.open(_model(corpus.stage_folder / MODELS, language, fold))
        for text, rows in mine:
            batch = Batch(Ragged.from_text(text.take(rows["index"].to_arrow())))
            total, _ = score_documents(model, batch)
            measured = pl.DataFrame(score_columns(total, np.diff(batch.text.offsets)))
            found.append(rows.select("row", "language").hstack(measured))
    return [_write(outputs[0].path, [pl.concat(found).sort("row").to_arrow()])]


def list_documents(corpus: Corpus, part: str) -> pl.DataFrame:
    """Return the kept documents of a shard: row, language, bytes, fold, and the hash that orders the sample."""
    rows = np.flatnonzero(corpus.keep_mask(part, corpus.rows[part]))
    hashes = hash_rows(*Ragged.from_text(corpus.columns(part, [ID], rows)[ID].to_arrow()))
    measured = pl.DataFrame(corpus.measured(part, ["language", "bytes"]))[rows]
    folds = (hashes & np.uint64(N_FOLDS - 1)).astype(np.int64)
    return measured.with_columns(
        pl.Series("row", rows, pl.Int64), pl.Series("fold", folds), pl.Series("hash", hashes, pl.UInt64)
    )


def _scores(corpus: Corpus, part: str) -> pl.DataFrame:
    return pl.DataFrame(read_shard(corpus.stage_folder / SCORES / f"{part}.parquet"))


def _name(language: str, fold: int) -> str:
    return f"{quote(language, safe='')}-{fold}"


def _model(folder: UPath, language: str, fold: int) -> UPath:
    return folder / f"{_name(language, fold)}.ngram"


def _write(path: UPath, tables: list[pa.Table], schema: pa.Schema | None = None) -> Written:
    return Written([path.name], {"rows": write_shard(path, tables, schema or tables[0].schema)})
