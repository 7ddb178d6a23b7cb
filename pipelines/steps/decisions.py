"""Decisions: the violations of each document; on disk one shard for each shard of documents, rows in its order."""

from collections.abc import Iterable

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.schema import DECISION, ID, VIOLATION
from gristmill.pipelines.storage.shards import list_lengths, write_shard

# Rule; the rows that violate it, their values and thresholds.
Violations = tuple[str, np.ndarray, np.ndarray, np.ndarray | float]


def violation_lists(documents: int, found: Iterable[Violations]) -> pl.Series:
    """Return the violations of each document, in the order given: a list per document, empty if it is kept."""
    names: list[str] = []
    rows, values, thresholds = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0)]
    for rule, violating, value, threshold in found:  # few documents violate a rule
        names += [rule] * violating.size
        rows.append(violating)
        values.append(value)
        thresholds.append(np.broadcast_to(threshold, violating.size))
    columns = [pa.array(names, pa.string()), *map(np.concatenate, (values, thresholds))]
    broken = pa.StructArray.from_arrays(columns, fields=[*VIOLATION])
    return pl.Series("violations", lists_by_row(documents, np.concatenate(rows), broken))


def lists_by_row(documents: int, row: np.ndarray, values: pa.Array) -> pa.LargeListArray:
    """Return the values of each document, in the order given, from the ``row`` of each value, int64[n]."""
    offsets = np.append(0, np.cumsum(np.bincount(row, minlength=documents)))
    return pa.LargeListArray.from_arrays(offsets, values.take(np.argsort(row, kind="stable")))


def write_decisions(path: UPath, ids: pa.ChunkedArray, *columns: pl.Series) -> dict[str, int]:
    """Write a shard of decisions; return the numbers of documents and of documents that the step would remove.

    ``columns`` are named as in DECISION: ``violations``, a list of {rule, value, threshold} per document, and for
    duplicates ``duplicate_of``, ``in_index`` and the similarities. Missing columns are null.
    """
    given = {ID: ids} | {column.name: column.to_arrow() for column in columns}
    arrays = [given.get(field.name, pa.nulls(len(ids), field.type)) for field in DECISION]
    write_shard(path, [pa.table(arrays, DECISION.names)], DECISION)
    (violations,) = (column for column in columns if column.name == "violations")
    return {"documents": len(ids), "would_remove": int((violations.list.len() > 0).sum())}


def survivors(folders: list[UPath], part: str, rows: int) -> np.ndarray:
    """Return bool[rows]: the documents of a shard that no step removes, given the steps' decision folders."""
    kept = np.ones(rows, bool)
    for folder in folders:
        kept &= list_lengths(folder / f"{part}.parquet", "violations", "threshold") == 0
    return kept
