"""Values that Python or another type cannot hold, under ids that occur twice and in files that differ."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingesting import ingest, write

from gristmill.pipelines.inputs.column_types import cast_table, join_schemas, normalize_column

FAR = [-(1 << 63), -(1 << 62), -1, 0, (1 << 53) + 1, (1 << 63) - 1]
UNITS = ("s", "ms", "us", "ns")


def times(kind: pa.DataType) -> pa.Array:
    return pa.array(np.array(FAR, np.int64)).view(kind)


ODD = {
    **{f"timestamp {unit}": times(pa.timestamp(unit)) for unit in UNITS[1:]},
    **{
        f"zone {zone}": times(pa.timestamp("us", zone))
        for zone in ("UTC", "+07:30", "Mars/Phobos", "GMT+2", "\x1b[31m")
    },
    **{f"duration {unit}": times(pa.duration(unit)) for unit in UNITS},
    "date64": pa.array([far // 86_400_000 * 86_400_000 for far in FAR[1:]] + [86_400_000]).view(pa.date64()),
    "date32": pa.array([-(1 << 31), -1, 0, 1, 2, (1 << 31) - 1], pa.int32()).view(pa.date32()),
    "time64": pa.array([0, 1, 2, 3, 4, 5]).view(pa.time64("us")),
    "decimal": pa.array([0, 1, 2, 3, 4, 10**30], pa.decimal128(38, 0)),
    "uint64": pa.array([0, 1, 2, 3, 1 << 63, (1 << 64) - 1], pa.uint64()),
    "double": pa.array([0.0, 0.5, float("nan"), -0.5, 1e300, 5e-324]),
    "binary": pa.array([b"", b"\xff", None, b"\0", b"x", b"y"]),
}
ODD |= {
    "list": pa.array([[far] for far in FAR])
    .cast(pa.list_(pa.int64()))
    .cast(pa.list_(pa.timestamp("ms", "Mars/Phobos"))),
    "struct": pa.StructArray.from_arrays([ODD["timestamp ms"], ODD["date32"]], ["a", "b"]),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_values_under_equal_ids_are_kept(tmp_path, kind):
    """Names come from the rows, so rows that differ in the odd column alone get different ones."""
    column = ODD[kind]
    table = pa.table({"id": ["same"] * 6, "text": ["text"] * 6, "odd": column})
    raw = write(tmp_path / "raw")
    pq.write_table(table, raw / "x.parquet")
    made = ingest(tmp_path / "work", raw).table
    assert len(set(made["id"].to_pylist())) == 6
    assert not [id for id in made["id"].to_pylist() if "-2" in id]
    kept = pl.from_arrow(made.select(["odd"]))  # as all later steps read it
    assert kept.height == 6
    backwards = write(tmp_path / "backwards")
    pq.write_table(table.take([5, 4, 3, 2, 1, 0]), backwards / "x.parquet", row_group_size=2)
    again = ingest(tmp_path / "again", backwards).table
    assert again["id"].to_pylist()[::-1] == made["id"].to_pylist()


def test_a_zone_that_nobody_knows_becomes_utc_at_the_same_instant(tmp_path):
    raw = write(tmp_path / "raw")
    zones = {"known": "Europe/Berlin", "unknown": "Mars/Phobos"}
    columns = {name: pa.array([12345], pa.timestamp("s", zone)) for name, zone in zones.items()}
    pq.write_table(pa.table({"text": ["x"], **columns}), raw / "x.parquet", coerce_timestamps="us")
    made = ingest(tmp_path / "work", raw).table
    assert str(made.schema.field("known").type) == "timestamp[us, tz=Europe/Berlin]"
    assert str(made.schema.field("unknown").type) == "timestamp[us, tz=UTC]"
    assert made["known"].cast(pa.int64()).to_pylist() == made["unknown"].cast(pa.int64()).to_pylist() == [12345000000]


@pytest.mark.parametrize(
    ("seconds", "kind"), [(FAR, "large_string"), (FAR[2:4], "timestamp[ms]"), ([], "timestamp[ms]")]
)
def test_seconds_become_milliseconds_or_json(seconds, kind):
    """Parquet has no seconds; Hugging Face datasets do."""
    times = pa.array(np.array(seconds, np.int64)).view(pa.timestamp("s"))
    field, column = normalize_column(pa.field("x", times.type), pa.chunked_array([times], times.type))
    assert (str(field.type), len(column)) == (kind, len(seconds))


LEAVES = [*(pa.timestamp(unit) for unit in UNITS), *(pa.duration(unit) for unit in UNITS), pa.date64()]
LEAVES += [pa.int64(), pa.uint64(), pa.int32(), pa.float32(), pa.float64(), pa.timestamp("us", "UTC"), pa.time64("ns")]
SHORT = {pa.int32(): "i4", pa.float32(): "f4"}


def column(kind: pa.DataType, values: list[int]) -> pa.ChunkedArray:
    if kind in SHORT:
        return pa.chunked_array([pa.array(np.array(values, np.int64).astype(SHORT[kind]))])
    if pa.types.is_time64(kind):
        values = [abs(value) % 10**9 for value in values]
    return pa.chunked_array([pa.array(np.array(values, np.int64)).view(kind)])


@given(
    st.lists(
        st.tuples(st.sampled_from(LEAVES), st.lists(st.sampled_from(FAR) | st.integers(-9, 9), min_size=1, max_size=3)),
        min_size=2,
        max_size=4,
    )
)
def test_types_of_several_files_are_joined_whatever_their_values(columns):
    tables = []
    for kind, values in columns:
        field, data = normalize_column(pa.field("x", kind), column(kind, values))
        tables.append(pa.Table.from_arrays([data], schema=pa.schema([field])))
    schema = join_schemas([table.schema for table in tables], pa.schema([]))
    joined = [cast_table(table, schema) for table in tables]
    assert [table.num_rows for table in joined] == [len(values) for _, values in columns]
    assert schema == join_schemas([table.schema for table in reversed(tables)], pa.schema([]))
    assert all(table.column(0).null_count == 0 for table in joined)
