"""Tables of every Arrow type: as text, as id and carried, each is read or rejected with one clear reason."""

import datetime
import decimal
import json
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import ingest, lines, write

from gristmill.pipelines.ingest.ingest import InputSettings
from gristmill.pipelines.inputs.column_types import JSON, json_text
from gristmill.pipelines.inputs.inputs import File
from gristmill.pipelines.inputs.records import documents
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers import arrow, read_unit
from gristmill.pipelines.readers.arrow import found_in
from gristmill.pipelines.readers.context import ReadContext

TEXTS, BYTES = ["ä", "bc", None], ["ä".encode(), b"bc", None]
UUIDS = [uuid.UUID(int=1), uuid.UUID(int=2)]


def encoded(values: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([1, 0, None], pa.int16()), values.take([1, 0]))


def view(kind: pa.DataType) -> pa.Array:
    return pa.array(TEXTS, kind) if kind == pa.string_view() else pa.array(BYTES, kind)


def dictionary_of_views(kind: pa.DataType) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0, 1, None], pa.int16()), view(kind).slice(0, 2))


def runs(values: pa.Array) -> pa.Array:
    return pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), values)


def extension(kind: pa.DataType, values: list) -> pa.Array:
    return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))


TEXT_COLUMNS = {
    "string": pa.array(TEXTS),
    "large_string": pa.array(TEXTS, pa.large_string()),
    "string_view": pa.array(TEXTS, pa.string_view()),
    "binary": pa.array(BYTES),
    "large_binary": pa.array(BYTES, pa.large_binary()),
    "binary_view": pa.array(BYTES, pa.binary_view()),
    "fixed_size_binary": pa.array(BYTES, pa.binary(2)),
    "dictionary": encoded(pa.array(TEXTS)),
    "dictionary_large": encoded(pa.array(TEXTS, pa.large_string())),
    "dictionary_binary": encoded(pa.array(BYTES)),
    "dictionary_view": dictionary_of_views(pa.string_view()),
    "dictionary_binary_view": dictionary_of_views(pa.binary_view()),
    "dictionary_dictionary": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None]), pa.array(TEXTS[:2]).dictionary_encode()
    ),
    "dictionary_null": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array(TEXTS)),
    "run_end": runs(pa.array(TEXTS)),
    "run_end_dictionary": runs(pa.array(TEXTS).dictionary_encode()),
    "run_end_view": runs(pa.array(TEXTS, pa.string_view())),
    "extension_json": extension(pa.json_(), TEXTS),
    "extension_opaque": extension(pa.opaque(pa.string(), "kind", "vendor"), TEXTS),
    "extension_view": extension(pa.opaque(pa.string_view(), "kind", "vendor"), TEXTS),
}

DAY = datetime.date(2020, 1, 2)
MOMENT = datetime.datetime(2020, 1, 2, 3, 4, 5)
OTHER_COLUMNS = {
    "null": pa.nulls(3),
    "bool": pa.array([True, False, None]),
    **{str(kind): pa.array([1, 2, None], kind) for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{str(kind): pa.array([1, 2, None], kind) for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())},
    "half": pa.array([np.float16(0.5), np.float16(2), None], pa.float16()),
    "float": pa.array([0.5, 2, None], pa.float32()),
    "double": pa.array([0.5, float("nan"), None]),
    **{
        str(kind): pa.array([decimal.Decimal("1.25"), decimal.Decimal(2), None], kind)
        for kind in (pa.decimal32(5, 2), pa.decimal64(12, 2), pa.decimal128(20, 2), pa.decimal256(50, 2))
    },
    "date32": pa.array([DAY, DAY, None], pa.date32()),
    "date64": pa.array([DAY, DAY, None], pa.date64()),
    **{
        str(kind): pa.array([MOMENT.time(), datetime.time(1), None], kind)
        for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))
    },
    **{
        str(kind): pa.array([MOMENT, MOMENT, None], kind)
        for unit in ("s", "ms", "us", "ns")
        for kind in (pa.timestamp(unit), pa.timestamp(unit, "UTC"))
    },
    "zone": pa.array([1, 2, None], pa.int64()).cast(pa.timestamp("ms", "Europe/Berlin")),
    "unknown_zone": pa.array([1, 2, None], pa.int64()).cast(pa.timestamp("ms", "Nowhere/Land")),
    "extreme_date": pa.array([2**31 - 1, -(2**31), None], pa.int32()).cast(pa.date32()),
    "extreme_time": pa.array([2**62, -(2**62), None], pa.int64()).cast(pa.timestamp("ms")),
    "duration": pa.array([datetime.timedelta(seconds=3), datetime.timedelta(days=1), None]),
    "month_interval": pa.array([pa.MonthDayNano([1, 2, 3]), pa.MonthDayNano([0, 0, 0]), None]),
    "dictionary_int": pa.array([1, 2, None]).dictionary_encode(),
    "uuid": extension(pa.uuid(), [*(value.bytes for value in UUIDS), None]),
    "bool8": extension(pa.bool8(), [1, 0, None]),
    "tensor": extension(pa.fixed_shape_tensor(pa.int32(), [2]), [[1, 2], [3, 4], None]),
    "union": pa.UnionArray.from_dense(
        pa.array([0, 1, 0], pa.int8()), pa.array([0, 0, 1], pa.int32()), [pa.array(["a", None]), pa.array([1])]
    ),
    "no_fields": pa.array([{}, {}, None], pa.struct([])),
    "list_of_dictionary_views": pa.ListArray.from_arrays(
        pa.array([0, 1, 3, 3], pa.int32()), dictionary_of_views(pa.string_view())
    ),
    "list_of_runs": pa.ListArray.from_arrays(pa.array([0, 1, 3, 3], pa.int32()), runs(pa.array(TEXTS))),
    "struct_of_uuid": pa.StructArray.from_arrays([extension(pa.uuid(), [UUIDS[0].bytes, None, None])], ["x"]),
    "deep": pa.array(
        [{"a": [{"b": "x"}]}, {"a": None}, None], pa.struct({"a": pa.list_(pa.struct({"b": pa.string_view()}))})
    ),
}
for _inner in (pa.string(), pa.string_view(), pa.binary_view(), pa.dictionary(pa.int8(), pa.string())):
    _cells = [[b"a", b"b"], [b"c", None], None] if _inner == pa.binary_view() else [["a", "b"], ["c", None], None]
    for _kind in (pa.list_(_inner), pa.large_list(_inner), pa.list_view(_inner), pa.large_list_view(_inner)):
        OTHER_COLUMNS[str(_kind)] = pa.array(_cells, _kind)
    OTHER_COLUMNS[f"fixed {_inner}"] = pa.array(_cells, pa.list_(_inner, 2))
    OTHER_COLUMNS[f"struct {_inner}"] = pa.array([c and {"x": c[0]} for c in _cells], pa.struct({"x": _inner}))
    OTHER_COLUMNS[f"map {_inner}"] = pa.array([c and [("k", c[0])] for c in _cells], pa.map_(pa.string(), _inner))
COLUMNS = TEXT_COLUMNS | OTHER_COLUMNS


def read(table: pa.Table, **settings) -> tuple[list[pa.Table], list[dict]]:
    """Return the documents of a table in memory, for types that Parquet cannot hold, and its rejects."""
    settings, rejects = InputSettings(**settings), []
    reading, piece = ReadContext(settings, rejects.append), InputSlice(File("x", "x", "parquet", None, 0, ""))
    found = found_in(table, np.arange(1, table.num_rows + 1), piece, reading)
    return [documents(batch, "x", "s", settings).columns for batch in found], rejects


def in_parquet(folder, columns: dict[str, pa.Array], name: str) -> list[str]:
    """Write a file for each column that Parquet can hold; return the names of these columns."""
    folder.mkdir()
    written = []
    for i, (key, column) in enumerate(columns.items()):
        path = folder / f"{i:03d}.parquet"
        try:
            pq.write_table(pa.table({"text": ["x", "y", "z"]} | {name: column}), path)
            written.append(key)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            path.unlink(missing_ok=True)
    return written


@pytest.mark.parametrize("name", TEXT_COLUMNS)
def test_text_of_every_layout_is_read(name):
    for text in (TEXT_COLUMNS[name], TEXT_COLUMNS[name].slice(1)):
        (made,), rejects = read(pa.table({"text": text}))
        wanted = TEXTS[-len(text) :]
        assert made["text"].to_pylist() == wanted[:-1]
        assert [(r["position"], r["reason"]) for r in rejects] == [(len(text), "no 'text': it is null")]


@pytest.mark.parametrize("name", OTHER_COLUMNS)
def test_text_of_any_other_type_is_rejected_row_by_row(name):
    made, rejects = read(pa.table({"text": OTHER_COLUMNS[name]}))
    assert sum(table.num_rows for table in made) + len(rejects) == 3
    assert not made or name == "uuid"
    for reject in rejects:
        assert reject["reason"].partition(":")[0] in ("text is not a string", "no 'text'")
        json.loads(reject["excerpt"])


@pytest.mark.parametrize("name", COLUMNS)
def test_carried_columns_of_every_type_are_stored(tmp_path, name):
    (made,), rejects = read(pa.table({"text": ["x", "y", "z"], "carried": COLUMNS[name]}))
    assert not rejects
    pq.write_table(made, tmp_path / "x.parquet")
    field, stored = made.field("carried"), pq.read_table(tmp_path / "x.parquet")["carried"]
    if not name.startswith(("extreme", "unknown")):
        wanted = COLUMNS[name].to_pylist()
        as_json = [None if value is None else json_text(value).decode() for value in wanted]
        found = stored.to_pylist()
        assert (
            found == as_json
            if field.metadata == JSON
            else (str(found) == str(wanted)) or name in ("bool8", "uuid", "struct_of_uuid")
        )


def test_carried_columns_of_every_type_join(tmp_path):
    raw = tmp_path / "raw"
    names = in_parquet(raw, COLUMNS, "carried")
    assert len(names) > 70
    made = ingest(tmp_path / "work", raw)
    assert not made.rejects
    assert made.table.num_rows == 3 * len(names)
    assert made.table.schema.field("carried").metadata == JSON
    for cell in made.table["carried"].drop_null().to_pylist():
        orjson.loads(cell)


@pytest.mark.parametrize("column", ["id", "source"])
def test_ids_and_sources_of_every_type_are_strings(tmp_path, column):
    for name, values in COLUMNS.items():
        (made,), rejects = read(pa.table({"text": ["x", "y", "z"], column: values}))
        assert not rejects
        cells = made[column].to_pylist()
        assert all(cells), name
        if name in TEXT_COLUMNS:
            assert cells == [*TEXTS[:2], "x:3" if column == "id" else "s"], name


def test_ids_of_bytes_that_are_no_text_are_hexadecimal():
    (made,), _ = read(pa.table({"text": ["x", "y"], "id": [b"\xff\x00", b"key"]}))
    assert made["id"].to_pylist() == ["ff00", "key"]
    (made,), _ = read(pa.table({"text": ["x", "y"], "id": extension(pa.uuid(), [u.bytes for u in UUIDS])}))
    assert made["id"].to_pylist() == [str(u) for u in UUIDS]


def test_invalid_utf8_is_rejected_at_any_depth_and_in_any_layout():
    bad = pa.array(["good", b"\xff\xfe", "good"], pa.binary())
    texts = bad.view(pa.string())
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 2, 3], pa.int32()), texts)
    columns = {
        "text": bad,
        "view": bad.cast(pa.binary_view()).view(pa.string_view()),
        "dictionary": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), texts),
        "list": lists,
        "struct": pa.StructArray.from_arrays([lists], ["x"]),
    }
    for name, column in columns.items():
        good = {"text": ["a", "b", "c"]} | {name: column}
        (made,), rejects = read(pa.table(good))
        assert made.num_rows == 2
        assert [(r["position"], r["reason"]) for r in rejects] == [(2, f"invalid UTF-8: in {name!r}")]


def test_rows_beside_a_column_of_categories_are_all_read(tmp_path):
    raw = write(tmp_path / "raw", z__jsonl=lines({"text": "one more"}))
    texts = pa.array([f"text {i % 7}" for i in range(2000)])
    pq.write_table(pa.table({"text": texts}), raw / "a.parquet")
    pq.write_table(pa.table({"text": texts.dictionary_encode()}), raw / "b.parquet", row_group_size=300)
    made = ingest(tmp_path / "work", raw)
    assert made.texts == [*texts.to_pylist(), *texts.to_pylist(), "one more"]
    assert not made.rejects


FLIPS = """
import sys
sys.path[:0] = sys.argv[2:]
from test_arrow import flip_each_byte
flip_each_byte(sys.argv[1])
"""


def flip_each_byte(path: str) -> None:
    """Read a file with each of its bytes changed, and print the number of files that gave a row or a reject."""
    whole, answers = Path(path).read_bytes(), 0
    for at in range(len(whole)):
        Path(path).write_bytes(whole[:at] + bytes([whole[at] ^ (1 + at % 255)]) + whole[at + 1 :])
        rejects: list[dict] = []
        piece = InputSlice(File(path, "x", "parquet", None, len(whole), ""))
        rows = sum(table.num_rows for table in read_unit((piece,), ReadContext(InputSettings(), rejects.append)))
        answers += bool(rows or rejects)
    print(answers, len(whole))


def test_no_damaged_byte_ends_the_process(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "text": pa.array(["x", None]).dictionary_encode()}), path)
    command = [sys.executable, "-c", FLIPS, path, *[folder for folder in sys.path if folder]]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    answers, files = map(int, done.stdout.split())
    assert answers == files > 500


def test_an_error_of_our_code_is_not_damage(tmp_path, monkeypatch):
    from gristmill.pipelines.readers import arrow

    raw = write(tmp_path / "raw")
    pq.write_table(pa.table({"text": ["a"]}), raw / "x.parquet")

    def broken(*args):
        raise pa.ArrowInvalid("a mistake of ours")

    monkeypatch.setattr(arrow, "normalize_column", broken)
    with pytest.raises(pa.ArrowInvalid, match="a mistake of ours"):
        ingest(tmp_path / "work", raw)


def test_rows_at_a_time_follow_from_the_size_of_decoded_ones(tmp_path, monkeypatch):
    """Read texts that a dictionary holds once: their size in the file says nothing of that in memory."""
    monkeypatch.setattr(arrow, "FIRST_ROWS", 2)
    texts = ["x" * 1000] * 100 + ["y"] * 100_000
    path = tmp_path / "x.parquet"
    for column in (pa.array(texts), pa.array(texts).dictionary_encode()):
        pq.write_table(pa.table({"text": column}), path, row_group_size=60_000)
        file = File(str(path), "x", "parquet", None, path.stat().st_size, "", block_bytes=10_000)
        piece = InputSlice(file)
        batches = list(arrow.read_parquet(piece, ReadContext(InputSettings(), pytest.fail)))
        assert [text for found in batches for text in found.columns["text"].to_pylist()] == texts
        assert np.concatenate([found.numbers for found in batches]).tolist() == list(range(1, len(texts) + 1))
        assert max(found.columns.nbytes for found in batches) < 4.5 * 10_000  # it grows fourfold at most
        assert max(found.numbers.size for found in batches) > 500
