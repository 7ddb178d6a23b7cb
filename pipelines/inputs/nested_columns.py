"""Fields of structs as columns: the setting `text = "payload.body"` of tables."""

import pyarrow as pa
import pyarrow.compute as pc


def take_nested(table: pa.Table, path: str) -> pa.Table:
    """Return a table with a struct's field ``a.b`` as a column of that name, taken out of its struct.

    A column that is named so itself wins; a path that leads to no field changes nothing.
    """
    head, *fields = path.split(".")
    if path in table.column_names or head not in table.column_names:
        return table
    kind = table[head].type
    for name in fields:
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return table
        kind = kind.field(name).type
    column, at = table[head], table.column_names.index(head)
    rest = [_without(chunk, fields) for chunk in column.chunks]
    table = table.append_column(path, pc.struct_field(column, fields))
    kept = [chunk for chunk in rest if chunk is not None]
    return table.set_column(at, head, pa.chunked_array(kept)) if kept else table.remove_column(at)


def _without(array: pa.StructArray, fields: list[str]) -> pa.StructArray | None:
    """Return a struct without a nested field; None if nothing is left of it."""
    first, *deeper = fields
    at, parts = array.type.get_field_index(first), array.flatten()
    inner = _without(parts[at], deeper) if deeper else None
    parts = [*parts[:at], *([] if inner is None else [inner]), *parts[at + 1 :]]
    names = [field.name for i, field in enumerate(array.type) if i != at or inner is not None]
    return pa.StructArray.from_arrays(parts, names, mask=array.is_null()) if parts else None
