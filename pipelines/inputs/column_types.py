"""Types of the input's columns besides id, text and source, which are carried through.

If JSON or several files give a column values of different types, the types are joined: null < bool and
null < int64 < double; strings remain strings; Parquet types are promoted as in Arrow. Types without a common
supertype (text and numbers, lists, objects) become JSON text: a string column with the field metadata
``{"gristmill": "json"}``. The joins form a lattice and each value has one JSON text. So the result does not depend on
the boundaries of batches, shards and files.
"""

import json
from collections.abc import Iterable
from functools import reduce

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from gristmill.pipelines.inputs.plain_columns import STRING, is_string, plain_column, python_values
from gristmill.pipelines.schema import TURN_LIST

JSON = {b"gristmill": b"json"}
# 64-bit integers that double cannot hold, times that nanoseconds cannot: joined with another type, they become JSON.
LARGE_INT = {b"gristmill": b"wide"}
MAX_EXACT_DOUBLE = 1 << 53  # doubles represent all integers up to here
MAX_INT64 = (1 << 63) - 1
NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def column_of(name: str, values: list) -> tuple[pa.Field, pa.Array]:
    """Convert JSON values (None, bool, int, float, str, list, dict) to a typed column."""
    types = set(map(type, values)) - {type(None)}
    if not types:
        return pa.field(name, pa.null()), pa.nulls(len(values))
    if types == {str}:
        return pa.field(name, STRING), pa.array(values, STRING)
    if types == {bool}:
        return pa.field(name, pa.bool_()), pa.array(values, pa.bool_())
    if types <= {int, float}:
        integers = [value for value in values if type(value) is int]
        low, high = min(integers, default=0), max(integers, default=0)
        wide = low < -MAX_EXACT_DOUBLE or high > MAX_EXACT_DOUBLE
        if types == {int} and low >= -(1 << 63) and high < 1 << 63:
            return pa.field(name, pa.int64(), metadata=LARGE_INT if wide else None), pa.array(values, pa.int64())
        if not wide:
            return pa.field(name, pa.float64()), pa.array(values, pa.float64())
    return pa.field(name, STRING, metadata=JSON), _json_text(values)


def value_of(cell: str | None):
    """Return the value of a JSON text; a text that is not JSON, under metadata of ours that is wrong, as it is."""
    try:
        return None if cell is None else orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell


def normalize_column(field: pa.Field, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    """Convert an Arrow column to the plain type of plain_columns.py, or to JSON text; mark large integers and times."""
    if field.type == TURN_LIST:
        return pa.field(field.name, TURN_LIST), column
    plain = plain_column(column)
    if plain is None:
        return pa.field(field.name, STRING, metadata=JSON), pa.chunked_array([_json_text(python_values(column))])
    column, metadata = plain, JSON if _is_json(field) else None
    if limit := _narrow_limit(column.type):
        low, high = pc.min_max(column if pa.types.is_integer(column.type) else column.cast(pa.int64())).as_py().values()
        metadata = LARGE_INT if low is not None and (low < -limit or high > limit) else None
    return pa.field(field.name, column.type, metadata=metadata), column


def _narrow_limit(kind: pa.DataType) -> int | None:
    """Return the largest value that all joins of a type can hold; None if any value can be held."""
    if pa.types.is_integer(kind) and kind.bit_width == 64:
        return MAX_EXACT_DOUBLE
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return MAX_INT64 // NANOSECONDS[kind.unit]
    return None


def join_schemas(schemas: Iterable[pa.Schema], head: pa.Schema) -> pa.Schema:
    """Return the least common schema: the columns of ``head``, then all others in alphabetical order."""
    fields: dict[str, list[pa.Field]] = {}
    for schema in schemas:
        for field in schema:
            fields.setdefault(field.name, []).append(field)
    names = sorted(fields.keys() - set(head.names))
    return pa.schema([*head, *(reduce(_join, sorted(fields[name], key=_rank)) for name in names)])


def _rank(field: pa.Field) -> str:
    return f"{field.type} {field.metadata}"


def _join(a: pa.Field, b: pa.Field) -> pa.Field:
    if a.equals(b, check_metadata=True) or pa.types.is_null(b.type):
        return a
    if pa.types.is_null(a.type):
        return b
    text = pa.field(a.name, STRING, metadata=JSON)
    wide = [field.type for field in (a, b) if field.metadata == LARGE_INT]
    if _is_json(a) or _is_json(b):
        return text
    try:
        schemas = [pa.schema([field.remove_metadata()]) for field in (a, b)]
        joined = pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return text
    if any(kind != joined.type for kind in wide):
        return text
    return joined.with_metadata(LARGE_INT) if wide else joined


def is_subschema(schema: pa.Schema, target: pa.Schema) -> bool:
    """True if a shard of ``schema`` has the ``target`` schema without rewriting."""
    return schema.equals(target) and all(_is_json(f) == _is_json(target.field(f.name)) for f in schema)


def cast_table(table: pa.Table, target: pa.Schema) -> pa.Table:
    """Convert a table to a joined schema; missing columns become null."""
    return pa.table([_column(table, field) for field in target], schema=target)


def _column(table: pa.Table, wanted: pa.Field) -> pa.Array | pa.ChunkedArray:
    place = table.schema.get_field_index(wanted.name)  # hashed: looking through the names takes n^2 for n columns
    if place < 0 or pa.types.is_null(wanted.type):
        return pa.nulls(table.num_rows, wanted.type)
    field, column = table.field(place), table.column(place)
    if _is_json(wanted) and not _is_json(field):
        return _json_text(python_values(column))
    return column if column.type == wanted.type else column.cast(wanted.type)


def _is_json(field: pa.Field) -> bool:
    return (field.metadata or {}).get(b"gristmill") == JSON[b"gristmill"]


def holds_strings(field: pa.Field) -> bool:
    """True if a column holds plain strings: no JSON text, lists or structs."""
    return (is_string(field.type) and not _is_json(field)) or pa.types.is_null(field.type)


def _json_text(values: list) -> pa.Array:
    """Return each value as compact JSON; whole floats become integers, as a column of doubles holds both alike."""
    return pa.array([None if value is None else json_text(value) for value in values], STRING)


def json_text(value) -> bytes:
    """Serialize any value of a column as JSON. Types unknown to orjson (bytes, for one) are serialized as their str."""
    if type(value) is float and value.is_integer() and abs(value) <= MAX_EXACT_DOUBLE:
        value = int(value)
    try:
        return orjson.dumps(value, default=str)
    except TypeError as error:  # an integer of more than 64 bits
        if "Recursion" in str(error):
            raise
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str).encode()
