"""The order documents are kept in: old ones, then by source priority, quality, length and id. Of two alike, the
first stays.
"""

import numpy as np
import polars as pl

from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.corpus import Corpus


def rank_documents(
    corpus: Corpus, documents: np.ndarray, source_priority: list[str], quality_column: str | None
) -> pl.DataFrame:
    """Documents (ascending numbers) in the order they are kept: columns place (in ``documents``), part, row, id, old.

    Sources not listed come last, all alike; more quality and more bytes come first, no quality last. Ids are
    unique, so the order is total and depends on the documents alone.
    """
    frames = [
        pl.DataFrame(
            schema={"place": pl.Int64, "part": pl.String, "row": pl.Int64, ID: pl.String, "indexed": pl.Boolean}
        )
    ]
    place, priority = 0, {source: i for i, source in enumerate(source_priority)}
    value = pl.col(quality_column).cast(pl.Float64) if quality_column else pl.lit(0.0)
    for part in corpus.every:
        rows = corpus.rows_of(part, documents)
        frames.append(
            corpus.columns(part, [ID, SOURCE] + [quality_column] * (quality_column is not None), rows).select(
                pl.int_range(place, place + pl.len()).alias("place"),
                pl.lit(part).alias("part"),
                pl.lit(part in corpus.old).alias("indexed"),
                pl.Series("row", rows),
                pl.col(ID).cast(pl.String),
                pl.col(SOURCE).replace_strict(priority, default=len(priority), return_dtype=pl.Int64).alias("priority"),
                value.alias("quality"),
                pl.Series("bytes", corpus.measured(part, ["bytes"])["bytes"].to_numpy()[rows]),
            )
        )
        place += rows.size
    frame = pl.concat(frames, how="diagonal")
    if place:
        order = ["indexed", "priority", "quality", "bytes", ID, "place"]
        frame = frame.sort(order, descending=[True, False, True, True, False, False], nulls_last=True)
    return frame.select("place", "part", "row", ID, "indexed")
