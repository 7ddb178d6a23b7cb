"""Apply: reasons and spans to documents. What stays, what went, and the ledger that explains both."""

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DECISIONS, DOCUMENTS, ID, SOURCE, SPANS, TEXT
from gristmill.pipelines.steps.spans import apply_spans
from gristmill.pipelines.steps.step import Output, Written, input_of, inputs_of
from gristmill.pipelines.storage.shards import cut_groups, read_batches, read_shard, write_shard

REASON = {"step": pl.String, "rule": pl.String, "value": pl.Float64, "threshold": pl.Float64}
REWRITTEN = {"step": pl.String, "reason": pl.String, "spans": pl.Int64, "bytes": pl.Int64}

# One row for every document that ever entered, in the order of the documents' shard.
LEDGER = pa.schema(
    [
        (ID, pa.large_string()),
        (SOURCE, pa.large_string()),
        ("kept", pa.bool_()),
        ("step", pa.string()),  # the first step that removes it, its rule, the value measured, the threshold broken
        ("rule", pa.string()),
        ("value", pa.float64()),
        ("threshold", pa.float64()),
        ("duplicate_of", pa.large_string()),  # of the first step that named one
        ("similarity", pa.float64()),
        ("bytes", pa.int64()),  # of text as read
        ("clean_bytes", pa.int64()),  # of text as rewritten
        ("reasons", pl.Series(dtype=pl.List(pl.Struct(REASON))).to_arrow().type),  # all broken rules of all steps
        (
            "rewritten",
            pl.Series(dtype=pl.List(pl.Struct(REWRITTEN))).to_arrow().type,
        ),  # spans and bytes, by step and reason
    ]
)

# What a removed document says beside its own columns.
WHY = {"reason": pa.large_string(), "value": pa.float64(), "threshold": pa.float64(), "duplicate_of": pa.large_string()}


def apply_shard(outputs: tuple[Output, ...]) -> list[Written]:
    """Write a shard's kept documents (text rewritten), its removed ones (as read, with the reason) and its ledger.

    Read are the documents, and the decisions and spans of each step, in the order of the recipe. Memory: a few times
    the text of one shard.
    """
    shard = input_of(outputs, DOCUMENTS).path
    decisions = {name: pl.DataFrame(read_shard(each.path)) for name, each in inputs_of(outputs, DECISIONS).items()}
    spans = {name: read_shard(each.path) for name, each in inputs_of(outputs, SPANS).items()}
    ledger = _judged(decisions, shard)
    kept, removed, sizes, first = [], [], [], 0
    for table in read_batches(shard):
        rows = slice(first, first + table.num_rows)
        text = Ragged.from_text(table[TEXT])
        clean = apply_spans(text, list(spans.values()), first)
        stays = ledger["kept"][rows]
        sizes.append((np.diff(text.offsets), np.diff(clean.offsets)))
        place = table.schema.get_field_index(TEXT)
        kept.append(table.set_column(place, table.schema.field(TEXT), clean.to_text()).filter(stays.to_arrow()))
        removed.append(_explained(table, ledger[rows]).filter((~stays).to_arrow()))
        first = rows.stop
    ledger = ledger.with_columns(
        _rewritten_by(spans, ledger.height),
        bytes=np.concatenate([before for before, _ in sizes]),
        clean_bytes=np.concatenate([after for _, after in sizes]),
    )
    tables = {"clean": kept, "removed": removed, "ledger": [ledger.select(LEDGER.names).to_arrow()]}
    return [_write(output, tables[output.kind], ledger) for output in outputs]


def _judged(decisions: dict[str, pl.DataFrame], shard: UPath) -> pl.DataFrame:
    """The ledger's rows without sizes: every broken rule of every step, the first of them on its own, duplicates."""
    ids = pl.DataFrame(read_shard(shard, [ID, SOURCE])).with_row_index("row")
    broken = [
        frame.select(pl.lit(name).alias("step"), pl.col("broken"), pl.int_range(pl.len(), dtype=pl.UInt32).alias("row"))
        .explode("broken", empty_as_null=False)
        .unnest("broken")
        for name, frame in decisions.items()
    ]
    schema = {"step": pl.String, "row": pl.UInt32, "rule": pl.String, "value": pl.Float64, "threshold": pl.Float64}
    reasons = pl.concat([pl.DataFrame(schema=schema), *(frame.select(*schema) for frame in broken)])
    by_row = reasons.group_by("row", maintain_order=True).agg(
        pl.struct(*REASON).alias("reasons"), *(pl.first(name) for name in REASON)
    )
    frame = ids.join(by_row, on="row", how="left", maintain_order="left")
    for column in ("duplicate_of", "similarity"):
        given = [decision[column].alias(name) for name, decision in decisions.items()]
        frame = frame.with_columns(
            pl.DataFrame(given).select(pl.coalesce(pl.all())).to_series().alias(column)
            if given
            else pl.lit(None).alias(column)
        )
    return frame.with_columns(kept=pl.col("rule").is_null(), reasons=pl.col("reasons").fill_null([]))


def _rewritten_by(spans: dict[str, pa.Table], rows: int) -> pl.Series:
    frames = [
        pl.DataFrame(table.select(["row", "reason", "length"]))
        .group_by("row", "reason", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("spans"), pl.col("length").sum().alias("bytes"))
        .with_columns(pl.lit(name).alias("step"))
        .select("row", *REWRITTEN)
        for name, table in spans.items()
    ]
    every = pl.concat([pl.DataFrame(schema={"row": pl.Int64, **REWRITTEN}), *frames])
    by_row = every.group_by("row", maintain_order=True).agg(pl.struct(*REWRITTEN).alias("rewritten"))
    rows = pl.DataFrame({"row": np.arange(rows)}).join(by_row, on="row", how="left", maintain_order="left")
    return rows["rewritten"].fill_null([])


def _explained(table: pa.Table, ledger: pl.DataFrame) -> pa.Table:
    """The documents as they were read, with the first reason; a column of the input by that name steps aside."""
    names = [f"input.{name}" if name in WHY else name for name in table.column_names]
    reason = ledger.select(pl.format("{}.{}", "step", "rule").alias("reason"), "value", "threshold", "duplicate_of")
    for (name, kind), column in zip(WHY.items(), reason.to_arrow().columns, strict=True):
        table = table.append_column(name, column.cast(kind))
    return table.rename_columns([*names, *WHY])


def _write(output: Output, tables: list[pa.Table], ledger: pl.DataFrame) -> Written:
    bytes = {"clean": "clean_bytes", "removed": "bytes", "ledger": "bytes"}[output.kind]
    mine = ledger.filter({"clean": pl.col("kept"), "removed": ~pl.col("kept"), "ledger": pl.lit(True)}[output.kind])
    table = pa.concat_tables(tables)
    rows = write_shard(output.path, [table] if output.kind == "ledger" else cut_groups(table), table.schema)
    counts = {"documents": rows, "bytes": int(mine[bytes].sum())}
    return Written([output.path.name], counts)
