"""Units are cut by the files alone, and lose nothing."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ingesting import write

from gristmill.pipelines.inputs.inputs import File, InputSettings, find_files
from gristmill.pipelines.inputs.work_units import InputSlice, _runs, plan_work_units, unit_bytes


@given(data=st.text("ab\n", max_size=60).map(str.encode), work_unit_bytes=st.integers(1, 20))
def test_large_json_lines_are_cut_after_newlines(tmp_path_factory, data, work_unit_bytes):
    folder = write(tmp_path_factory.mktemp("raw"), x__jsonl=data)
    units, cuts = plan_work_units(find_files(InputSettings(paths=[str(folder)])), work_unit_bytes)
    if len(data) <= work_unit_bytes:
        assert [piece.end for (piece,) in units] == [None]
        assert not cuts
        return
    parts = [data[piece.start : piece.end] for (piece,) in units]
    assert b"".join(parts) == data
    assert all(part.endswith(b"\n") for part in parts[:-1])
    assert all(b"\n" not in part[work_unit_bytes - 1 : -1] for part in parts)
    assert [piece.first for (piece,) in units] == [1 + data[: piece.start].count(b"\n") for (piece,) in units]
    assert plan_work_units([units[0][0].file], work_unit_bytes, cuts) == (units, cuts)


@given(st.lists(st.integers(0, 9), max_size=9), st.integers(1, 12))
def test_runs_hold_at_most_the_limit_or_one_item(sizes, limit):
    runs = list(_runs(sizes, limit))
    assert [i for begin, end in runs for i in range(begin, end)] == list(range(len(sizes)))
    assert all(sum(sizes[begin:end]) <= limit or end == begin + 1 for begin, end in runs)


def test_row_groups_are_cut_and_numbered(tmp_path):
    write(tmp_path, y__parquet=b"x" * 1000)
    pq.write_table(
        pa.table({"text": ["x" * 100] * 70}), tmp_path / "x.parquet", row_group_size=10, use_dictionary=False
    )
    units, _ = plan_work_units(find_files(InputSettings(paths=[str(tmp_path)])), 999)
    assert [(p.file.name, p.start, p.end, p.first) for (p,) in units] == [
        *[("x.parquet", g, g + 1, 1 + 10 * g) for g in range(7)],
        ("y.parquet", 0, None, 1),  # not Parquet: its reader says so
    ]


def test_small_files_are_packed_in_order():
    files = [
        File(name, name, "text", None, size, "") for name, size in zip("abcdefg", (3, 3, 5, 20, 1, 9, 10), strict=True)
    ]
    units, cuts = plan_work_units(files, 10)
    assert ["".join(piece.file.name for piece in unit) for unit in units] == ["ab", "c", "d", "ef", "g"]
    assert units[2] == (InputSlice(files[3]),)
    assert not cuts


@pytest.mark.parametrize(
    ("megabytes", "unit", "units"),
    [(0, 2, 0), (2, 2, 1), (20, 2, 10), (64, 2, 32), (68, 4, 17), (256, 8, 32), (257, 16, 17), (5000, 64, 79)],
)
def test_the_size_of_a_unit_follows_from_the_input(megabytes, unit, units):
    size = megabytes << 20
    assert unit_bytes([File("x.jsonl", "x.jsonl", "jsonl", None, size, "")]) == unit << 20
    assert -(-size // (unit << 20)) == units
