"""Readers of Arrow tables: Parquet files and Hugging Face datasets."""

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.column_types import is_string
from gristmill.pipelines.inputs.inputs import open_input
from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import BLOCK_BYTES, PARQUET_DAMAGE, InputSlice
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.streaming import CorruptStream


def read_parquet(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows of a range of row groups, about 16 MB at a time. A damaged row group is one reject."""
    try:
        with open_input(piece.file.url) as stream:
            # Without buffer_size pyarrow reads whole column chunks into memory.
            file = pq.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
            number = piece.first
            for g in range(piece.start, file.num_row_groups if piece.end is None else piece.end):
                group = file.metadata.row_group(g)
                rows = max(1, BLOCK_BYTES * group.num_rows // max(1, group.total_byte_size))
                at = number
                try:
                    for batch in file.iter_batches(rows, [g], use_threads=False):
                        numbers = np.arange(at, at + batch.num_rows)
                        yield from found_in(pa.Table.from_batches([batch]), numbers, piece, reading)
                        at += batch.num_rows
                except PARQUET_DAMAGE as error:
                    if getattr(error, "errno", None):
                        raise
                    lost = _stored_bytes(group) * (number + group.num_rows - at) // max(1, group.num_rows)
                    why = f"damaged Parquet: row group {g} from here on: {_first_line(error)}"
                    reading.reject(piece, at, why, lost_bytes=lost)
                number += group.num_rows
    except PARQUET_DAMAGE as error:
        raise CorruptStream(f"damaged Parquet: {_first_line(error)}", lost_bytes=piece.file.size) from None


def _stored_bytes(group: pq.RowGroupMetaData) -> int:
    return sum(group.column(c).total_compressed_size for c in range(group.num_columns))


def read_hugging_face(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows of a dataset in a folder or on the hub, 256 at a time."""
    settings = reading.settings
    dataset = open_hugging_face(piece.file.url, settings.config, settings.split, settings.streaming)
    number = 1
    for table in dataset.with_format("arrow").iter(256):
        yield from found_in(table, np.arange(number, number + table.num_rows), piece, reading)
        number += table.num_rows


def open_hugging_face(path: str, config: str | None, split: str, streaming: bool):
    """Open a dataset in a folder or on the hub. Raises InputError if there is none."""
    import datasets

    try:
        try:
            dataset = datasets.load_from_disk(path)
            return dataset[split] if isinstance(dataset, datasets.DatasetDict) else dataset
        except FileNotFoundError:
            return datasets.load_dataset(path, config, split=split, streaming=streaming)
    except (OSError, KeyError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"no dataset {path!r} with split {split!r}: {_first_line(error)}") from error


def found_in(table: pa.Table, numbers: np.ndarray, piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows of a table that have valid values in all required columns; reject all others."""
    if len(set(table.column_names)) < table.num_columns:
        raise CorruptStream(f"two columns of one name: {', '.join(table.column_names)}", int(numbers[0]))
    text = reading.settings.text
    reasons: dict[int, str] = {}
    if text in table.column_names and pa.types.is_binary(table[text].type):  # some writers store text as binary
        chunks = [chunk.view(pa.string()) for chunk in table[text].chunks]
        table = table.set_column(table.column_names.index(text), text, pa.chunked_array(chunks, pa.string()))
    for name in reading.needed:
        if name not in table.column_names:
            why = f"no {name!r}: there is {', '.join(sorted(table.column_names)[:8])}"
            for number in numbers:
                reading.reject(piece, int(number), why)
            return
        reasons = dict.fromkeys(np.flatnonzero(table[name].is_null()).tolist(), f"no {name!r}: it is null") | reasons
    for name in table.column_names:
        reasons = dict.fromkeys(_not_utf8(table[name]), f"invalid UTF-8: in {name!r}") | reasons
    reasons = _not_text(table[text], text, reading.settings.max_record_bytes) | reasons
    for row in sorted(reasons):
        reading.reject(piece, int(numbers[row]), reasons[row], _excerpt(table, row))
    keep = np.delete(np.arange(table.num_rows), sorted(reasons))
    if keep.size:
        yield RecordBatch(table.take(keep) if reasons else table, numbers[keep])


def _not_text(column: pa.ChunkedArray, name: str, max_bytes: int) -> dict[int, str]:
    """Return row -> reason for texts that are no strings or too long."""
    if not is_string(column.type):
        valid = np.flatnonzero(column.is_valid()).tolist()
        return dict.fromkeys(valid, f"text is not a string: {name!r} is {column.type}")
    long = pc.greater(pc.binary_length(column), max_bytes).fill_null(False)
    return dict.fromkeys(np.flatnonzero(long).tolist(), "record too long")


def _not_utf8(column: pa.ChunkedArray) -> list[int]:
    """Return the rows with invalid UTF-8, which Arrow reads from Parquet without checking."""
    if not is_string(column.type) or _is_valid(column):
        return []
    return [row for row in range(len(column)) if not _is_valid(column.slice(row, 1))]


def _is_valid(column: pa.ChunkedArray) -> bool:
    try:
        column.validate(full=True)
        return True
    except pa.ArrowInvalid:
        return False


def _excerpt(table: pa.Table, row: int) -> str:
    """Return a row as JSON; strings may be invalid UTF-8 and are cut to 200 bytes."""
    cells = {}
    for name in table.column_names:
        value = table[name].slice(row, 1)
        if is_string(value.type):
            value = value.cast(pa.binary()) if pa.types.is_string(value.type) else value.cast(pa.large_binary())
            cell = value[0].as_py()
            cells[name] = None if cell is None else cell[:200].decode(errors="backslashreplace")
        else:
            cells[name] = value[0].as_py()
    return json.dumps(cells, ensure_ascii=False, default=str)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
