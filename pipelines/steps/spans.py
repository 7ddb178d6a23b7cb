"""Rewritten text as a list of spans: text is stored once, and spans turn it into any version."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import SPAN, TURN_LIST


def spans_table(row, offset, length, reason, replacement: list[str] | None = None) -> pa.Table:
    """Build a table of schema SPAN from columns ordered by (row, offset). Without ``replacement`` spans are removed."""
    replacement = pa.repeat(pa.scalar("", pa.large_string()), len(row)) if replacement is None else replacement
    return pa.table(
        [pa.array(c, f.type) for c, f in zip((row, offset, length, reason, replacement), SPAN, strict=True)], SPAN
    )


def rewrite(text: Ragged, spans: pa.Table, first_row: int = 0) -> Ragged:
    """Apply spans to their documents; ``first_row`` is the row of the first document in the shard."""
    if not spans.num_rows:
        return text
    row, offset, length = (spans[name].to_numpy() for name in ("row", "offset", "length"))
    replacement = Ragged.from_text(spans["replacement"])
    return Ragged.from_arrays(*_rewrite(*text, row - first_row, offset, length, *replacement))


def apply_spans(text: Ragged, steps: list[pa.Table], first_row: int) -> Ragged:
    """Apply the spans of several steps, in their order, to consecutive documents of a shard from ``first_row`` on."""
    for spans in steps:
        row = spans["row"].to_numpy()
        begin, end = np.searchsorted(row, (first_row, first_row + text.rows))
        text = rewrite(text, spans.slice(begin, end - begin), first_row)
    return text


def spans_of_rows(spans: pa.Table, rows: np.ndarray) -> pa.Table:
    """Return the spans of ascending rows, numbered by their places among these."""
    row = spans["row"].to_numpy()
    place = np.searchsorted(rows, row)
    mine = place < rows.size
    mine[mine] = rows[place[mine]] == row[mine]
    return spans.filter(pa.array(mine)).set_column(0, SPAN.field("row"), pa.array(place[mine], SPAN.field("row").type))


def move_turns(turns: pa.ChunkedArray, offsets: np.ndarray, steps: list[pa.Table], first_row: int) -> pa.Array:
    """Return the turns of documents in their rewritten text; ``offsets`` are those of the text before all steps.

    A replacement across the end of a turn belongs to the turn in which it begins, and text that is inserted between
    two turns belongs to none.
    """
    column = turns.combine_chunks()
    counts = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    rows, flat = np.repeat(np.arange(len(column)), counts), column.flatten()
    sizes = np.diff(offsets)
    places = [np.clip(flat.field(name).to_numpy(), 0, sizes[rows]) for name in ("start", "end")]
    for spans in steps:
        row = spans["row"].to_numpy()
        begin, end = np.searchsorted(row, (first_row, first_row + len(column)))
        spans, row = spans.slice(begin, end - begin), row[begin:end] - first_row
        length = spans["length"].to_numpy()
        grown = pc.binary_length(spans["replacement"]).to_numpy() - length
        begins = offsets[row] + spans["offset"].to_numpy()
        ends, shifts = np.append(0, begins + length), np.append(0, np.cumsum(grown))
        np.add.at(sizes, row, grown)
        rewritten = np.append(0, np.cumsum(sizes))
        for i, place in enumerate(places):
            at = offsets[rows] + place
            # Spans that begin before the place, or in an earlier row, at whose end one may insert text.
            before = np.maximum(np.searchsorted(begins, at, "left"), np.searchsorted(row, rows, "left"))
            places[i] = np.maximum(at, ends[before]) + shifts[before] - rewritten[rows]
        offsets = rewritten
    moved = pa.StructArray.from_arrays([flat.field("role"), *map(pa.array, places)], fields=TURN_LIST.value_type.fields)
    starts = pa.array(np.append(0, np.cumsum(counts)).astype(np.int32), mask=np.append(column.is_null(), False))
    return pa.ListArray.from_arrays(starts, moved, type=TURN_LIST)


def rewrite_columns(table: pa.Table, steps: Iterable[pa.Table], first_row: int) -> pa.Table:
    """Apply the spans of several steps in other columns than the text (schema COLUMN_SPAN); nulls stay null."""
    for spans in steps:
        for name in spans["column"].unique().to_pylist():
            mine = spans.filter(pc.equal(spans["column"], name)).drop_columns("column")
            old = table[name]
            new = apply_spans(Ragged.from_text(old), [mine], first_row).to_text()
            new = pc.if_else(old.is_null(), pa.scalar(None, old.type), new.cast(old.type))
            table = table.set_column(at := table.schema.get_field_index(name), table.schema.field(at), new)
    return table


@allocating_kernel
def _rewrite(offsets, data, row, offset, length, new_offsets, new_data):
    """Return offsets and data of documents rewritten by spans, ordered by (row, offset) without overlaps."""
    n = offsets.size - 1
    out_offsets = np.empty(n + 1, np.int64)
    out = np.empty(data.size - length.sum() + new_data.size, np.uint8)
    at, s = 0, 0
    for i in range(n):
        out_offsets[i] = at
        read = offsets[i]
        while s < row.size and row[s] == i:
            keep = offsets[i] + offset[s] - read
            out[at : at + keep] = data[read : read + keep]
            at += keep
            read += keep + length[s]
            inserted = new_offsets[s + 1] - new_offsets[s]
            out[at : at + inserted] = new_data[new_offsets[s] : new_offsets[s + 1]]
            at += inserted
            s += 1
        keep = offsets[i + 1] - read
        out[at : at + keep] = data[read : read + keep]
        at += keep
    out_offsets[n] = at
    return out_offsets, out
