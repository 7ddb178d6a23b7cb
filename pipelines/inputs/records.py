"""Conversion of a reader's records to documents: id, text, source, then every other column."""

from hashlib import blake2b
from math import isfinite
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from orjson import JSONEncodeError

from gristmill.pipelines.inputs.column_types import JSON, STRING, column_of, json_text, normalize_column, value_of
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.inputs.plain_columns import is_bytes, is_string, python_values
from gristmill.pipelines.schema import DECLARED, ID, SOURCE, TEXT, TURN_LIST, TURNS

PAGE_COLUMNS = ("title", "date")  # which the extraction of a page gives besides its text
MAX_COLUMNS = 2000  # bounds tables of objects whose keys are data, one column per row
# Of one document: steps hold arrays with an entry per line. 64 MB with more lines have 32 bytes per line or fewer.
MAX_LINES = 1 << 21
TOO_DEEP = "nested too deep: a value has more than 254 levels"  # all that orjson writes; it reads 1,024


class RecordBatch(NamedTuple):
    """Readable records: columns with the input's names, and the number of each record in its file."""

    columns: pa.Table
    numbers: np.ndarray  # int64
    refused: tuple[tuple[int, str], ...] = ()  # number and reason of records that no table can hold

    @classmethod
    def rows(cls, rows: list[dict], numbers: list[int]) -> "RecordBatch":
        """Build a batch from JSON objects; a missing key becomes null.

        Refuses objects nested too deep, and the widest objects if all of them need more than MAX_COLUMNS.
        """
        refused = _too_wide(rows, numbers) if len(set().union(*rows)) > MAX_COLUMNS else {}
        rows, kept = _without(refused, rows, numbers)
        try:
            table = _table(rows)
        except (JSONEncodeError, RecursionError):
            deep = {number: TOO_DEEP for number, row in zip(kept, rows, strict=True) if _is_deep(row)}
            rows, kept = _without(deep, rows, kept)
            table, refused = _table(rows), refused | deep
        return cls(table, np.array(kept, np.int64), tuple(sorted(refused.items())))


def _table(rows: list[dict]) -> pa.Table:
    columns = [column_of(name, [row.get(name) for row in rows]) for name in sorted(set().union(*rows))]
    return pa.Table.from_arrays([c for _, c in columns], schema=pa.schema([field for field, _ in columns]))


def _too_wide(rows: list[dict], numbers: list[int]) -> dict[int, str]:
    """Return number and reason of each object that has no room in the table of those with fewer keys."""
    names: set[str] = set()
    refused = {}
    for number, row in sorted(zip(numbers, rows, strict=True), key=lambda numbered: len(numbered[1])):
        if len(names) + len(row.keys() - names) > MAX_COLUMNS:
            refused[number] = f"too many keys: {len(row):,} here, and a table has up to {MAX_COLUMNS:,}; nest them"
        else:
            names |= row.keys()
    return refused


def _without(refused: dict[int, str], rows: list[dict], numbers: list[int]) -> tuple[list[dict], list[int]]:
    if not refused:
        return rows, numbers
    kept = [(row, number) for row, number in zip(rows, numbers, strict=True) if number not in refused]
    return [row for row, _ in kept], [number for _, number in kept]


def _is_deep(row: dict) -> bool:
    """True if orjson cannot write a value because of its levels."""
    try:
        for value in row.values():
            orjson.dumps(value, default=str)
    except JSONEncodeError as error:
        return "Recursion" in str(error)
    return False


def without_too_many_lines(found: RecordBatch) -> RecordBatch:
    """Refuse the documents whose text has more than MAX_LINES lines."""
    column = found.columns[TEXT]
    long = np.flatnonzero(pc.greater(pc.binary_length(column), MAX_LINES).to_numpy()).tolist()  # nearly always none
    lines = {row: pc.count_substring(column.slice(row, 1), "\n")[0].as_py() for row in long}
    if not (lines := {row: count for row, count in lines.items() if count > MAX_LINES}):
        return found
    why = [(int(found.numbers[row]), f"too many lines: {count:,} in one document") for row, count in lines.items()]
    keep = np.delete(np.arange(found.numbers.size), list(lines))
    return RecordBatch(found.columns.take(pa.array(keep)), found.numbers[keep], (*found.refused, *why))


def required_columns(settings: InputSettings) -> list[str]:
    """Return the columns that each record must have: the text or page, and those of ids and sources, if named."""
    return [name for name in (settings.content, settings.id, settings.source_column) if name is not None]


def documents(
    found: RecordBatch, name: str, source: str, settings: InputSettings, turns: pa.Array | None = None
) -> RecordBatch:
    """Map columns to id, text and source; carry all others, as `input.<name>` if the name is taken.

    ``name`` and ``source`` belong to the file. An id that is missing, null, empty or NaN becomes ``<name>:<number>``,
    and such a source becomes ``source``. An id of another type becomes its JSON text without quotes. Every record must
    have a text, or a page, which `extract_pages` replaces by its main text. ``turns`` are those of records with roles,
    whose text `compose` has made.
    """
    table, numbers, refused = found
    text = settings.content if turns is None else TEXT
    mapped = {ID: settings.id or ID, TEXT: text, SOURCE: settings.source_column or SOURCE}
    prefix, nothing = pa.scalar(f"{name}:", STRING), pa.scalar("", STRING)
    fallback = pc.binary_join_element_wise(prefix, pa.array(numbers).cast(STRING), nothing)
    columns = {
        ID: _or_else(_strings(table, mapped[ID]), fallback),
        TEXT: _strings(table, mapped[TEXT]),
        SOURCE: _source(table, mapped[SOURCE], source, settings.source),
    }
    if mapped[TEXT] in table.column_names and is_bytes(table.schema.field(mapped[TEXT]).type):  # pages
        columns[TEXT] = table[mapped[TEXT]]
    fields = {key: pa.field(key, column.type) for key, column in columns.items()}
    if turns is None and _has_turns(table, columns[TEXT]):
        turns, table = table[TURNS], table.drop_columns(TURNS)  # of clean documents
    taken = {*columns, DECLARED, TURNS, *(PAGE_COLUMNS if settings.html else ())}
    for column in sorted(set(table.column_names) - set(mapped.values()) - set(settings.drop)):
        carried = column
        while carried in taken:
            carried = f"input.{carried}"
        taken.add(carried)
        if carried in settings.drop:
            continue
        fields[carried], columns[carried] = normalize_column(table.field(column).with_name(carried), table[column])
    if settings.language:
        fields[DECLARED] = pa.field(DECLARED, STRING)
        columns[DECLARED] = pa.repeat(pa.scalar(settings.language, STRING), table.num_rows)
    if turns is not None:
        fields[TURNS], columns[TURNS] = pa.field(TURNS, TURN_LIST), turns
    made = pa.Table.from_arrays(list(columns.values()), schema=pa.schema([fields[key] for key in columns]))
    if settings.sample == 1:
        return RecordBatch(made, numbers, refused)
    chosen = _sampled(made[ID], settings.sample)
    return RecordBatch(made.filter(chosen), numbers[chosen.to_numpy(zero_copy_only=False)], refused)


def _has_turns(table: pa.Table, text: pa.Array | pa.ChunkedArray) -> bool:
    """True if a column holds turns in the text, as in clean documents: all of them within it."""
    if TURNS not in table.column_names or table.schema.field(TURNS).type != TURN_LIST:
        return False
    column = table[TURNS].combine_chunks()
    flat, counts = column.flatten(), pc.list_value_length(column).fill_null(0)
    if flat.null_count or any(part.null_count for part in flat.flatten()):
        return False
    size = np.repeat(pc.binary_length(text).fill_null(0).to_numpy(), counts)
    start, end = (flat.field(name).to_numpy() for name in ("start", "end"))
    return bool(((start >= 0) & (start <= end) & (end <= size)).all())


def _source(table: pa.Table, column: str, of_file: str, given: str | None) -> pa.ChunkedArray | pa.Array:
    if given is not None:
        return pa.repeat(pa.scalar(given, STRING), table.num_rows)
    return _or_else(_strings(table, column), pa.scalar(of_file, STRING))


def _strings(table: pa.Table, name: str) -> pa.ChunkedArray | pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, STRING)
    column, field = table[name], table.field(name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if field.metadata == JSON:  # of mixed types: a string value is itself, not its JSON
        return pa.array([_plain(value) for value in column.to_pylist()], STRING)
    if is_string(column.type) or pa.types.is_integer(column.type) or pa.types.is_null(column.type):
        return column.cast(STRING)
    return pa.array([_id_text(value) for value in python_values(column)], STRING)


def _id_text(value) -> str | None:
    """Return a value as the text of an id: dates and UUIDs without quotes, whole numbers without a point, no NaN."""
    if isinstance(value, float):
        if not isfinite(value):
            return None
        value = int(value) if value.is_integer() else value
    return None if value is None else _plain(json_text(value).decode())


def _plain(text: str | None) -> str | None:
    """Return the string that a JSON text stands for, any other JSON text as it is."""
    value = value_of(text) if text and text.startswith('"') else text
    return value if isinstance(value, str) else text


def _or_else(column, fallback):
    return pc.if_else(pc.equal(pc.binary_length(column), 0).fill_null(True), fallback, column)


def _sampled(ids: pa.ChunkedArray, share: float) -> pa.Array:
    limit = int(share * 2**64)
    return pa.array([int.from_bytes(blake2b(i.encode(), digest_size=8).digest()) < limit for i in ids.to_pylist()])
