"""Copies: for each kept document the number of documents it stands for, and the sources of its removed copies.

Exact and near copies count, whichever step removed them: links follow the chain (pipelines/steps/links.py). Copies of
documents of an index count for none, and neither do copies whose group is dropped whole.
"""

import polars as pl
from upath import UPath

from gristmill.pipelines.schema import CLUSTER_SIZE, COPY_COUNTS, COPY_SOURCES, ID, SOURCE
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.storage.shards import read_shard, write_shard

NAMED = {ID: pl.String, SOURCE: pl.String}


def count_copies(documents: UPath, links: UPath, parts: list[str], outputs: tuple[Output, ...]) -> list[Written]:
    """Write each shard's counts (schema COPY_COUNTS); a document without copies has 1 and no source.

    Memory: the kept document and the source of each duplicate.
    """
    named = pl.concat([pl.DataFrame(schema=NAMED), *(_named(documents, links, part) for part in parts)])
    size, sources = pl.len().cast(pl.Int64) + 1, pl.col(SOURCE).drop_nulls().unique().sort()
    groups = named.group_by(ID).agg(size.alias(CLUSTER_SIZE), sources.alias(COPY_SOURCES))
    wrote = []
    for output in outputs:
        ids = pl.DataFrame(read_shard(documents / f"{output.name}.parquet", [ID])).cast(pl.String)
        counts = ids.join(groups, on=ID, how="left", maintain_order="left")
        counts = counts.select(pl.col(CLUSTER_SIZE).fill_null(1), pl.col(COPY_SOURCES).fill_null([]))
        rows = write_shard(output.path, [counts.to_arrow().cast(COPY_COUNTS)], COPY_COUNTS)
        wrote.append(Written([output.path.name], {"documents": rows}))
    return wrote


def _named(documents: UPath, links: UPath, part: str) -> pl.DataFrame:
    """Return for each link of a shard the kept document and the source of the copy (columns NAMED)."""
    linked = pl.DataFrame(read_shard(links / f"{part}.parquet")).filter(~pl.col("in_index"))
    source = pl.Series(read_shard(documents / f"{part}.parquet", [SOURCE])[SOURCE]).gather(linked["row"])
    return pl.DataFrame({ID: linked["duplicate_of"], SOURCE: source}).cast(pl.Schema(NAMED))
