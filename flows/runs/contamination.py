"""What a finished run found of evaluation sets, by benchmark."""

import polars as pl
from upath import UPath

from gristmill.dedup.contamination.step import ITEMS
from gristmill.flows.clean.plan import report_of
from gristmill.pipelines.storage.shards import list_shards, read_shard


def by_benchmark(work: UPath, step: str) -> pl.DataFrame:
    """Columns benchmark, items, short (not looked for), found (items), holding (documents that hold one)."""
    items = [pl.from_arrow(read_shard(path)) for path in list_shards(report_of(work, step, "items"))]
    return (
        pl.concat(items or [pl.DataFrame(schema=ITEMS)])
        .group_by("benchmark")
        .agg(
            pl.len().alias("items"),
            (~pl.col("searchable")).sum().alias("short"),
            (pl.col("documents") > 0).sum().alias("found"),
            pl.col("ids").explode(empty_as_null=False).n_unique().alias("holding"),
        )
        .sort("benchmark")
    )
