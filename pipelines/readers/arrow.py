"""Readers of Arrow tables: Parquet files, Arrow files and streams, and Hugging Face datasets."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.column_types import normalize_column
from gristmill.pipelines.inputs.folder_columns import with_folders
from gristmill.pipelines.inputs.inputs import InputSettings, open_input
from gristmill.pipelines.inputs.nested_columns import take_nested
from gristmill.pipelines.inputs.plain_columns import (
    STRING,
    as_text,
    holds_text,
    is_bytes,
    is_string,
    plain_type,
    python_values,
    text_or_hex,
)
from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import PARQUET_DAMAGE, InputSlice
from gristmill.pipelines.progress import count_bytes
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.streaming import CorruptStream
from gristmill.pipelines.schema import ID, SOURCE

IPC_FILE = b"ARROW1"  # begins an Arrow file, and no stream
FIRST_ROWS, MAX_ROWS = 64, 1 << 16  # decoded at a time: of a file's first rows, of any


def read_parquet(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows of a range of row groups, about 16 MB at a time. A damaged row group is one reject.

    The number of rows at a time follows from the decoded size of those before: a text of 1 MB that a dictionary holds
    once may be that of 100,000 rows.
    """
    _check_unpacked(piece)
    with open_input(piece.file.url) as stream:
        file = _opened(stream, piece)
        number, rows = piece.first, FIRST_ROWS
        for g in range(piece.start, file.num_row_groups if piece.end is None else piece.end):
            group = file.metadata.row_group(g)
            at = number
            try:
                for batch in _batches(file, g, rows):
                    size = max(1, batch.nbytes)
                    for found in found_in(
                        with_folders(pa.table(batch), piece), np.arange(at, at + batch.num_rows), piece, reading
                    ):
                        size = max(size, found.columns.nbytes)
                        yield found
                    at += batch.num_rows
                    rows = max(1, min(piece.file.block_bytes * batch.num_rows // size, 4 * rows, MAX_ROWS))
                    file.reader.set_batch_size(rows)
            except _Damage as damage:
                unread = max(0, number + group.num_rows - at)
                lost = _stored_bytes(file, g, piece.file.size) * unread // max(1, group.num_rows)
                reading.reject(piece, at, f"{damage.kind}: row group {g} from here on: {damage}", lost_bytes=lost)
            number += group.num_rows


def _check_unpacked(piece: InputSlice) -> None:
    """Raise CorruptStream for a file that is compressed as a whole: Parquet and Arrow are read from their ends."""
    if packed := piece.file.compression:
        why = f"compressed {piece.file.format.capitalize()}: its columns are compressed, the file must not be"
        raise CorruptStream(f"{why}; unpack it from {packed}", lost_bytes=piece.file.size)


class _Damage(Exception):
    """Error that Arrow raised while it read a file, as opposed to errors of the code that handles the rows."""

    def __init__(self, error: Exception, format: str):
        super().__init__(_first_line(error))
        self.kind = f"{'unsupported' if isinstance(error, pa.ArrowNotImplementedError) else 'damaged'} {format}"


@contextmanager
def _arrow_reads(format: str = "Parquet") -> Iterator[None]:
    try:
        yield
    except PARQUET_DAMAGE as error:
        if getattr(error, "errno", None):
            raise  # an error of the disk
        raise _Damage(error, format) from None


def _opened(stream: BinaryIO, piece: InputSlice) -> pq.ParquetFile:
    """Return the open file. Raises CorruptStream if Arrow cannot read its footer."""
    try:
        with _arrow_reads():
            # Without buffer_size pyarrow reads whole column chunks into memory.
            return pq.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
    except _Damage as damage:
        raise CorruptStream(f"{damage.kind}: {damage}", lost_bytes=piece.file.size) from None


def _batches(file: pq.ParquetFile, g: int, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a row group. Raises _Damage for errors of Arrow, and only for them."""
    with _arrow_reads():
        batches = file.iter_batches(rows, [g], use_threads=False)
    while True:
        with _arrow_reads():
            if (batch := next(batches, None)) is None:
                group = file.metadata.row_group(g)
                return count_bytes(sum(group.column(c).total_compressed_size for c in range(group.num_columns)))
            for column in batch.columns:
                _check_indices(column)
        yield batch


def _check_indices(column: pa.Array) -> None:
    """Raise ArrowException for indices beyond a dictionary, which Arrow reads from damaged files without a check."""
    if pa.types.is_dictionary(column.type):
        pa.DictionaryArray.from_arrays(column.indices, column.dictionary, safe=True)
    elif "dictionary<" in str(column.type):  # at any depth
        column.validate(full=True)


def _stored_bytes(file: pq.ParquetFile, g: int, size: int) -> int:
    """Return the bytes of a row group in a file of ``size`` bytes, by its share of the uncompressed bytes.

    The metadata of columns would tell exactly, but pyarrow 26 ends the process if a damaged file has bad ones.
    """
    sizes = [max(0, file.metadata.row_group(i).total_byte_size) for i in range(file.num_row_groups)]
    return size * sizes[g] // max(1, sum(sizes))


def read_arrow(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows of an Arrow file (Feather) or stream, such as `datasets` saves. Damage ends the file.

    Raises CorruptStream after the batches before the damage.
    """
    _check_unpacked(piece)
    with open_input(piece.file.url) as stream:
        number, at = 1, 0  # of the next row, after the last whole batch
        try:
            for batch in _ipc_batches(stream):
                count_bytes(stream.tell() - at)
                at = max(at, stream.tell())
                rows = max(1, piece.file.block_bytes * batch.num_rows // max(1, batch.nbytes))
                for begin in range(0, batch.num_rows, rows):
                    part = with_folders(pa.table(batch.slice(begin, rows)), piece)
                    yield from found_in(part, np.arange(number, number + part.num_rows), piece, reading)
                    number += part.num_rows
        except _Damage as damage:
            lost = max(1, piece.file.size - at)
            raise CorruptStream(f"{damage.kind}: {damage}", number, lost_bytes=lost) from None


def _ipc_batches(stream: BinaryIO) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an Arrow file or stream, with every offset and index checked, which Arrow does not do."""
    is_file = stream.read(len(IPC_FILE)) == IPC_FILE
    stream.seek(0)
    with _arrow_reads("Arrow"):
        reader = pa.ipc.open_file(stream) if is_file else pa.ipc.open_stream(stream)
        batches = (reader.get_batch(i) for i in range(reader.num_record_batches)) if is_file else iter(reader)
    while True:
        with _arrow_reads("Arrow"):
            if (batch := next(batches, None)) is None:
                return
            batch.validate()
            for column in batch.columns:
                # As bytes: one text of invalid UTF-8 is a reject of its own and no damage.
                bytes_of = {pa.string(): pa.binary(), STRING: pa.large_binary(), pa.string_view(): pa.binary_view()}
                (column.view(bytes_of[column.type]) if column.type in bytes_of else column).validate(full=True)
        yield batch


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
            if not isinstance(dataset, datasets.DatasetDict):
                return dataset
            if split in dataset:
                return dataset[split]
            raise InputError(f"dataset {path!r} has no split {split!r}; set split in [input]: {', '.join(dataset)}")
        except FileNotFoundError:
            return datasets.load_dataset(path, config, split=split, streaming=streaming)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        lines = (str(error).strip() or type(error).__name__).splitlines()[:2]  # the second one may name the configs
        why = " ".join(lines if lines[-1].startswith("Please") else lines[:1])
        raise InputError(f"no dataset {path!r} with split {split!r}: {why}") from error


def found_in(table: pa.Table, numbers: np.ndarray, piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows of a table that have valid values in all required columns; reject all others."""
    settings = reading.settings
    why = None
    if len(set(table.column_names)) < table.num_columns:
        why = f"two columns of one name: {', '.join(table.column_names)}"
    else:
        table = _plain(table, settings)
        if lacking := [name for name in reading.needed if name not in table.column_names]:
            why = reading.lacks(lacking[0], table.column_names)
    if why:
        for number in numbers:
            reading.reject(piece, int(number), why)
        return
    reasons: dict[int, str] = {}
    for name in reading.needed:
        reasons = dict.fromkeys(np.flatnonzero(table[name].is_null()).tolist(), f"no {name!r}: it is null") | reasons
    for name in table.column_names:
        reasons = dict.fromkeys(_not_utf8(table[name]), f"invalid UTF-8: in {name!r}") | reasons
    reasons = _not_text(table[settings.content], settings) | reasons
    for row in sorted(reasons):
        reading.reject(piece, int(numbers[row]), reasons[row], _excerpt(table, row))
    keep = np.delete(np.arange(table.num_rows), sorted(reasons))
    if keep.size:
        yield RecordBatch(table.take(keep) if reasons else table, numbers[keep])


def _plain(table: pa.Table, settings: InputSettings) -> pa.Table:
    """Return the columns in plain layouts, with text, id and source as columns of their own and not as bytes."""
    columns = [
        (field, table[field.name])
        if field.name == settings.content and plain_type(field.type) is None  # JSON text would pass for text
        else normalize_column(field, table[field.name])
        for field in table.schema
    ]
    table = pa.Table.from_arrays([column for _, column in columns], schema=pa.schema([field for field, _ in columns]))
    for name in (settings.content, settings.id or ID, settings.source_column or SOURCE):
        table = take_nested(table, name)
        if name in table.column_names and is_bytes(table[name].type) and name != settings.html:
            strings = as_text(table[name]) if name == settings.content else text_or_hex(table[name])
            table = table.set_column(table.column_names.index(name), name, strings)
    return table


def _not_text(column: pa.ChunkedArray, settings: InputSettings) -> dict[int, str]:
    """Return row -> reason for texts that are no strings or too long. Pages may be bytes, and turns anything."""
    if settings.records:
        return {}
    if not is_string(column.type) and not (settings.html and is_bytes(column.type)):
        valid = np.flatnonzero(column.is_valid()).tolist()
        return dict.fromkeys(valid, f"text is not a string: {settings.content!r} is {column.type}")
    long = pc.greater(pc.binary_length(column), settings.max_record_bytes).fill_null(False)
    return dict.fromkeys(np.flatnonzero(long).tolist(), "record too long")


def _not_utf8(column: pa.ChunkedArray) -> list[int]:
    """Return the rows with invalid UTF-8, which Arrow reads from Parquet without checking."""
    if not holds_text(column.type) or _is_valid(column):
        return []
    return [row for row in range(len(column)) if not _is_valid(column.take([row]))]


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
        cell = python_values(value.cast(pa.large_binary()) if is_string(value.type) else value)[0]
        cells[name] = cell[:200].decode(errors="backslashreplace") if isinstance(cell, bytes) else cell
    return json.dumps(cells, ensure_ascii=False, default=str)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
