"""Arrow columns in the plain layouts that shards hold.

| type | plain type |
| --- | --- |
| string, string_view | large_string; string inside a list, struct or map |
| binary_view | binary |
| dictionary, run-end encoded | the plain type of the values |
| extension | the storage; a column of UUIDs becomes strings |
| list, struct, map | the same of plain types |
| timestamp | milliseconds in place of seconds, as Parquet does; UTC in place of a zone that Polars does not know |

All others become JSON text: Parquet has no unions, month intervals and structs without fields; Arrow 26 casts list
views to invalid lists, and inside a list or struct it casts neither run-end encoded values nor dictionaries of views.
"""

from functools import cache

import numpy as np
import pyarrow as pa

STRING = pa.large_string()


def plain_column(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Convert a column to its plain type; None if it must become JSON text."""
    kind = STRING if isinstance(column.type, pa.UuidType) else plain_type(column.type)
    if kind is None:
        return None
    kind = STRING if is_string(kind) else kind
    try:
        return column if kind == column.type else pa.chunked_array([_cast(c, kind) for c in column.chunks], kind)
    except pa.ArrowInvalid:  # seconds that milliseconds cannot hold
        return None


def plain_type(kind: pa.DataType, inside: bool = False) -> pa.DataType | None:
    """Return the plain type of a column, or of values ``inside`` a list, struct or map; None for JSON text."""
    types = pa.types
    if types.is_string_view(kind) or types.is_binary_view(kind):
        return pa.string() if types.is_string_view(kind) else pa.binary()
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type, inside)
    if types.is_run_end_encoded(kind) or types.is_dictionary(kind):
        value, plain = kind.value_type, plain_type(kind.value_type, inside)
        castable = types.is_dictionary(kind) and not types.is_string_view(value) and not types.is_binary_view(value)
        return plain if castable or not inside else None
    if not types.is_nested(kind):
        return None if types.is_interval(kind) else _plain_time(kind) if types.is_timestamp(kind) else kind
    inner = [plain_type(field.type, True) for field in children(kind)]
    if not inner or None in inner:
        return None
    fields = [field.with_type(plain) for field, plain in zip(children(kind), inner, strict=True)]
    if types.is_struct(kind):
        return pa.struct(fields)
    if types.is_map(kind):
        return pa.map_(*fields, keys_sorted=kind.keys_sorted)
    if types.is_fixed_size_list(kind):
        return pa.list_(fields[0], kind.list_size)
    return pa.large_list(fields[0]) if types.is_large_list(kind) else pa.list_(fields[0])


def _plain_time(kind: pa.TimestampType) -> pa.TimestampType:
    zone = "UTC" if kind.tz and not _is_known(kind.tz) else kind.tz
    return pa.timestamp("ms" if kind.unit == "s" else kind.unit, zone)


@cache
def _is_known(zone: str) -> bool:
    """True if Python and Polars, which later steps read columns with, know the time zone."""
    import polars as pl  # 25 MB

    noon = pa.array([0], pa.timestamp("s", zone))
    try:
        noon.to_pylist()
        pl.from_arrow(noon)
        return True
    except (LookupError, pl.exceptions.ComputeError):
        return False


def children(kind: pa.DataType) -> list[pa.Field]:
    """Return the fields of a struct, the key and item of a map, the item of a list; none for any other type."""
    if pa.types.is_map(kind):
        return [kind.key_field, kind.item_field]
    if pa.types.is_struct(kind):
        return list(kind)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return [kind.value_field] if is_list else []


def is_string(kind: pa.DataType) -> bool:
    """True if a type, or the values of a dictionary type, are strings of any layout."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_bytes(kind: pa.DataType) -> bool:
    """True if a plain type is binary of any layout."""
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return bytes as strings without a check: some writers store text as binary."""
    return pa.chunked_array([chunk.cast(pa.large_binary()).view(STRING) for chunk in column.chunks], STRING)


def text_or_hex(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return bytes as strings; a value that is not valid UTF-8, such as a hash, becomes hexadecimal."""
    return pa.chunked_array([[None if v is None else _text_or_hex(v) for v in column.to_pylist()]], STRING)


def _text_or_hex(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.hex()


def holds_text(kind: pa.DataType) -> bool:
    """True if a plain type is a string or holds strings at any depth."""
    return is_string(kind) or any(holds_text(field.type) for field in children(kind))


def _cast(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(array.type, pa.UuidType):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], kind)
    if isinstance(array.type, pa.BaseExtensionType):
        return _cast(array.storage, kind)
    if pa.types.is_run_end_encoded(array.type):
        runs = np.searchsorted(array.run_ends, np.arange(array.offset, array.offset + len(array)), side="right")
        return _cast(array.values, kind).take(pa.array(runs))
    if pa.types.is_dictionary(array.type):
        return _cast(array.dictionary, kind).take(array.indices)
    return array.cast(kind)


def python_values(column: pa.Array | pa.ChunkedArray) -> list:
    """Convert cells to Python values; a date or zone that Python cannot hold becomes what Arrow prints for its cell."""
    try:
        return column.to_pylist()
    except (ValueError, OverflowError, LookupError):
        return [_python_value(column.slice(row, 1)) for row in range(len(column))]


def _python_value(cell: pa.Array | pa.ChunkedArray):
    try:
        return cell.to_pylist()[0]
    except (ValueError, OverflowError, LookupError):
        return cell.to_string(skip_new_lines=True).strip("[]")
