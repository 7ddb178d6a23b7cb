"""Types of the columns an input has beyond id, text and source, which are carried through.

Where JSON or several files give a column values of different types, the types join: null < bool, and
null < int64 < double, strings stay strings, Parquet types promote as Arrow does. Whatever does not meet that way
(text and numbers, lists, objects) is carried as JSON text: a string column with the field metadata
``{"gristmill": "json"}``. Joining is a lattice and one value has one JSON text, so the result does not depend on
where the input was cut into batches, shards and files.
"""

from collections.abc import Iterable
from functools import reduce

import orjson
import pyarrow as pa
import pyarrow.compute as pc

STRING = pa.large_string()
JSON = {b"gristmill": b"json"}
LARGE_INT = {b"gristmill": b"wide"}  # int64 with values that double cannot hold exactly: it joins double as JSON text
MAX_EXACT_DOUBLE = 1 << 53  # integers up to here are doubles too


def column_of(name: str, values: list) -> tuple[pa.Field, pa.Array]:
    """Values as JSON has them (None, bool, int, float, str, list, dict) -> a typed column."""
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


def normalize_column(field: pa.Field, column: pa.ChunkedArray) -> tuple[pa.Field, pa.ChunkedArray]:
    """An Arrow column as we hold it: one string type, no extensions nor dictionaries, wide integers marked."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.cast(column.type.storage_type)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_string_view(column.type):
        column = column.cast(STRING)
    metadata = JSON if _is_json(field) else None
    if pa.types.is_integer(column.type) and column.type.bit_width == 64:
        low, high = pc.min_max(column).as_py().values()
        metadata = LARGE_INT if low is not None and (low < -MAX_EXACT_DOUBLE or high > MAX_EXACT_DOUBLE) else None
    return pa.field(field.name, column.type, metadata=metadata), column


def join_schemas(schemas: Iterable[pa.Schema], head: pa.Schema) -> pa.Schema:
    """The least schema that all conform to: the columns of ``head``, then all others in alphabetical order."""
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
    wide = LARGE_INT in (a.metadata, b.metadata)
    if _is_json(a) or _is_json(b) or (wide and any(pa.types.is_floating(f.type) for f in (a, b))):
        return text
    try:
        schemas = [pa.schema([field.remove_metadata()]) for field in (a, b)]
        joined = pa.unify_schemas(schemas, promote_options="permissive").field(0)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return text
    return joined.with_metadata(LARGE_INT) if wide else joined


def is_subschema(schema: pa.Schema, target: pa.Schema) -> bool:
    """Does a shard of ``schema`` need no rewriting to have the ``target``?"""
    return schema.equals(target) and all(_is_json(f) == _is_json(target.field(f.name)) for f in schema)


def cast_table(table: pa.Table, target: pa.Schema) -> pa.Table:
    """The table with the columns and types of a schema that its own joined into."""
    return pa.table([_column(table, field) for field in target], schema=target)


def _column(table: pa.Table, wanted: pa.Field) -> pa.Array | pa.ChunkedArray:
    if wanted.name not in table.column_names:
        return pa.nulls(table.num_rows, wanted.type)
    field, column = table.field(wanted.name), table[wanted.name]
    if _is_json(wanted) and not _is_json(field):
        return _json_text(column.to_pylist())
    return column if column.type == wanted.type else column.cast(wanted.type)


def _is_json(field: pa.Field) -> bool:
    return (field.metadata or {}).get(b"gristmill") == JSON[b"gristmill"]


def _json_text(values: list) -> pa.Array:
    """Each value as compact JSON. A whole float reads as an integer: a column of doubles forgot which it was."""
    return pa.array([None if value is None else json_text(value) for value in values], STRING)


def json_text(value) -> bytes:
    """JSON of anything a column can hold; types that JSON lacks (dates are known, bytes are not) as their str."""
    if type(value) is float and value.is_integer() and abs(value) <= MAX_EXACT_DOUBLE:
        value = int(value)
    return orjson.dumps(value, default=str)
