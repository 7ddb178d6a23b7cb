"""Order in which documents are kept: of several duplicates, the first in this order stays.

Documents of indices come first. Then source priority, quality, length and id decide.
"""

import numpy as np
import polars as pl

from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.corpus import Corpus

RANKED = {"position": pl.Int64, "part": pl.String, "row": pl.Int64, ID: pl.String, "indexed": pl.Boolean}


def rank_documents(
    corpus: Corpus,
    documents: np.ndarray,
    source_priority: list[str],
    quality_column: str | None,
    bytes: np.ndarray | None = None,
) -> pl.DataFrame:
    """Return ``documents`` (int64, ascending numbers) in keep order: columns RANKED.

    ``position`` is the index in ``documents``, ``indexed`` is true for documents of an index. Sources that are not
    listed come last, as equals. Higher quality and more bytes come first, null quality last. ``bytes``, int64 like
    ``documents``, replaces the measure of that name. Ids are unique, so the
    order is total and depends on the documents only.
    """
    frames = [pl.DataFrame(schema=RANKED)]
    position, priority = 0, {source: i for i, source in enumerate(source_priority)}
    columns = [ID, SOURCE, *filter(None, [quality_column])]
    value = pl.col(quality_column).cast(pl.Float64) if quality_column else pl.lit(None, pl.Float64)
    for part in corpus.shards:
        rows = corpus.rows_of(part, documents)
        if bytes is None:
            sizes = corpus.measured(part, ["bytes"])["bytes"].to_numpy()[rows]
        else:
            sizes = bytes[position : position + rows.size]
        frames.append(
            corpus.columns(part, columns, rows).select(
                pl.int_range(position, position + pl.len()).alias("position"),
                pl.lit(part).alias("part"),
                pl.lit(part in corpus.index_shards).alias("indexed"),
                pl.Series("row", rows),
                pl.col(ID).cast(pl.String),
                pl.col(SOURCE).replace_strict(priority, default=len(priority), return_dtype=pl.Int64).alias("priority"),
                value.alias("quality"),
                pl.Series("bytes", sizes),
            )
        )
        position += rows.size
    frame = pl.concat(frames, how="diagonal")
    if position:
        order = ["indexed", "priority", "quality", "bytes", ID, "position"]
        frame = frame.sort(order, descending=[True, False, True, True, False, False], nulls_last=True)
    return frame.select(RANKED.keys())
