"""Reader of JSON: one object per line, an array of objects, or objects that follow each other."""

from collections.abc import Iterator
from math import isfinite

import numpy as np
from orjson import JSONDecodeError, loads
from pydantic_core import from_json

from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice, spans_lines
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.encoding import BOM, explain_invalid, peek, read_utf8
from gristmill.pipelines.readers.json_scan import Values, split_values, watch_digits
from gristmill.pipelines.readers.streaming import CorruptStream, Records, split_records


def read_jsonl(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the objects whose text is a string; reject every other line or value that is not blank.

    Lines are parsed one by one, so a broken line rejects no other and its position is known. (Parsing all lines of a
    block as one array is no faster.) In a file that begins with an array, or with an object over several lines, the
    values take the place of lines.
    """

    def too_long(number, offset, beginning):
        reading.reject(piece, number, "record too long", beginning, piece.start + offset)

    long_integers: list[int] = []
    limit = reading.settings.max_record_bytes
    head, blocks = peek(read_utf8(piece, reading.settings))
    blocks = watch_digits(blocks, long_integers)
    if piece.start == 0 and spans_lines(head):
        batches = split_values(blocks, limit, too_long)
    else:
        batches = split_records(blocks, b"\n", limit, too_long, piece.first)
    for batch in batches:
        yield from _read_batch(batch, piece, reading, long_integers)


def _read_batch(
    batch: Records | Values, piece: InputSlice, reading: ReadContext, long_integers: list[int]
) -> Iterator[RecordBatch]:
    """Yield the good rows of a batch."""
    key, *others = reading.needed
    kinds = (str, list) if reading.settings.records else (str,)
    paths = [name.split(".") for name in reading.needed if "." in name]
    if piece.start + batch.offset == 0 and batch.records and batch.records[0].startswith(BOM):
        batch = batch._replace(offset=len(BOM), records=[batch.records[0][len(BOM) :], *batch.records[1:]])
    first, lines, starts = batch.first, batch.records, _starts(batch) if long_integers else None
    exact = _lines_at(long_integers, starts, lines) if starts is not None else ()
    rows, numbers = [], []
    for i, line in enumerate(lines):
        if not line or line.isspace():
            continue
        reason = None
        try:
            row = loads(line)
            if type(row) is dict and type(row.get(key)) is str and not (i in exact or (others and lacks(row, others))):
                rows.append(row)  # nearly always
                numbers.append(first + i)
                continue
            values = (_odd_values(line) if i in exact else []) or [row]
        except JSONDecodeError as error:
            if not (values := _odd_values(line)):
                reason = _why_not_json(line, error, reading.settings.encoding)
        for row in values:
            lift(row, paths)
            if type(row) is dict and type(row.get(key)) in kinds and not lacks(row, others):
                rows.append(row)
                numbers.append(first + i)
            else:
                reason = why_not(row, reading)
        if reason:
            starts = _starts(batch) if starts is None else starts
            reading.reject(piece, first + i, reason, line, piece.start + int(starts[i]))
    if rows:
        yield RecordBatch.rows(rows, numbers)


def _odd_values(line: bytes) -> list:
    """Parse a line with what orjson refuses or rounds: several values, NaN, Infinity, long integers.

    NaN and Infinity become null. Returns no value if the line is not JSON.
    """
    try:
        try:
            values = [from_json(line)]
        except ValueError:
            if not line.lstrip().startswith(b"{"):
                return []
            values = [
                from_json(value)
                for batch in split_values([line], len(line), lambda *_: None)
                for value in batch.records
            ]
    except (ValueError, CorruptStream):
        return []
    return [finite(value) for value in values]


def finite(value):
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return value if not isinstance(value, float) or isfinite(value) else None


def lift(row, paths: list[list[str]]) -> None:
    """Move the values at paths such as payload.body to the top of the row, unless a key has that very name."""
    for path in paths:
        inner = row
        for key in path[:-1]:
            inner = inner.get(key) if type(inner) is dict else None
        if type(inner) is dict and path[-1] in inner and ".".join(path) not in row:
            row[".".join(path)] = inner.pop(path[-1])


def _starts(batch: Records | Values) -> np.ndarray:
    """Return the offset of each record of a batch."""
    if isinstance(batch, Values):
        return batch.starts
    sizes = np.fromiter(map(len, batch.records), np.int64, len(batch.records))
    return batch.offset + np.cumsum(sizes + 1) - sizes - 1


def _lines_at(places: list[int], starts: np.ndarray, lines: list[bytes]) -> set[int]:
    """Return the lines of a batch that hold a place, and remove these places."""
    end = int(starts[-1]) + len(lines[-1]) if lines else 0
    found = np.searchsorted(starts, [place for place in places if place < end], "right") - 1
    places[:] = [place for place in places if place >= end]
    return set(found.tolist())


def lacks(row: dict, names: list[str]) -> str | None:
    """Return the first name without a value in the row."""
    return next((name for name in names if row.get(name) is None), None)


def why_not(row, reading: ReadContext) -> str:
    """Return the reason to reject a parsed value."""
    key = reading.needed[0]
    if type(row) is not dict:
        return "not an object"
    if (lacking := lacks(row, reading.needed)) is None:
        return f"text is not a string: {key!r} is a {type(row[key]).__name__}"
    reason = reading.lacks(lacking, row)
    return f"no {lacking!r}: it is null" if lacking in row else reason


def _why_not_json(line: bytes, error: JSONDecodeError, encoding: str) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as invalid:
        return explain_invalid(invalid, encoding)
    if "surrogate" in str(error):
        return "lone surrogate"
    return f"not JSON: {error}"
