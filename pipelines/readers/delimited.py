"""Reader of CSV and TSV."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from gristmill.pipelines.inputs.column_types import STRING
from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.arrow import found_in
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.encoding import read_utf8
from gristmill.pipelines.readers.quoted_rows import Lines, QuotedRows, Row, wrong_count
from gristmill.pipelines.readers.streaming import CorruptStream

BLOCK_FIELDS = (
    1 << 21
)  # a short field takes 60 bytes until its column is made: 5 million of them are in 16 MB of digits


def read_csv(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the rows below a header, all columns as strings; reject rows that are not well-formed.

    TSV has no quoting. In CSV a quoted field may hold line breaks. A quote that is left open rejects its line, and
    reading goes on in the line after it (quoted_rows.py).
    """
    settings, tabs = reading.settings, piece.file.format == "tsv"
    delimiter = settings.delimiter or ("\t" if tabs else ",")
    quote = ("" if tabs else '"') if settings.quote is None else settings.quote
    lines = Lines(read_utf8(piece, settings), settings.max_record_bytes, settings.encoding)
    header: list[str] = []
    rows: list[list[str]] = []
    numbers: list[int] = []
    began = number = 0
    for number, row in enumerate(QuotedRows(lines, delimiter, quote) if quote else _plain_rows(lines, delimiter)):
        if not header:
            if row.reason:
                raise CorruptStream(f"no header: {row.reason}", 1, 0)
            header = row.fields
        elif row.reason:
            reading.reject(piece, number, row.reason, row.excerpt, row.offset)
        else:
            rows.append(row.fields)
            numbers.append(number)
        if rows and (row.offset - began > piece.file.block_bytes or len(rows) * len(header) > BLOCK_FIELDS):
            yield from _found(header, rows, numbers, piece, reading)
            rows, numbers, began = [], [], row.offset
    if rows:
        yield from _found(header, rows, numbers, piece, reading)
    if lines.corrupt:
        lines.corrupt.number = number + 1
        raise lines.corrupt


def _plain_rows(lines: Lines, delimiter: str) -> Iterator[Row]:
    """Yield the rows of a file without quoting, the header first, without blank lines."""
    width = 0
    while (line := lines.begin()) is not None:
        fields = next(lines)[:-1].removesuffix("\r").split(delimiter)
        if fields != [""] or line.error:
            width = width or len(fields)
            fault = f"not CSV: {wrong_count(len(fields), width)}" if len(fields) != width else None
            yield Row(fields, line.offset, line.error or fault, line.text)


def _found(
    header: list[str], rows: list[list[str]], numbers: list[int], piece: InputSlice, reading: ReadContext
) -> Iterator[RecordBatch]:
    columns = [pa.array(column, STRING) for column in zip(*rows, strict=True)]
    return found_in(pa.table(columns, names=header), np.array(numbers), piece, reading)
