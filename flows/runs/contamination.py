"""Counts of benchmark items that a finished run found."""

import polars as pl
from upath import UPath

from gristmill.dedup.contamination.step import ITEMS
from gristmill.flows.clean.plan import report_of
from gristmill.pipelines.storage.shards import list_shards, read_shard


def by_benchmark(work: UPath, step: str) -> pl.DataFrame:
    """Return columns benchmark, items, short (not searched), found (items), matched_documents."""
    items = [pl.DataFrame(read_shard(path)) for path in list_shards(report_of(work, step, "items"))]
    return (
        pl.concat([pl.DataFrame(schema=ITEMS), *items])
        .group_by("benchmark")
        .agg(
            pl.len().alias("items"),
            (~pl.col("searchable")).sum().alias("short"),
            (pl.col("documents") > 0).sum().alias("found"),
            pl.col("ids").explode(empty_as_null=False).n_unique().alias("matched_documents"),
        )
        .sort("benchmark")
    )
