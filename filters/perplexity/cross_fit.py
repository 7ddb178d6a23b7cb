"""Perplexity by models of the run's own best documents: a step over the corpus, in stages.

1. Sample: documents that the steps before left are put into two halves by the hash of their ids; of each language and
   half, those with the lowest hashes are chosen, up to ``sample_bytes``. Texts: those of each shard.
2. Models: one of each language and half. Languages with less than ``min_bytes`` in a half have none.
3. Scores: a document is scored by the model of the other half: a model knows by heart what it was trained on.

No document judges itself, nothing depends on shards or workers, and no model has to be fetched. Memory: the sample's
hashes, a shard's sample, and what training takes (filters/ngram/train.py).
"""

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field, model_validator
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.filters.ngram.discounts import FALLBACK
from gristmill.filters.ngram.document_scores import score_documents
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.filter import columns
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict, StageTask, scratch_beside
from gristmill.pipelines.steps.decisions import broken_lists
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.shards import read_rows, read_shard, write_shard

N_FOLDS = 2
SAMPLE, TEXTS, MODELS, SCORES = "sample", "texts", "models", "scores"  # stages
OF_MODEL = ["language", "half"]  # what tells models apart
MEASURED = {"log10": pl.Float64, "tokens": pl.Int64, "perplexity": pl.Float64, "bits_per_byte": pl.Float64}
MEASURED |= {"unknown": pl.Float64, "gain": pl.Float64}
NO_SCORES = pl.DataFrame(schema={"row": pl.Int64, "language": pl.String, **MEASURED})
NO_SAMPLE = pl.DataFrame(schema={"language": pl.String, "bytes": pl.Int64, "half": pl.Int64, "hash": pl.UInt64})
SAMPLED = pa.schema([("language", pa.string()), ("half", pa.int64()), (TEXT, pa.large_string())])


class CrossFitPerplexity(CorpusStep):
    """Drop documents that models of the run's own documents find too surprising, or too predictable."""

    NAME: ClassVar[str] = "own_perplexity"
    STAGES: ClassVar[dict[str, tuple[str, ...]]] = {
        SAMPLE: ("sample_bytes", "min_bytes"), TEXTS: (), MODELS: ("order",), SCORES: ()
    }  # fmt: skip

    order: int = Field(3, ge=2, le=6)
    sample_bytes: int = Field(8_000_000, ge=1)  # of text, a language and half
    min_bytes: int = Field(100_000, ge=1)  # a language and half, to train on at all
    min_words: int = Field(20, ge=1)  # shorter documents are not judged
    min_gain: float | None = (
        0.5  # bits a word that the words before it save; see ``gristmill.filters.ngram.document_scores``
    )
    min_percentile: float | None = Field(None, ge=0, le=100)  # of the perplexities of a language
    max_percentile: float | None = Field(None, ge=0, le=100)

    @model_validator(mode="after")
    def _consistent(self):
        if None not in (low := self.min_percentile, high := self.max_percentile) and low >= high:
            raise ValueError(f"min_percentile {low} is not below max_percentile {high}")
        return self

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Language and size, by which documents are chosen to train on."""
        language = np.full(batch.text.rows, UNKNOWN) if batch.language is None else batch.language.astype(str)
        return pl.DataFrame({"language": language.astype(object).tolist(), "bytes": np.diff(batch.text.offsets)})

    def stage(self, name: str, corpus: Corpus) -> Iterable[StageTask]:
        """Texts and scores are by shard, models by language and half."""
        if name == SAMPLE:
            return [StageTask(SAMPLE, choose, (self, corpus))]
        if name == MODELS:
            models = selected(corpus.made).rows()
            return [StageTask(_name(*key), train_model, (self, corpus.made, *key), size) for *key, size, _ in models]
        work = {TEXTS: write_sample, SCORES: score_shard}[name]
        return [StageTask(part, work, (corpus.only(part),)) for part in corpus.parts]

    def warm_up(self, stage: str) -> None:
        if stage != MODELS:
            return
        words = Batch(Ragged.from_strings(["A first line, and\na second one. " * 3, ""]))
        score_documents(train([words], self.training()), words)

    def training(self) -> NGramSettings:
        return NGramSettings(order=self.order, fallback=list(FALLBACK))

    def judge(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Rules are by language."""
        limits = self._limits(corpus)
        for part in corpus.parts:
            yield ShardVerdict(part, self._decide(_scores(corpus, part), limits, corpus.rows[part]))

    def _limits(self, corpus: Corpus) -> pl.DataFrame:
        """Of each language the perplexities at the two percentiles; null where there is no such rule."""
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
        scores = scores.with_columns(pl.lit(self.min_gain, pl.Float64).alias("least"))
        rules = [
            ("too_predictable", "perplexity", "low", pl.col("perplexity") < pl.col("low")),
            ("too_surprising", "perplexity", "high", pl.col("perplexity") > pl.col("high")),
            ("no_gain", "gain", "least", pl.col("gain") < pl.col("least")),
        ]
        broken = (
            (rule, *(scores.filter(breaks)[column].to_numpy() for column in ("row", value, limit)))
            for rule, value, limit, breaks in rules
        )
        return pl.DataFrame({"broken": broken_lists(rows, broken)})


def choose(step: CrossFitPerplexity, corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write, for each language and half that get a model, the bytes chosen and the last hash that is."""
    sample, before = NO_SAMPLE, pl.col("bytes").cum_sum().over(OF_MODEL) - pl.col("bytes")
    for part in corpus.parts:
        some = listed(corpus, part).drop("row").filter(pl.col("language") != UNKNOWN)
        sample = pl.concat([sample, some]).sort("hash").filter(before < step.sample_bytes)
    sizes = sample.group_by(OF_MODEL).agg(pl.col("bytes").sum(), pl.col("hash").max().alias("last"))
    enough = (pl.col("bytes") >= step.min_bytes).all().over("language") & (pl.len().over("language") == N_FOLDS)
    return [_write(outputs[0].path, [sizes.filter(enough).sort(OF_MODEL).to_arrow()])]


def selected(made: UPath) -> pl.DataFrame:
    """Language, half, bytes and last hash of each model."""
    return pl.from_arrow(read_shard(made / SAMPLE / f"{SAMPLE}.parquet"))


def write_sample(corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write what was chosen of a shard, a row group for each model."""
    (part,) = corpus.parts
    last = selected(corpus.made).drop("bytes")
    mine = listed(corpus, part).join(last, on=OF_MODEL).filter(pl.col("hash") <= pl.col("last")).sort("row")
    texts = [text.to_text() for text in corpus.texts(part, mine["row"].to_numpy())]
    found = mine.select(OF_MODEL).to_arrow().append_column(TEXT, pa.chunked_array(texts, pa.large_string()))
    groups = mine.with_row_index().group_by(OF_MODEL).agg("index").sort(OF_MODEL)["index"]
    return [_write(outputs[0].path, [found.take(rows.to_arrow()) for rows in groups], SAMPLED)]


def train_model(step: CrossFitPerplexity, made: UPath, language: str, half: int, outputs) -> list[Written]:
    """Write the model of a language and half."""

    def batches() -> Iterator[Batch]:
        for path in sorted((made / TEXTS).glob("*.parquet")):
            of = pl.from_arrow(read_shard(path, OF_MODEL))
            rows = np.flatnonzero((of["language"] == language) & (of["half"] == half))
            yield Batch(Ragged.from_text(read_rows(path, rows, [TEXT])[TEXT]))

    path = _model(outputs[0].folder, language, half)
    with scratch_beside(made, path.stem) as scratch:
        scratch.mkdir(parents=True)
        train(batches(), step.training(), scratch=scratch).save(path)
    return [Written([path.name], {"models": 1})]


def score_shard(corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the scores of a shard's documents of languages with models: row, language and what they cost."""
    (part,) = corpus.parts
    models = {(*key,) for *key, _, _ in selected(corpus.made).rows()}
    opened = cache(lambda *key: NGram.open(_model(corpus.made / MODELS, *key)))
    frame, found = listed(corpus, part), [NO_SCORES]
    for text in corpus.texts(part, frame["row"].to_numpy()):
        rows, frame = frame.head(text.rows).with_row_index(), frame.slice(text.rows)
        for (language, half), mine in rows.group_by(OF_MODEL, maintain_order=True):
            if (key := (language, 1 - half)) in models:
                batch = Batch(Ragged.from_text(text.to_text().take(mine["index"].to_arrow())))
                total, _ = score_documents(opened(*key), batch)
                measured = pl.DataFrame(columns(total, np.diff(batch.text.offsets)))
                found.append(mine.select("row", "language").hstack(measured))
    return [_write(outputs[0].path, [pl.concat(found).sort("row").to_arrow()])]


def listed(corpus: Corpus, part: str) -> pl.DataFrame:
    """A shard's documents that are still there: row, language, bytes, half, and the hash that orders the sample."""
    rows = np.flatnonzero(corpus.stays(part, corpus.rows[part]))
    hashes = hash_rows(*Ragged.from_text(corpus.columns(part, [ID], rows)[ID].to_arrow()))
    measured = pl.from_arrow(corpus.measured(part, ["language", "bytes"]))[rows]
    halves = (hashes & np.uint64(N_FOLDS - 1)).astype(np.int64)
    return measured.with_columns(
        pl.Series("row", rows, pl.Int64), pl.Series("half", halves), pl.Series("hash", hashes, pl.UInt64)
    )


def _scores(corpus: Corpus, part: str) -> pl.DataFrame:
    return pl.from_arrow(read_shard(corpus.made / SCORES / f"{part}.parquet"))


def _name(language: str, half: int) -> str:
    return f"{quote(language, safe='')}-{half}"


def _model(folder: UPath, language: str, half: int) -> UPath:
    return folder / f"{_name(language, half)}.ngram"


def _write(path: UPath, tables: list[pa.Table], schema: pa.Schema | None = None) -> Written:
    return Written([path.name], {"rows": write_shard(path, tables, schema or tables[0].schema)})
