"""Rows of CSV: csv.reader, and a way back to the line after a quote that was left open.

A quote left open is closed by the next quote of a later row, as if all rows between were its text. A row over several
lines is therefore not believed if

- text follows its closing quote, or the file or `max_record_bytes` ends before one;
- the number of its fields differs from the header's;
- the number of its quotes is odd; or
- a row soon after it is one of these, and all rows from the line after its opening quote on would be in order, and no
  fewer, without it: then its closing quote is the opening quote of another row.
"""

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

from gristmill.pipelines.readers.encoding import BOM, explain_invalid
from gristmill.pipelines.readers.streaming import CorruptStream, split_records

LINE_BYTES = 64  # a row has up to one line for each 64 bytes of its limit: bounds the memory of short lines
REREADS = 8  # bounds the time of a file in which many quotes are open: bytes read again, as a multiple of all others
SOON_BYTES = 1 << 20  # of the rows after a row over several lines that are held back until it is believed
FAULTS = {  # words of csv.Error -> ours
    "unexpected end": "no closing quote",
    "expected after": "text behind a closing quote",
    "new-line": "a carriage return outside quotes",
}


class Row(NamedTuple):
    """Row of a table, or the reason why it is none."""

    fields: list[str]
    offset: int
    reason: str | None = None
    excerpt: str = ""


class Line(NamedTuple):
    """Line with its line break, and its place in the file."""

    text: str
    number: int
    offset: int
    size: int
    error: str | None = None  # reason to reject the row that holds the line


class Lines:
    """Iterator of lines. ``record`` holds the lines since the call of `begin`.

    A record ends where it exceeds ``max_bytes``, as if the file ended there.
    """

    def __init__(self, blocks: Iterator[bytes], max_bytes: int, encoding: str):
        self.max_bytes = max_bytes
        self.max_lines = 1000 + max_bytes // LINE_BYTES
        self.record: list[Line] = []
        self.corrupt: CorruptStream | None = None  # where the file cannot be read further
        self._encoding = encoding
        self._held = self._reread = self._read = 0
        self._again: list[Line] = []  # the next one is the last
        self._new = self._lines(blocks)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        if self.record and self._is_full():
            raise StopIteration
        line = self._again.pop() if self._again else next(self._new)
        self.record.append(line)
        self._held += line.size
        return line.text

    def _is_full(self) -> bool:
        spent = self._reread > REREADS * self._read + self.max_bytes
        return spent or self._held > self.max_bytes or len(self.record) > self.max_lines

    def begin(self) -> Line | None:
        """Begin a record; return the line that is next, None at the end of the file."""
        self.record, self._held = [], 0
        if not self._again and (line := next(self._new, None)):
            self._again.append(line)
        return self._again[-1] if self._again else None

    def go_back(self, lines: list[Line]) -> None:
        """Read lines again, before all others."""
        self._again.extend(reversed(lines))
        self._reread += sum(line.size for line in lines)

    def skip(self, number: int) -> None:
        """Drop lines that would come again, up to a number."""
        while self._again and self._again[-1].number <= number:
            self._again.pop()

    def _lines(self, blocks: Iterator[bytes]) -> Iterator[Line]:
        long: list[tuple[int, int, bytes]] = []
        try:
            for first, offset, records in split_records(blocks, b"\n", self.max_bytes, lambda *line: long.append(line)):
                yield from self._placeholders(long)
                for number, record in enumerate(records, first):
                    size = len(record) + 1
                    self._read += size
                    try:
                        text = (record.removeprefix(BOM) if offset == 0 else record).decode()
                        yield Line(text + "\n", number, offset, size)
                    except UnicodeDecodeError as error:
                        reason = explain_invalid(error, self._encoding)
                        yield Line(record.decode(errors="backslashreplace") + "\n", number, offset, size, reason)
                    offset += size
            yield from self._placeholders(long)
        except CorruptStream as corrupt:
            yield from self._placeholders(long)
            self.corrupt = corrupt

    def _placeholders(self, long: list[tuple[int, int, bytes]]) -> Iterator[Line]:
        """Yield a short line for each line that was too long."""
        for number, offset, _ in long:
            yield Line("…\n", number, offset, 0, "record too long")
        long.clear()


class Record(NamedTuple):
    """Lines that csv.reader took for one row."""

    fields: list[str]
    fault: str | None
    odd: bool  # number of quotes
    lines: list[Line]

    @property
    def is_suspect(self) -> bool:
        return self.odd or self.fault is not None


class QuotedRows:
    """Iterable of rows, the header first, without blank lines."""

    def __init__(self, lines: Lines, delimiter: str, quote: str):
        self.lines, self.delimiter, self.quote = lines, delimiter, quote
        self.table = csv.reader(lines, delimiter=delimiter, quotechar=quote, strict=True)
        q, d = re.escape(quote), re.escape(delimiter)
        self.field = re.compile(rf"(?:{q}[^{q}]*+(?:{q}{q}[^{q}]*+)*+{q}|(?!{q})[^{d}\r\n]*+)(?:{d}|\r?\n)")
        self.width = 0  # fields of the header

    def __iter__(self) -> Iterator[Row]:
        held: list[Record] = []  # a row over several lines, and the rows soon after it
        size = 0
        while (record := self._read()) is not None:
            if held and record.is_suspect and self._is_wrong(held, record):
                closed = held[0].lines[-1].number
                record = held[0]._replace(fault=f"the quote that closes it opens a field in line {closed}")
                held = []
            if record.fault:
                record = self._go_back(record)
            if held and (record.is_suspect or len(record.lines) > 1 or size > SOON_BYTES):
                yield from filter(None, map(self._row, held))
                held = []
            if held or (len(record.lines) > 1 and not record.fault):
                size = size + record.lines[0].size if held else 0
                held.append(record)
            elif row := self._row(record):
                yield row
        yield from filter(None, map(self._row, held))

    def _row(self, record: Record) -> Row | None:
        """Return the record as a row, None for a blank line."""
        lines, fault = record.lines, record.fault
        error = lines[0].error
        if len(lines) > 1:
            size = sum(line.size for line in lines)
            errors = filter(None, (line.error for line in lines))
            error = "record too long" if size > self.lines.max_bytes else next(errors, None)
        reason = error or (f"not CSV: {fault}" if fault else None)
        return Row(record.fields, lines[0].offset, reason, lines[0].text[:-1]) if record.fields or reason else None

    def _read(self) -> Record | None:
        """Return the next record, or None at the end of the file."""
        if (line := self.lines.begin()) is None:
            return None
        body, fields, fault = line.text[:-1].removesuffix("\r"), [], None
        if self.quote not in body and "\r" not in body:  # as csv.reader, but twice as fast
            fields = body.split(self.delimiter) if body else []
            next(self.lines)
        else:
            try:
                fields = _next_row(self.table, 2 * self.lines.max_bytes)
            except csv.Error as error:
                fault = next((ours for theirs, ours in FAULTS.items() if theirs in str(error)), str(error))
        lines = self.lines.record
        odd = sum(line.text.count(self.quote) for line in lines) % 2 == 1
        self.width = self.width or len(fields)
        if fields and len(fields) != self.width:
            fault = wrong_count(len(fields), self.width)
        elif odd and len(lines) > 1:
            fault = fault or "an odd number of quotes"
        return Record(fields, fault, odd, lines)

    def _go_back(self, record: Record) -> Record:
        """Return the record up to the line of its first quote at fault, if there is one; all other lines come again."""
        if (opened := self._opening(record.lines)) is None:
            return record
        self.lines.go_back(record.lines[opened + 1 :])
        fault = f"{record.fault}; the quote opens in line {record.lines[opened].number}"
        return record._replace(fault=fault, lines=record.lines[: opened + 1])

    def _opening(self, lines: list[Line]) -> int | None:
        """Return which line opens the first quoted field that holds a line break or, if none does, is ill-formed."""
        text = "".join(line.text for line in lines)
        at = 0
        while (match := self.field.match(text, at)) and "\n" not in match[0][:-1]:
            at = match.end()
        return text.count("\n", 0, at) if text.startswith(self.quote, at) else None

    def _is_wrong(self, held: list[Record], last: Record) -> bool:
        """True if all rows to the last record are in order, and no fewer, without the opening line of the first one.

        Then the lines after the first record come again.
        """
        lines = [line for record in [*held, last] for line in record.lines]
        end, used, rows = lines[-1].number, [], 0
        self.lines.go_back(lines[(self._opening(held[0].lines) or 0) + 1 :])
        while (record := self._read()) is not None:
            used += record.lines
            rows += bool(record.fields)
            if record.is_suspect or record.lines[-1].number >= end:
                break
        self.lines.go_back(used)
        if record is None or record.is_suspect or rows < sum(bool(record.fields) for record in held):
            self.lines.skip(end)
            return False
        self.lines.skip(held[0].lines[-1].number)
        return True


def _next_row(table, max_bytes: int) -> list[str]:
    """Return the next row. The limit of a field's size is the whole process's, so it is set back at once."""
    before = csv.field_size_limit(min(max_bytes, (1 << 31) - 1))
    try:
        return next(table)
    finally:
        csv.field_size_limit(before)


def wrong_count(fields: int, width: int) -> str:
    """Return the reason to reject a row by its number of fields."""
    return f"{fields} fields where the header has {width}"
