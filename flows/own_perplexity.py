"""Perplexity by models of the run's own best documents: a step over the corpus.

1. Documents that the steps before left are put into two halves by the hash of their ids.
2. Of each language and half, those with the lowest hashes, up to ``sample_bytes``, train a model.
3. A document is scored by the model of the other half: a model knows by heart what it was trained on.

No document judges itself, nothing depends on shards or workers, and no model has to be fetched. Languages with less
than ``min_bytes`` in a half are not judged.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dedup.corpus import Corpus
from dedup.step import CorpusStep, Judged
from filters.batch import Batch
from filters.decide import BROKEN
from filters.langid.labels import UNKNOWN
from filters.ngram.costs import costs
from filters.ngram.discounts import FALLBACK
from filters.ngram.model import NGram
from filters.ngram.train import NGramSettings, train
from filters.perplexity import columns
from pipelines.ragged import Ragged
from pipelines.schema import ID
from pipelines.tokens.encode import hash_ids

HALVES = 2
LISTED = {"part": pl.String, "row": pl.Int64, "language": pl.String, "bytes": pl.Int64}
LISTED |= {"half": pl.Int64, "hash": pl.UInt64}
MEASURED = {"log10": pl.Float64, "tokens": pl.Int64, "perplexity": pl.Float64, "bits_per_byte": pl.Float64}
MEASURED |= {"unknown": pl.Float64, "gain": pl.Float64}
SCORES = pl.DataFrame(schema={"row": pl.Int64, "language": pl.String, **MEASURED})


class OwnPerplexity(CorpusStep):
    """Drop documents that models of the run's own documents find too surprising, or too predictable."""

    NAME: ClassVar[str] = "own_perplexity"
    REPORTS: ClassVar[tuple[str, ...]] = ("scores",)

    order: int = Field(3, ge=2, le=6)
    sample_bytes: int = Field(8_000_000, ge=1)  # of text, a language and half
    min_bytes: int = Field(100_000, ge=1)  # a language and half, to train on at all
    min_words: int = Field(20, ge=1)  # shorter documents are not judged
    min_gain: float | None = 0.5  # bits a word that the words before it save; see ``filters.ngram.costs``
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

    def judge(self, corpus: Corpus, scratch: Path) -> Iterator[Judged]:
        """Rules are by language; every document's scores are in the report."""
        table = listed(corpus)
        models = self._models(corpus, table)
        scored = {part: self._score(corpus, part, frame, models) for part, frame in _by_part(table, corpus)}
        rules = self._thresholds(pl.concat([SCORES, *scored.values()]))
        for part, frame in scored.items():
            yield Judged(part, self._decide(frame, rules, corpus.rows[part]), reports={"scores": frame})

    def _models(self, corpus: Corpus, table: pl.DataFrame) -> dict[tuple[str, int], NGram]:
        """By language and half, where both halves have text enough."""
        table = table.filter(pl.col("language") != UNKNOWN).sort("hash", "part", "row")
        before = pl.col("bytes").cum_sum().over("language", "half") - pl.col("bytes")
        sample = table.filter(before < self.sample_bytes)
        sizes = sample.group_by("language", "half").agg(pl.col("bytes").sum())
        enough = sizes.filter(pl.col("bytes") >= self.min_bytes).group_by("language").len().filter(len=HALVES)
        settings = NGramSettings(order=self.order, fallback=list(FALLBACK))
        models = {}
        for language in sorted(enough["language"]):
            for half in range(HALVES):
                mine = sample.filter(language=language, half=half)
                batches = (batch for part, rows in _by_part(mine, corpus) for batch in _texts(corpus, part, rows))
                models[language, half] = train(batches, settings)
        return models

    def _score(self, corpus: Corpus, part: str, frame: pl.DataFrame, models: dict) -> pl.DataFrame:
        """The part's documents of languages with models: row, language and what they cost."""
        found = [SCORES]
        for (language, half), mine in frame.sort("row").group_by("language", "half", maintain_order=True):
            if model := models.get((language, 1 - half)):
                for batch in _texts(corpus, part, mine):
                    total, _ = costs(model, batch)
                    rows = mine.select("row", "language").head(batch.text.rows)
                    found.append(rows.hstack(pl.DataFrame(columns(total, np.diff(batch.text.offsets)))))
                    mine = mine.slice(batch.text.rows)
        return pl.concat(found).sort("row")

    def _thresholds(self, scores: pl.DataFrame) -> pl.DataFrame:
        """Of each language the perplexities at the two percentiles; null where there is no such rule."""
        judged = scores.filter(pl.col("tokens") >= self.min_words)
        low, high = (
            pl.lit(None, pl.Float64) if percent is None else pl.col("perplexity").quantile(percent / 100)
            for percent in (self.min_percentile, self.max_percentile)
        )
        return judged.group_by("language").agg(low.alias("low"), high.alias("high"))

    def _decide(self, scores: pl.DataFrame, thresholds: pl.DataFrame, rows: int) -> pl.DataFrame:
        scores = scores.filter(pl.col("tokens") >= self.min_words).join(thresholds, on="language", how="left")
        gain = pl.lit(self.min_gain, pl.Float64)
        broken = [
            _broken("too_predictable", pl.col("perplexity"), pl.col("low"), pl.col("perplexity") < pl.col("low")),
            _broken("too_surprising", pl.col("perplexity"), pl.col("high"), pl.col("perplexity") > pl.col("high")),
            _broken("no_gain", pl.col("gain"), gain, pl.col("gain") < gain),
        ]
        lists = scores.select("row", pl.concat_list(broken).list.drop_nulls().alias("broken"))
        every = pl.DataFrame({"row": np.arange(rows)})
        joined = every.join(lists, on="row", how="left", maintain_order="left")
        return joined.select(pl.col("broken").cast(pl.List(pl.Struct(BROKEN))).fill_null([]))


def _broken(rule: str, value: pl.Expr, threshold: pl.Expr, when: pl.Expr) -> pl.Expr:
    fields = pl.lit(rule).alias("rule"), value.alias("value"), threshold.cast(pl.Float64).alias("threshold")
    return pl.when(when).then(pl.struct(fields))


def listed(corpus: Corpus) -> pl.DataFrame:
    """The documents that are still there: part, row, language, bytes, half, and the hash that orders the sample."""
    frames = [pl.DataFrame(schema=LISTED)]
    for part in corpus.parts:
        rows = np.flatnonzero(corpus.stays(part, corpus.rows[part]))
        hashes = hash_ids(*Ragged.from_text(corpus.columns(part, [ID], rows)[ID].to_arrow()))
        measured = pl.from_arrow(corpus.measured(part, ["language", "bytes"]))[rows]
        halves = (hashes & np.uint64(HALVES - 1)).astype(np.int64)
        numbers = {"part": [part] * rows.size, "row": rows, "half": halves, "hash": hashes}
        frames.append(pl.DataFrame(numbers, {k: LISTED[k] for k in numbers}).hstack(measured).select(LISTED.keys()))
    return pl.concat(frames)


def _by_part(table: pl.DataFrame, corpus: Corpus) -> Iterator[tuple[str, pl.DataFrame]]:
    for part in corpus.parts:
        yield part, table.filter(part=part).sort("row")


def _texts(corpus: Corpus, part: str, frame: pl.DataFrame) -> Iterator[Batch]:
    """The text of the frame's ascending rows."""
    for text in corpus.texts(part, frame["row"].to_numpy()):
        yield Batch(text)
