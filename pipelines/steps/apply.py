"""Apply: write clean documents, removed documents, and the ledger that explains both, from decisions and spans."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import (
    COLUMN_SPANS,
    COLUMNS,
    DECISIONS,
    DOCUMENTS,
    ID,
    LINK,
    LINKS,
    SOURCE,
    SPANS,
    TEXT,
    TURNS,
    VIOLATION,
)
from gristmill.pipelines.steps.decisions import lists_by_row
from gristmill.pipelines.steps.spans import apply_spans, move_turns, rewrite_columns
from gristmill.pipelines.steps.step import Output, Written, input_of, inputs_of
from gristmill.pipelines.storage.partitions import split_table
from gristmill.pipelines.storage.shards import cut_groups, read_batches, read_shard, write_shard

SPANS_AT_ONCE = 1 << 18
STEP_VIOLATION = {"step": pl.String, "rule": pl.String, "value": pl.Float64, "threshold": pl.Float64}
NAMED = {"duplicate_of": pl.String, "similarity": pl.Float64, "mark_similarity": pl.Float64}  # of decisions
REWRITE = {"step": pl.String, "reason": pl.String, "spans": pl.Int64, "bytes": pl.Int64}

# One row per document that was read, in the order of the documents' shard.
LEDGER = pa.schema(
    [
        (ID, pa.large_string()),
        (SOURCE, pa.large_string()),
        ("kept", pa.bool_()),
        ("step", pa.string()),  # the first step that removes it, its rule, the measured value and the threshold
        ("rule", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("duplicate_of", pa.large_string()),  # the kept document that stands for it (pipelines/steps/links.py)
        ("duplicate_neighbor", pa.large_string()),  # the document that the step kept for it, a later one may not have
        ("similarity", pa.float64()),  # of the two neighbors
        ("mark_similarity", pa.float64()),  # with marks; null where their words decide (dedup/near/marks.py)
        ("bytes", pa.int64()),  # of the text as read
        ("clean_bytes", pa.int64()),  # of the rewritten text
        ("violations", pl.Series(dtype=pl.List(pl.Struct(STEP_VIOLATION))).to_arrow().type),  # of all steps
        ("rewrites", pl.Series(dtype=pl.List(pl.Struct(REWRITE))).to_arrow().type),  # by step and reason
    ]
)

# The columns that a removed document has besides its own.
WHY = {"reason": pa.large_string(), "value": pa.float64(), "threshold": pa.float64(), "duplicate_of": pa.large_string()}


def apply_shard(
    columns: Mapping[str, tuple[str, str]], split_by: str | None, outputs: tuple[Output, ...]
) -> list[Written]:
    """Write a shard's kept documents (text rewritten), its removed documents (as read, with the reason) and its ledger.

    Inputs are the documents, the decisions and spans of each step, in the order of the recipe, the links, and the
    tables of ``columns``: name in kept documents -> table and name there. ``split_by`` is a column of kept documents
    whose values choose their folders (partitions.py). Memory: a few times the text of one shard.
    """
    shard = input_of(outputs, DOCUMENTS).path
    decided = inputs_of(outputs, DECISIONS)
    decisions = {name: read_shard(each.path, ["violations", *NAMED]) for name, each in decided.items()}
    spans = {name: read_shard(each.path) for name, each in inputs_of(outputs, SPANS).items()}
    others = {name: read_shard(each.path) for name, each in inputs_of(outputs, COLUMN_SPANS).items()}
    links = [pl.DataFrame(read_shard(each.path)) for each in inputs_of(outputs, LINKS).values()]
    ledger = _explain(decisions, shard, links)
    tables = inputs_of(outputs, COLUMNS)
    more = {name: read_shard(tables[at].path, [own])[own] for name, (at, own) in columns.items() if at in tables}
    kept, removed, sizes, first = [], [], [], 0
    for table in read_batches(shard):
        rows = slice(first, first + table.num_rows)
        text = Ragged.from_text(table[TEXT])
        clean = apply_spans(text, list(spans.values()), first)
        kept_rows = ledger["kept"][rows]
        sizes.append((np.diff(text.offsets), np.diff(clean.offsets)))
        column = table.schema.get_field_index(TEXT)
        rewritten = table.set_column(column, table.schema.field(TEXT), clean.to_text())
        rewritten = rewrite_columns(rewritten, others.values(), first)
        if TURNS in table.column_names:
            moved = move_turns(table[TURNS], text.offsets, list(spans.values()), first)
            rewritten = rewritten.set_column(at := table.column_names.index(TURNS), table.schema.field(at), moved)
        added = {name: values.slice(first, table.num_rows) for name, values in more.items()}
        kept.append(_with_columns(rewritten, added).filter(kept_rows.to_arrow()))
        removed.append(_with_reason(table, ledger[rows]).filter((~kept_rows).to_arrow()))
        first = rows.stop
    ledger = ledger.with_columns(
        _rewritten_by([*spans.items(), *((name, _of_column(table)) for name, table in others.items())], ledger.height),
        bytes=np.concatenate([before for before, _ in sizes]),
        clean_bytes=np.concatenate([after for _, after in sizes]),
    )
    rows_of = {"clean": kept, "removed": removed, "ledger": [ledger.select(LEDGER.names).to_arrow()]}
    folders_by = {"clean": split_by}
    return [_write(output, rows_of[output.kind], ledger, folders_by.get(output.kind)) for output in outputs]


def _explain(decisions: dict[str, pa.Table], shard: UPath, links: list[pl.DataFrame]) -> pl.DataFrame:
    """Return the ledger without sizes: all violations of all steps, the first of them in columns, duplicates."""
    ids = pl.DataFrame(read_shard(shard, [ID, SOURCE])).with_row_index("row")
    lists = [table["violations"].combine_chunks() for table in decisions.values()]
    sizes = [pc.list_value_length(each).to_numpy(zero_copy_only=False) for each in lists]
    row = np.concatenate([np.zeros(0, np.int64), *(np.repeat(np.arange(each.size), each) for each in sizes)])
    every = pa.chunked_array([each.flatten() for each in lists], VIOLATION).combine_chunks()
    counts = np.array([each.sum() for each in sizes], np.int64)
    step = pa.array([*decisions], pa.string()).take(np.repeat(np.arange(counts.size), counts))
    broken = pa.StructArray.from_arrays([step, *every.flatten()], names=[*STEP_VIOLATION])
    violations = pl.Series("violations", lists_by_row(ids.height, row, broken))
    frame = ids.with_columns(violations, *violations.list.first().struct.unnest().get_columns())
    for column, kind in NAMED.items():
        given = [table[column] for table in decisions.values() if table[column].null_count < ids.height]
        first = pl.coalesce([*map(pl.Series, given), pl.lit(None, kind)])
        frame = frame.with_columns(first.alias("duplicate_neighbor" if column == "duplicate_of" else column))
    kept = pl.concat([pl.DataFrame(LINK.empty_table()), *links]).with_columns(pl.col("row").cast(pl.UInt32))
    frame = frame.join(kept, on="row", how="left", maintain_order="left")
    return frame.with_columns(kept=pl.col("rule").is_null())


def _of_column(spans: pa.Table) -> pa.Table:
    """Return spans in columns with reasons that name them: ``email in title``."""
    where = pc.binary_join_element_wise(spans["reason"], spans["column"].cast(pa.string()), " in ")
    return spans.set_column(spans.schema.get_field_index("reason"), "reason", where)


def _rewritten_by(spans: list[tuple[str, pa.Table]], rows: int) -> pl.Series:
    """Return the number and bytes of each row's spans, by step and reason. Spans are converted some at a time."""
    frames = [
        pl.DataFrame(piece)
        .group_by("row", "reason", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("spans"), pl.col("length").sum().alias("bytes"))
        .select("row", pl.lit(name).alias("step"), "reason", "spans", "bytes")
        for name, table in spans
        for piece in table.select(["row", "reason", "length"]).to_batches(max_chunksize=SPANS_AT_ONCE)
    ]
    every = pl.concat([pl.DataFrame(schema={"row": pl.Int64, **REWRITE}), *frames])
    every = every.group_by("row", "step", "reason", maintain_order=True).agg(pl.sum("spans", "bytes"))
    rewrites = every.select(pl.struct(*REWRITE)).to_series().to_arrow()
    return pl.Series("rewrites", lists_by_row(rows, every["row"].to_numpy(), rewrites))


def _with_reason(table: pa.Table, ledger: pl.DataFrame) -> pa.Table:
    """Return the documents as read, with the first violation."""
    reason = ledger.select(pl.format("{}.{}", "step", "rule").alias("reason"), "value", "threshold", "duplicate_of")
    columns = zip(WHY.items(), reason.to_arrow().columns, strict=True)
    return _with_columns(table, {name: column.cast(kind) for (name, kind), column in columns})


def _with_columns(table: pa.Table, columns: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    """Return the table with columns after its own; a column of the input with the same name is renamed."""
    names = [*table.column_names]
    for name in columns.keys() & {*names}:
        free = f"input.{name}"
        while free in names:
            free = f"input.{free}"
        names[names.index(name)] = free
    for name, column in columns.items():
        table = table.append_column(name, column)
    return table.rename_columns([*names, *columns])


def _write(output: Output, tables: list[pa.Table], ledger: pl.DataFrame, split_by: str | None) -> Written:
    bytes = {"clean": "clean_bytes", "removed": "bytes", "ledger": "bytes"}[output.kind]
    mine = ledger.filter({"clean": pl.col("kept"), "removed": ~pl.col("kept"), "ledger": pl.lit(True)}[output.kind])
    table, names = pa.concat_tables(tables), []
    for folder, rows in split_table(table, split_by) if split_by else [("", table)]:
        names.append(f"{folder}/{output.path.name}".lstrip("/"))
        write_shard(output.folder / names[-1], [rows] if output.kind == "ledger" else cut_groups(rows), rows.schema)
    return Written(names, {"documents": table.num_rows, "bytes": int(mine[bytes].sum())})
