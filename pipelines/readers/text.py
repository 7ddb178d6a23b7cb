"""Plain text and CSV files."""

import csv
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipelines.carry import STRING
from pipelines.readers.columns import found_in
from pipelines.readers.reading import BOM, Reading
from pipelines.readers.stream import Broken, read_blocks, split_records
from pipelines.records import Found
from pipelines.units import BLOCK_BYTES, Piece


def read_text(piece: Piece, reading: Reading) -> Iterator[Found]:
    """The whole file as one document, or one between any two separators, exactly as it stands there.

    Records of white space alone are skipped.
    """
    settings = reading.settings
    if settings.separator is None:
        whole = reading.whole(piece, settings.max_record_bytes)
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
        yield from reading.found(piece, rows, numbers)


def read_csv(piece: Piece, reading: Reading) -> Iterator[Found]:
    """Rows below a header, every column as strings; a row has as many fields as the header, or is rejected."""
    csv.field_size_limit(reading.settings.max_record_bytes)
    lines = _Lines(piece, reading)
    table = csv.reader(lines, delimiter="\t" if piece.file.format == "tsv" else ",")
    header, rows, numbers, number, began, broken = None, [], [], 0, 0, None
    while broken is None:
        at, lines.invalid = lines.offset, False
        try:
            row = next(table)
            reason = "invalid UTF-8" if lines.invalid else None
        except csv.Error as error:
            row, reason = [str(error)], f"not CSV: {error}"
        except StopIteration:
            break
        except Broken as error:
            broken = Broken(error.reason, number + 1, error.offset, error.excerpt)
            break
        if not row:
            continue
        if header is None and not reason:
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
    if rows:
        yield from _found(header, rows, numbers, piece, reading)
    if broken:
        raise broken


def _found(header: list[str], rows: list[list[str]], numbers: list[int], piece: Piece, reading: Reading):
    columns = [pa.array(column, STRING) for column in zip(*rows, strict=True)]
    return found_in(pa.table(columns, names=header), np.array(numbers), piece, reading)


class _Lines:
    """The lines of a file as csv.reader wants them, noting where it is and whether a line was no UTF-8."""

    def __init__(self, piece: Piece, reading: Reading):
        self.offset, self.invalid = 0, False  # of the next line; of those since somebody reset it

        def too_long(number, offset, beginning):
            reading.reject(piece, number, "record too long", beginning, offset)

        self.batches = split_records(read_blocks(piece), b"\n", reading.settings.max_record_bytes, too_long)
        self.lines = self._lines()

    def __iter__(self):
        return self.lines

    def _lines(self) -> Iterator[str]:
        for _, self.offset, lines in self.batches:
            for line in lines:
                text = line.removeprefix(BOM) if self.offset == 0 else line
                self.offset += len(line) + 1
                try:
                    yield text.decode() + "\n"
                except UnicodeDecodeError:
                    self.invalid = True
                    yield text.decode(errors="backslashreplace") + "\n"
