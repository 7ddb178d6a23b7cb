"""Reader of a user: a function that gets the path of a file and yields its records as dicts."""

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from pydantic_core import from_json

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.column_types import json_text
from gristmill.pipelines.inputs.records import TOO_DEEP, RecordBatch
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.plugins import Plugin, describe, load_plugin
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.jsonl import finite, lacks, lift, why_not
from gristmill.pipelines.readers.streaming import CorruptStream


def read_own(piece: InputSlice, reading: ReadContext) -> Iterator[RecordBatch]:
    """Yield the records of a user's reader. A record is rejected for the same reasons as an object of a JSON file.

    Values become those of JSON: a date is its text, NaN is null. An error of the reader ends the file.
    """
    plugin, settings = reading.own, reading.settings
    assert plugin
    read = load_plugin(plugin)
    if not callable(read):
        raise RecipeError(f"[input] reader = {plugin.use!r} is no function; expected path -> iterator of dicts")
    key, *others = reading.needed
    paths = [name.split(".") for name in reading.needed if "." in name]
    rows, numbers, held, broken = [], [], 0, None
    for number, record in enumerate(_records(read, piece, plugin), 1):
        if isinstance(record, CorruptStream):
            broken = record
            break
        line, row, reason = _as_json(record)
        if not reason and len(line) > settings.max_record_bytes:
            reason = "record too long"
        if not reason:
            lift(row, paths)
            if type(row) is not dict or type(row.get(key)) is not str or lacks(row, others):
                reason = why_not(row, reading)
        if reason:
            reading.reject(piece, number, reason, line)
            continue
        rows.append(row)
        numbers.append(number)
        held += len(line)
        if held >= piece.file.block_bytes:
            yield RecordBatch.rows(rows, numbers)
            rows, numbers, held = [], [], 0
    if rows:
        yield RecordBatch.rows(rows, numbers)
    if broken:
        raise broken


def _records(read: Callable[[str], Any], piece: InputSlice, plugin: Plugin) -> Iterator[Any]:
    """Yield what the reader yields; its error comes last, as the end of a corrupt file."""
    number = 1
    try:
        for record in read(piece.file.url):
            yield record
            number += 1
    except Exception as error:
        yield CorruptStream(f"the reader failed: {describe(error, plugin)}", number=number)


def _as_json(record: Any) -> tuple[bytes, Any, str]:
    """Return a record as JSON, its parsed values, and why it has none."""
    try:
        try:
            line = orjson.dumps(record, default=str, option=orjson.OPT_SERIALIZE_NUMPY)
            return line, orjson.loads(line), ""
        except TypeError:  # an integer of more than 64 bits, a key that is no text
            line = json_text(record)
            return line, finite(from_json(line)), ""
    except UnicodeEncodeError:
        return b"", None, "lone surrogate"
    except (TypeError, ValueError, RecursionError) as error:
        shown = repr(record)[:1000] if not isinstance(error, RecursionError) else ""
        return (
            shown.encode(errors="backslashreplace"),
            None,
            TOO_DEEP if "ecursion" in str(error) else f"not JSON: {error}",
        )
