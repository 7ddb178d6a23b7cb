"""Readers of plain text and CSV files."""

import csv
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from gristmill.pipelines.inputs.column_types import STRING
from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import BLOCK_BYTES, InputSlice
from gristmill.pipelines.readers.arrow import found_in
from gristmill.pipelines.readers.context import BOM, ReadContext
from gristmill.pipelines.readers.streaming import CorruptStream, Records, read_blocks, split_records


def read_text(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the whole file as one document, or one document between any two separators, unchanged.

    Records that contain only white space are skipped.
    """
    settings = reading.settings
    if settings.separator is None:
        whole = reading.read_file(piece, settings.max_record_bytes)
        batches = [(1, 0, [whole])] if whole is not None else []
    else:
        separator, limit = settings.separator.encode(), settings.max_record_bytes

        def too_long(number, offset, beginning):
            reading.reject(piece, number, "record too long", beginning, offset)

        batches = split_records(read_blocks(piece), separator, limit, too_long)
    for first, offset, records in batches:
        rows, numbers, at = [], [], offset
        for number, record in enumerate(records, first):
            try:
                text = (record.removeprefix(BOM) if at == 0 else record).decode()
                if text and not text.isspace():
                    rows.append({settings.text: text})
                    numbers.append(number)
            except UnicodeDecodeError as error:
                reading.reject(piece, number, f"invalid UTF-8: byte {error.start} of the record", record, at)
            at += len(record) + len(settings.separator or "")
        yield from reading.batches(piece, rows, numbers)


def read_csv(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows below a header, all columns as strings; reject rows whose number of fields differs from it."""
    lines = _Lines(piece, reading.settings.max_record_bytes)
    table = csv.reader(lines, delimiter="\t" if piece.file.format == "tsv" else ",")
    header, rows, numbers, number, began = None, [], [], 0, 0
    while True:
        at, lines.error = lines.offset, None
        try:
            row = _next_row(table, reading.settings.max_record_bytes)
            reason = lines.error
        except csv.Error as error:
            row, reason = [], f"not CSV: {error}"
        except (StopIteration, CorruptStream) as error:
            end = error
            break
        if not row and not reason:
            continue
        if header is None:
            if reason:
                raise CorruptStream(f"no header: {reason}", 1, 0)
            header = row
            continue
        number += 1
        if not reason and len(row) != len(header):
            reason = f"not CSV: {len(row)} fields where the header has {len(header)}"
        if reason:
            reading.reject(piece, number, reason, ",".join(row), at)
            continue
        rows.append(row)
        numbers.append(number)
        if lines.offset - began > BLOCK_BYTES:
            yield from _found(header, rows, numbers, piece, reading)
            rows, numbers, began = [], [], lines.offset
    if header and rows:
        yield from _found(header, rows, numbers, piece, reading)
    if isinstance(end, CorruptStream):
        raise CorruptStream(end.reason, number + 1, end.offset, end.excerpt)


def _next_row(table, max_bytes: int) -> list[str]:
    """Return the next row. The limit of a field's size is the whole process's, so it is set back at once."""
    before = csv.field_size_limit(max_bytes)
    try:
        return next(table)
    finally:
        csv.field_size_limit(before)


def _found(
    header: list[str], rows: list[list[str]], numbers: list[int], piece: InputSlice, reading: ReadContext
) -> Iterator[RecordBatch]:
    columns = [pa.array(column, STRING) for column in zip(*rows, strict=True)]
    return found_in(pa.table(columns, names=header), np.array(numbers), piece, reading)


class _Lines:
    """Iterator of lines for csv.reader. ``error`` is the reason to reject lines read since it was last None."""

    def __init__(self, piece: InputSlice, max_bytes: int):
        self.offset = 0  # of the next line
        self.error: str | None = None
        self.long: list[tuple] = []
        batches = split_records(read_blocks(piece), b"\n", max_bytes, lambda *record: self.long.append(record))
        self.lines = self._lines(batches)

    def __iter__(self):
        return self.lines

    def _lines(self, batches: Iterator[Records]) -> Iterator[str]:
        for _, offset, lines in batches:
            yield from self._placeholders()
            self.offset = offset
            for line in lines:
                text = line.removeprefix(BOM) if self.offset == 0 else line
                self.offset += len(line) + 1
                try:
                    yield text.decode() + "\n"
                except UnicodeDecodeError:
                    self.error = "invalid UTF-8"
                    yield text.decode(errors="backslashreplace") + "\n"
        yield from self._placeholders()

    def _placeholders(self) -> Iterator[str]:
        """Yield a short line for each line that was too long; the record with this line is rejected."""
        for _ in range(len(self.long)):
            self.long.pop()
            self.error = "record too long"
            yield "…\n"
