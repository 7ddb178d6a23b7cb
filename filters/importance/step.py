"""Documents by their importance for a target sample: a step over the corpus (DSIR, Xie et al. 2023).

1. The target sample gives one bag of n-grams, the documents that the steps before left another.
2. Each document gets a log importance weight (filters/importance/dsir.py).
3. ``keep`` of them stay, drawn without replacement by their weights: those whose weight plus a Gumbel variable is
   highest. The variable is a function of the document's id.

The documents are read twice. Nothing depends on shards or workers.
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
from gristmill.pipelines.steps.decisions import broken_lists
from gristmill.pipelines.storage.manifest import fingerprint

SCORES = {"row": pl.Int64, "log_weight": pl.Float64, "grams": pl.Int64, "mean": pl.Float64, "drawn": pl.Float64}


class Importance(CorpusStep):
    """Keep documents that are like a target sample."""

    NAME: ClassVar[str] = "importance"
    REPORTS: ClassVar[tuple[str, ...]] = ("scores",)

    target: list[str] = Field(min_length=1)  # files, folders, globs: documents as the corpus should have more of
    ngrams: int = Field(2, ge=1, le=5)
    buckets: int = Field(10_000, ge=2, le=1 << 24)
    keep: float | None = Field(None, gt=0, le=1)  # share of the documents that stays, drawn by weight
    chance: bool = True  # off: those of the highest weights stay
    min_mean: float | None = None  # log weight an n-gram, 0 where the target is no likelier than the corpus

    def input_fingerprint(self) -> str:
        return fingerprint(self.bag().counts.tolist())

    def bag(self) -> HashedNgrams:
        """The target's n-grams. Raises InputError where it has none."""
        return _bag(tuple(self.target), self.buckets, self.ngrams)

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Nothing but the size: weights depend on the whole corpus."""
        return pl.DataFrame({"bytes": np.diff(batch.text.offsets)})

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Every document's weight is in the report."""
        raw = HashedNgrams(self.buckets, self.ngrams)
        for part in corpus.parts:
            for batch in _texts(corpus, part):
                raw.add(batch)
        scores = {part: self._score(corpus, part, raw) for part in corpus.parts}
        limit = self._limit(np.concatenate([np.empty(0), *(frame["drawn"].to_numpy() for frame in scores.values())]))
        for part, frame in scores.items():
            yield ShardVerdict(part, self._decide(frame, limit, corpus.rows[part]), reports={"scores": frame})

    def _score(self, corpus: Corpus, part: str, raw: HashedNgrams) -> pl.DataFrame:
        rows = _left(corpus, part)
        found = [(np.empty(0), np.empty(0, np.int64))]
        found += [log_weights(batch.words, self.bag(), raw) for batch in _texts(corpus, part)]
        weight, grams = map(np.concatenate, zip(*found, strict=True))
        drawn = weight
        if self.chance:
            ids = Ragged.from_text(corpus.columns(part, [ID], rows)[ID].to_arrow())
            drawn = weight - np.log(-np.log(uniform_by_id(ids, self.NAME)))
        columns = (rows, weight, grams, weight / np.maximum(grams, 1), drawn)
        return pl.DataFrame(dict(zip(SCORES, columns, strict=True)), SCORES)

    def _limit(self, drawn: np.ndarray) -> float | None:
        """What the last document that stays has."""
        if self.keep is None or not drawn.size:
            return None
        stay = max(round(self.keep * drawn.size), 1)
        return float(np.partition(drawn, drawn.size - stay)[drawn.size - stay])

    def _decide(self, scores: pl.DataFrame, limit: float | None, rows: int) -> pl.DataFrame:
        broken, row = [], scores["row"].to_numpy()
        for rule, column, least in (("not_drawn", "drawn", limit), ("unlike_target", "mean", self.min_mean)):
            if least is not None:
                value = scores[column].to_numpy()
                broken.append((rule, row[value < least], value[value < least], least))
        return pl.DataFrame({"broken": broken_lists(rows, broken)})


@cache
def _bag(target: tuple[str, ...], buckets: int, ngrams: int) -> HashedNgrams:
    bag = HashedNgrams(buckets, ngrams)
    for table in read_documents(list(target), InputSettings()):
        bag.add(Batch(Ragged.from_text(table[TEXT])))
    if not bag.counts.any():
        named = ", ".join(target)
        raise InputError(f"the target {named} holds no words; name documents as the corpus should have more of")
    return bag


def _left(corpus: Corpus, part: str) -> np.ndarray:
    return np.flatnonzero(corpus.keep_mask(part, corpus.rows[part]))


def _texts(corpus: Corpus, part: str) -> Iterator[Batch]:
    for text in corpus.texts(part, _left(corpus, part)):
        yield Batch(text)
