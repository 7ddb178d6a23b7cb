"""Decisions: the rules that each document breaks; on disk one shard for each shard of documents, rows in its order."""

from collections.abc import Iterable

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.pipelines.schema import DECISION, ID
from gristmill.pipelines.storage.shards import read_shard, write_shard

BROKEN = {"rule": pl.String, "value": pl.Float64, "threshold": pl.Float64}
NONE = pl.DataFrame(schema={"row": pl.Int64, **BROKEN})
Broke = tuple[str, np.ndarray, np.ndarray, np.ndarray | float]  # rule; rows that break it, their values and thresholds


def broken_lists(documents: int, found: Iterable[Broke]) -> pl.Series:
    """The rules that each of so many documents breaks, in the order given: lists, empty for one that stays."""
    frames = [NONE]
    for rule, rows, value, threshold in found:  # few documents break a rule: a row each, not a column for all
        columns = {"row": rows, "rule": [rule] * rows.size, "value": value}
        frames.append(pl.DataFrame(columns | {"threshold": np.broadcast_to(threshold, rows.size)}, NONE.schema))
    lists = pl.concat(frames).group_by("row", maintain_order=True).agg(pl.struct(*BROKEN).alias("broken"))
    every = pl.DataFrame({"row": np.arange(documents)})
    return every.join(lists, on="row", how="left", maintain_order="left")["broken"].fill_null([])


def write_decisions(path: UPath, ids: pa.ChunkedArray, *columns: pl.Series) -> dict[str, int]:
    """Write a shard of decisions and count its documents and those that the step would remove.

    ``columns`` are named as in DECISION: ``broken``, a list of {rule, value, threshold} a document, and for
    duplicates ``duplicate_of`` and ``similarity``; what is not given is null.
    """
    given = {ID: ids} | {column.name: column.to_arrow() for column in columns}
    arrays = [given.get(field.name, pa.nulls(len(ids), field.type)) for field in DECISION]
    write_shard(path, [pa.table(arrays, DECISION.names)], DECISION)
    (broken,) = (column for column in columns if column.name == "broken")
    return {"documents": len(ids), "would_remove": int((broken.list.len() > 0).sum())}


def survivors(folders: list[UPath], part: str, rows: int) -> np.ndarray:
    """Bool[rows]: which documents of a shard none of the steps, given by their decision folders, removes."""
    stays = np.ones(rows, bool)
    for folder in folders:
        broken = read_shard(folder / f"{part}.parquet", ["broken"])["broken"]
        stays &= pc.equal(pc.list_value_length(broken), 0).to_numpy()
    return stays
