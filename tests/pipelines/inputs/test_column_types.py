"""Column types join to what all values fit, whatever the order and the cut."""

import datetime

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.inputs.column_types import (
    JSON,
    cast_table,
    column_of,
    is_subschema,
    join_schemas,
    normalize_column,
)

HEAD = pa.schema([])


def table_of(values: list) -> pa.Table:
    field, array = column_of("x", values)
    return pa.Table.from_arrays([array], schema=pa.schema([field]))


def joined(*batches: list) -> pa.Table:
    tables = [table_of(batch) for batch in batches]
    schema = join_schemas([table.schema for table in tables], HEAD)
    return pa.concat_tables([cast_table(table, schema) for table in tables])


@pytest.mark.parametrize(
    ("left", "right", "kind", "values"),
    [
        ([None], [None], pa.null(), [None, None]),
        ([None], [True], pa.bool_(), [None, True]),
        ([None], [1], pa.int64(), [None, 1]),
        ([1], [0.5], pa.float64(), [1.0, 0.5]),
        ([2**53], [0.5], pa.float64(), [2.0**53, 0.5]),
        (["a"], [None], pa.large_string(), ["a", None]),
    ],
)
def test_types_that_meet_join(left, right, kind, values):
    made = joined(left, right)
    assert made.schema.field("x").type == kind
    assert not made.schema.field("x").metadata
    assert made["x"].to_pylist() == values


@pytest.mark.parametrize(
    ("left", "right", "texts"),
    [
        (["a"], [1], ['"a"', "1"]),
        ([True], [1], ["true", "1"]),
        ([2**53 + 1], [0.5], ["9007199254740993", "0.5"]),
        ([2**64 - 1], [1], ["18446744073709551615", "1"]),
        ([{"b": 1, "a": [None]}], ["é"], ['{"b":1,"a":[null]}', '"é"']),
        ([[1.0, 2]], [None], ["[1.0,2]", None]),
        ([1.0, 2], ["a"], ["1", "2", '"a"']),
    ],
)
def test_types_that_do_not_meet_become_json(left, right, texts):
    made = joined(left, right)
    assert made.schema.field("x").metadata == JSON
    assert made["x"].to_pylist() == texts


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=2),
    st.lists(st.integers(0, 2), max_size=2),
)


@given(st.lists(values, min_size=1, max_size=6), st.data())
def test_a_column_does_not_depend_on_the_cut(column, data):
    at = data.draw(st.integers(0, len(column)))
    whole, cut = joined(column), joined(column[:at], column[at:])
    assert whole.schema.equals(cut.schema)
    assert is_subschema(whole.schema, cut.schema)
    assert whole["x"].to_pylist() == cut["x"].to_pylist()


def test_columns_follow_the_head_in_alphabetical_order():
    head = pa.schema([("text", pa.large_string())])
    schemas = [pa.schema([("text", pa.large_string()), ("b", pa.int64())]), pa.schema([("a", pa.bool_())])]
    assert join_schemas(schemas, head).names == ["text", "a", "b"]


def test_arrow_types_are_kept_and_promoted():
    day = pa.array([datetime.date(2020, 1, 2)])
    field, column = normalize_column(pa.field("x", day.type), pa.chunked_array([day]))
    assert field.type == pa.date32()
    small, large = pa.schema([("x", pa.int32())]), pa.schema([("x", pa.int64())])
    assert join_schemas([small, large], HEAD).field("x").type == pa.int64()
    texts = pa.Table.from_arrays([column], schema=pa.schema([field]))
    schema = join_schemas([texts.schema, table_of([1]).schema], HEAD)
    assert cast_table(texts, schema)["x"].to_pylist() == ['"2020-01-02"']


@pytest.mark.parametrize("column", [pa.array(["a", None]), pa.array(["a", None]).dictionary_encode()])
def test_strings_of_any_layout_are_one_type(column):
    view = pl.Series(["a", None]).to_arrow()
    for array in (column, view):
        field, made = normalize_column(pa.field("x", array.type), pa.chunked_array([array]))
        assert field.type == made.type == pa.large_string()
        assert made.to_pylist() == ["a", None]


def test_columns_that_a_table_lacks_are_null():
    wanted = pa.schema({"n": pa.int64(), "more": pa.int64(), "nothing": pa.null()})
    assert cast_table(pa.table({"n": [1, 2]}), wanted).to_pylist() == [
        {"n": 1, "more": None, "nothing": None},
        {"n": 2, "more": None, "nothing": None},
    ]
