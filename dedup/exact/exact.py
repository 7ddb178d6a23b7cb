"""Exact deduplication: of documents with the same text, one stays.

Texts are the same when they agree after every run of white space has become one space and the ends are trimmed (and,
by option, after lower-casing). They are compared by a 128-bit hash: among 10^10 different texts the chance that any
two share one is below 10^-18 (birthday bound n^2 / 2^129).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl

from gristmill.dedup.exact.normalize import hash_normalized
from gristmill.dedup.index import IndexedStep
from gristmill.dedup.keep_order import rank_documents
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import ShardVerdict, duplicates_by_shard

RULE = "exact_duplicate"
PARTITION_ROWS = 20_000_000  # documents looked at together: 40 bytes each, 0.8 GB


class Exact(IndexedStep):
    """Of the documents with equal normalised text, the first by (source priority, quality, length, id) stays."""

    NAME: ClassVar[str] = "exact"
    MEASURED: ClassVar[tuple[str, ...]] = ("lowercase",)

    lowercase: bool = False  # also ignore case
    source_priority: list[str] = []  # sources to keep from first; others follow, all alike
    quality_column: str | None = None  # a numeric column of the documents: of two, the one with more stays

    def measure(self, batch) -> pl.DataFrame:
        """The hash as two uint64 and the length of the text in bytes. Blank documents all hash alike."""
        high, low = hash_normalized(*batch.text, self.lowercase)
        return pl.DataFrame({"high": high, "low": low, "bytes": np.diff(batch.text.offsets)})

    def judge(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """A duplicate breaks ``exact_duplicate`` with a similarity of 1, which is the threshold."""
        yield from duplicates_by_shard(find_duplicates(self, corpus.beside(self.indices())), corpus, RULE, 1.0)


def find_duplicates(settings: Exact, corpus: Corpus) -> pl.DataFrame:
    """Columns part, row (of the shard), duplicate_of (an id), similarity: one row for each document to be dropped.

    Memory: 40 bytes a document for PARTITION_ROWS documents at a time, and the ids of the duplicates.
    """
    same = find_same(corpus)
    numbers = same["number"].to_numpy()
    ranked = rank_documents(corpus, numbers, settings.source_priority, settings.quality_column)
    ranked = ranked.with_columns(same[ranked["place"].to_numpy()].select("high", "low"))
    kept = ranked.group_by("high", "low", maintain_order=True).agg(
        pl.first(ID).alias("duplicate_of"), pl.first("place").alias("kept"), pl.first("indexed").alias("by_indexed")
    )
    joined = ranked.join(kept, on=["high", "low"], maintain_order="left")
    dropped = ~pl.col("indexed") & (pl.col("place") != pl.col("kept"))
    dropped = dropped & pl.col("by_indexed") if settings.only_against else dropped
    return joined.filter(dropped).select("part", "row", "duplicate_of", pl.lit(1.0).alias("similarity"))


def find_same(corpus: Corpus) -> pl.DataFrame:
    """Number (ascending) and hash (high, low) of each document that has its hash in common with another."""
    partitions = sum(corpus.rows.values()) // PARTITION_ROWS + 1
    return pl.concat([_partition(corpus, partition, partitions) for partition in range(partitions)]).sort("number")


def _partition(corpus: Corpus, partition: int, partitions: int) -> pl.DataFrame:
    """Number and hash of the documents that share a hash of this partition with another, one of them to be judged."""
    rows = [pl.DataFrame(schema={"number": pl.Int64, "high": pl.UInt64, "low": pl.UInt64})]
    for part in corpus.every:
        frame = pl.from_arrow(corpus.measured(part, ["high", "low"]))
        mine = pl.Series(corpus.stays(part, len(frame))) & (frame["high"] % partitions == partition)
        number = pl.int_range(pl.len(), dtype=pl.Int64) + corpus.first[part]
        rows.append(frame.select(number.alias("number"), "high", "low").filter(mine))
    same = pl.concat(rows).filter(pl.struct("high", "low").is_duplicated())
    return same.filter(pl.col("number").min().over("high", "low") < corpus.own)
