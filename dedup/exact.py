"""Exact deduplication: of documents with the same text, one stays.

Texts are the same when they agree after every run of white space has become one space and the ends are trimmed (and,
by option, after lower-casing). They are compared by a 128-bit hash: among 10^10 different texts the chance that any
two share one is below 10^-18 (birthday bound n^2 / 2^129).
"""

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from upath import UPath

from dedup.normalize import hash_normalized
from pipelines.decisions import survivors, write_decisions
from pipelines.schema import ID, SOURCE
from pipelines.settings import Settings
from pipelines.shards import read_shard
from pipelines.step import Wrote

RULE = "exact_duplicate"
PARTITION_ROWS = 20_000_000  # documents looked at together: 40 bytes each, 0.8 GB


class Exact(Settings):
    """Of the documents with equal normalised text, the first by (source priority, length, id) stays."""

    NAME: ClassVar[str] = "exact"
    MEASURED: ClassVar[tuple[str, ...]] = ("lowercase",)

    lowercase: bool = False  # also ignore case
    source_priority: list[str] = []  # sources to keep from first; others follow, all alike

    def measured_settings(self) -> dict:
        return {"step": self.NAME, "lowercase": self.lowercase}

    def measure(self, batch) -> pl.DataFrame:
        """The hash as two uint64 and the length of the text in bytes. Blank documents all hash alike."""
        high, low = hash_normalized(*batch.text, self.lowercase)
        return pl.DataFrame({"high": high, "low": low, "bytes": np.diff(batch.text.offsets)})


def find_duplicates(
    settings: Exact, documents: UPath, measures: UPath, stays: Callable[[str, int], np.ndarray], parts: list[str]
) -> pl.DataFrame:
    """Columns part, row (of the shard), duplicate_of (an id): one row for each document to be dropped.

    ``stays(part, rows) -> bool[rows]`` says which documents of a shard the earlier steps left. Memory: 40 bytes a
    document for PARTITION_ROWS documents at a time, and the ids of the duplicates.
    """
    total = sum(pq.read_metadata(path.open("rb")).num_rows for path in (measures / f"{part}.parquet" for part in parts))
    partitions = total // PARTITION_ROWS + 1
    found = [_partition(settings, documents, measures, stays, parts, p, partitions) for p in range(partitions)]
    return pl.concat(found)


def _partition(settings, documents, measures, stays, parts, partition, partitions) -> pl.DataFrame:
    """The duplicates among the documents whose hash falls in one of the partitions."""
    rows = []
    for part in parts:
        frame = pl.from_arrow(read_shard(measures / f"{part}.parquet")).with_row_index("row")
        mine = pl.Series(stays(part, len(frame))) & (frame["high"] % partitions == partition)
        rows.append(frame.filter(mine).select(pl.lit(part).cast(pl.Categorical).alias("part"), pl.all()))
    same = pl.concat(rows).filter(pl.struct("high", "low").is_duplicated())
    named = [_named(documents, *key, group) for key, group in same.group_by("part", maintain_order=True)]
    if not named:
        return pl.DataFrame(schema={"part": pl.String, "row": pl.UInt32, "duplicate_of": pl.String})
    rank = {source: place for place, source in enumerate(settings.source_priority)}
    priority = pl.col(SOURCE).replace_strict(rank, default=len(rank), return_dtype=pl.Int64)
    ranked = pl.concat(named).sort("high", "low", priority, "bytes", ID, descending=[False, False, False, True, False])
    kept = ranked.group_by("high", "low", maintain_order=True).agg(pl.first(ID).alias("duplicate_of"))
    joined = ranked.join(kept, on=["high", "low"], maintain_order="left").filter(pl.col(ID) != pl.col("duplicate_of"))
    return joined.select(pl.col("part").cast(pl.String), "row", "duplicate_of")


def _named(documents: UPath, part: str, group: pl.DataFrame) -> pl.DataFrame:
    """Rows of one shard with the ids and sources of their documents."""
    names = read_shard(documents / f"{part}.parquet", [ID, SOURCE]).take(group["row"].to_arrow())
    return group.with_columns(pl.from_arrow(names[ID]).alias(ID), pl.from_arrow(names[SOURCE]).alias(SOURCE))


def as_decisions(found: pl.DataFrame, part: str, rows: int) -> pl.DataFrame:
    """The duplicates found in one shard as the decisions on all its documents: duplicate_of, similarity, broken."""
    mine = found.filter(part=part).select("row", "duplicate_of")
    frame = pl.DataFrame({"row": np.arange(rows, dtype=np.uint32)}).join(
        mine, on="row", how="left", maintain_order="left"
    )
    repeats = pl.col("duplicate_of").is_not_null()
    one = pl.lit(1.0)  # a similarity of 1 reached the 1 that this step removes at
    broken = pl.struct(pl.lit(RULE).alias("rule"), one.alias("value"), one.alias("threshold"))
    return frame.select(
        "duplicate_of",
        pl.when(repeats).then(one).alias("similarity"),
        pl.concat_list(pl.when(repeats).then(broken)).list.drop_nulls().alias("broken"),
    )


def decide_exact(settings: Exact, documents: UPath, measures: UPath, earlier: list[UPath], parts: list[str], outputs):
    """Write which document each duplicate repeats, among those that the steps ``earlier`` (decision folders) left."""
    found = find_duplicates(settings, documents, measures, lambda part, rows: survivors(earlier, part, rows), parts)
    results = []
    for output in outputs:
        ids = read_shard(documents / f"{output.name}.parquet", [ID])[ID]
        counts = write_decisions(output.path, ids, *as_decisions(found, output.name, len(ids)))
        results.append(Wrote([output.path.name], counts))
    return results
