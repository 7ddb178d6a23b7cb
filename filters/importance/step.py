"""Importance resampling as a step over the corpus (DSIR, Xie et al. 2023): keep documents similar to a target sample.

1. Count the hashed n-grams of the target sample, and of the documents that earlier steps kept.
2. Compute the log importance weight of each document (dsir.py).
3. Sample the share ``keep`` without replacement by weight: keep the documents with the highest Gumbel keys. A Gumbel
   key is the log weight plus Gumbel noise, which is a function of the document's id.

The documents are read twice. The result does not depend on shards or workers.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.sampling import uniform_by_id
from gristmill.filters.importance.dsir import HashedNgrams, log_weights
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ingest.ingest import InputSettings, read_documents
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, ShardVerdict
from gristmill.pipelines.steps.decisions import violation_lists
from gristmill.pipelines.storage.manifest import fingerprint

SCORES = {"row": pl.Int64, "log_weight": pl.Float64, "ngrams": pl.Int64}
SCORES |= {"mean_log_weight": pl.Float64, "gumbel_key": pl.Float64}


class Importance(CorpusStep):
    """A step that keeps documents similar to a target sample."""

    NAME: ClassVar[str] = "importance"
    REPORTS: ClassVar[tuple[str, ...]] = ("scores",)

    target: list[str] = Field(min_length=1)  # files, folders or globs of sample documents
    ngrams: int = Field(2, ge=1, le=5)
    buckets: int = Field(10_000, ge=2, le=1 << 24)
    keep: float | None = Field(None, gt=0, le=1)  # share of the documents to keep
    gumbel_noise: bool = True  # sample by weight; False: keep the highest weights
    # Per n-gram, between log(0.01) and about 30; 0: as likely in the target as in the corpus.
    min_mean_log_weight: float | None = Field(None, ge=-5, le=30)

    def input_fingerprint(self) -> str:
        return fingerprint(self.target_ngrams().counts.tolist())

    def target_ngrams(self) -> HashedNgrams:
        """Return the target's n-grams. Raises InputError if it contains no words."""
        return _count_target(tuple(self.target), self.buckets, self.ngrams)

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the bytes of each document; weights depend on the whole corpus."""
        return pl.DataFrame({"bytes": np.diff(batch.text.offsets)})

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield the verdict of each shard; the report ``scores`` holds the weights of all documents."""
        raw = HashedNgrams(self.buckets, self.ngrams)
        for part in corpus.parts:
            for batch in _texts(corpus, part):
                raw.add(batch)
        scores = {part: self._score(corpus, part, raw) for part in corpus.parts}
        limit = self._limit(
            np.concatenate([np.empty(0), *(frame["gumbel_key"].to_numpy() for frame in scores.values())])
        )
        for part, frame in scores.items():
            yield ShardVerdict(part, self._decide(frame, limit, corpus.rows[part]), reports={"scores": frame})

    def _score(self, corpus: Corpus, part: str, raw: HashedNgrams) -> pl.DataFrame:
        rows = _kept_rows(corpus, part)
        found = [(np.empty(0), np.empty(0, np.int64))]
        found += [log_weights(batch.words, self.target_ngrams(), raw) for batch in _texts(corpus, part)]
        weight, ngrams = map(np.concatenate, zip(*found, strict=True))
        key = weight
        if self.gumbel_noise:
            ids = Ragged.from_text(corpus.columns(part, [ID], rows)[ID].to_arrow())
            key = weight - np.log(-np.log(uniform_by_id(ids, self.NAME)))
        columns = (rows, weight, ngrams, weight / np.maximum(ngrams, 1), key)
        return pl.DataFrame(dict(zip(SCORES, columns, strict=True)), SCORES)

    def _limit(self, keys: np.ndarray) -> float | None:
        """Return the lowest Gumbel key that is kept, or None if all are."""
        if self.keep is None or not keys.size:
            return None
        kept = max(round(self.keep * keys.size), 1)
        return float(np.partition(keys, keys.size - kept)[keys.size - kept])

    def _decide(self, scores: pl.DataFrame, limit: float | None, rows: int) -> pl.DataFrame:
        broken, row = [], scores["row"].to_numpy()
        for measure, least in (("gumbel_key", limit), ("mean_log_weight", self.min_mean_log_weight)):
            if least is not None:
                value = scores[measure].to_numpy()
                broken.append((f"{measure}_too_low", row[value < least], value[value < least], least))
        return pl.DataFrame({"violations": violation_lists(rows, broken)})


@cache
def _count_target(target: tuple[str, ...], buckets: int, ngrams: int) -> HashedNgrams:
    counted = HashedNgrams(buckets, ngrams)
    for table in read_documents(list(target), InputSettings()):
        counted.add(Batch(Ragged.from_text(table[TEXT])))
    if not counted.counts.any():
        raise InputError(f"the target {', '.join(target)} contains no words; expected documents with text")
    return counted


def _kept_rows(corpus: Corpus, part: str) -> np.ndarray:
    return np.flatnonzero(corpus.keep_mask(part, corpus.rows[part]))


def _texts(corpus: Corpus, part: str) -> Iterator[Batch]:
    for text in corpus.texts(part, _kept_rows(corpus, part)):
        yield Batch(text)
