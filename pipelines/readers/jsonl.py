"""Reader of JSON lines: one object per line."""

from collections.abc import Iterator

from orjson import JSONDecodeError, loads

from gristmill.pipelines.inputs.records import RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers.context import BOM, ReadContext
from gristmill.pipelines.readers.streaming import read_blocks, split_records


def read_jsonl(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the objects whose text is a string; reject every other line that is not blank.

    Lines are parsed one by one, so a broken line rejects no other and its position is known. (Parsing all lines of a
    block as one array is no faster.)
    """
    key, others = reading.settings.text, [name for name in reading.needed if name != reading.settings.text]

    def too_long(number, offset, beginning):
        reading.reject(piece, number, "record too long", beginning, piece.start + offset)

    blocks = read_blocks(piece)
    for first, offset, lines in split_records(blocks, b"\n", reading.settings.max_record_bytes, too_long, piece.first):
        rows, numbers, at, counted = [], [], piece.start + offset, 0
        if at == 0 and lines:
            lines[0] = lines[0].removeprefix(BOM)
        for i, line in enumerate(lines):
            if not line or line.isspace():
                continue
            try:
                row = loads(line)
                if type(row) is dict and type(row.get(key)) is str and not (others and _lacks(row, others)):
                    rows.append(row)
                    numbers.append(first + i)
                    continue
                reason = _why_not(row, key, others)
            except JSONDecodeError as error:
                reason = _why_not_json(line, error)
            at, counted = at + sum(map(len, lines[counted:i])) + i - counted, i
            reading.reject(piece, first + i, reason, line, at)
        if rows:
            yield RecordBatch.rows(rows, numbers, piece.file.name)


def _lacks(row: dict, names: list[str]) -> str | None:
    """Return the first name without a value in the row."""
    return next((name for name in names if row.get(name) is None), None)


def _why_not(row, key: str, others: list[str]) -> str:
    if type(row) is not dict:
        return "not an object"
    if (lacking := _lacks(row, [key, *others])) is None:
        return f"text is not a string: {key!r} is a {type(row[key]).__name__}"
    if lacking in row:
        return f"no {lacking!r}: it is null"
    return f"no {lacking!r}: there is {', '.join(sorted(row)[:8])}"


def _why_not_json(line: bytes, error: JSONDecodeError) -> str:
    try:
        line.decode()
    except UnicodeDecodeError as invalid:
        return f"invalid UTF-8: byte {invalid.start} of the record"
    if "surrogate" in str(error):
        return "lone surrogate"
    return f"not JSON: {error}"
