"""Decisions on disk: one shard for each shard of documents, rows in the same order."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from pipelines.schema import DECISION, ID
from pipelines.shards import read_shard, write_shard


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
