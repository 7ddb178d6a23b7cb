"""Raw files of every format -> documents, the same whatever the cut, the order, and where a run was killed."""

import gzip
import os
import random
import shutil
from datetime import date, datetime
from uuid import UUID

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ingesting import Ingested, ingest, lines, write

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ingest import finalize as settling
from gristmill.pipelines.ingest import ingest as ingesting
from gristmill.pipelines.ingest.ingest import InputSettings, read_documents
from gristmill.pipelines.inputs.column_types import JSON
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.readers import streaming
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.steps.step import Output
from gristmill.pipelines.steps.threads import thread_limit
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest

ROWS = [{"id": f"doc-{i}", "text": f"Text {i}.\n" * (i % 7 + 1), "n": i} for i in range(60)]


def documents(made: Ingested) -> dict[str, dict]:
    rows = {row["id"]: row for row in made.rows}
    assert len(rows) == made.table.num_rows
    return rows


def files(work) -> dict[str, bytes]:
    return {str(path.relative_to(work)): path.read_bytes() for path in sorted(work.rglob("*")) if path.is_file()}


def test_json_lines_keep_every_column(tmp_path):
    row = {"id": "a", "text": "t", "source": "s", "z": 1, "labels": {"a": [1, None]}, "b": None, "c": True}
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__jsonl=lines(row)))
    assert made.table.schema.names == ["id", "text", "source", "b", "c", "labels", "z"]
    assert made.rows == [row | {"labels": '{"a":[1,null]}'}]
    assert made.table.schema.field("labels").metadata == JSON


def test_columns_are_mapped_and_those_in_their_way_are_carried(tmp_path):
    row = {"doc": 7, "body": "b", "site": "x", "text": "other", "id": 3, "source": None}
    raw = write(tmp_path / "raw", x__jsonl=lines(row, {"doc": 8, "body": "c"}))
    made = ingest(tmp_path / "work", raw, text="body", id="doc", source_column="site")
    assert made.rows == [
        {"id": "7", "text": "b", "source": "x", "input.id": 3, "input.source": None, "input.text": "other"}
    ]
    assert made.places == [("x.jsonl", 2, "no 'site'")]


def test_ids_and_sources_that_are_missing_are_made(tmp_path):
    rows = [{"text": "a"}, {"id": "", "text": "b"}, {"id": None, "source": "s", "text": "c"}, {"id": 5, "text": "d"}]
    rows += [{"id": 2.5, "text": "e"}, {"id": "5x", "text": "f"}, {"id": [1], "text": "g"}]
    raw = write(tmp_path / "raw" / "wiki", x__jsonl=b"\n" + lines(*rows))
    made = ingest(tmp_path / "work", raw.parent)
    ids = ["wiki/x.jsonl:2", "wiki/x.jsonl:3", "wiki/x.jsonl:4", "5", "2.5", "5x", "[1]"]
    assert [row["id"] for row in made.rows] == ids
    assert [row["source"] for row in made.rows] == ["wiki", "wiki", "s", "wiki", "wiki", "wiki", "wiki"]


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (pa.array([1.0, 2.5, float("nan"), 1e22, float("inf")]), ["1", "2.5", None, "10000000000000000000000", None]),
        (pa.array([date(2020, 1, 2), None]), ["2020-01-02", None]),
        (pa.array([datetime(2020, 1, 2, 3, 4)]), ["2020-01-02T03:04:00"]),
        (pa.array([UUID(int=7).bytes], pa.uuid()), ["00000000-0000-0000-0000-000000000007"]),
        (pa.array([2**64 - 1], pa.uint64()), ["18446744073709551615"]),
        (pa.array([True, False]), ["true", "false"]),
    ],
)
def test_ids_of_any_type_are_plain_text(tmp_path, ids, expected):
    raw = write(tmp_path / "raw")
    pq.write_table(pa.table({"id": ids, "text": ["some text"] * len(ids)}), raw / "x.parquet")
    made = ingest(tmp_path / "work", raw)
    assert [row["id"] for row in made.rows] == [i or f"x.parquet:{n}" for n, i in enumerate(expected, 1)]


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "jsonl.zst", "parquet", "csv", "tsv"])
def test_formats_of_rows_give_the_same_documents(tmp_path, suffix):
    raw, table = write(tmp_path / "raw"), pa.Table.from_pylist(ROWS)
    path = raw / f"x.{suffix}"
    if suffix.startswith("jsonl"):
        compress = {"jsonl": bytes, "jsonl.gz": gzip.compress, "jsonl.zst": zstandard.compress}[suffix]
        path.write_bytes(b"\xef\xbb\xbf" * (suffix == "jsonl") + compress(lines(*ROWS)))
    elif suffix == "parquet":
        pq.write_table(table, path, row_group_size=7)
    else:
        comma = "\t" if suffix == "tsv" else ","
        rows = [comma.join(["id", "text", "n"]), *(comma.join([r["id"], f'"{r["text"]}"', str(r["n"])]) for r in ROWS)]
        path.write_text("\n".join(rows), newline="")
    n = str if suffix in ("csv", "tsv") else int
    quoted = {"quote": '"'} if suffix == "tsv" else {}  # TSV has no quotes unless told
    assert ingest(tmp_path / "work", raw, **quoted).rows == [
        {"id": row["id"], "text": row["text"], "source": "input", "n": n(row["n"])} for row in ROWS
    ]


def test_plain_text_is_a_document_a_file_or_between_separators(tmp_path):
    raw = write(tmp_path / "raw", a__txt=b"\xef\xbb\xbfone\n%\ntwo\n%\n \n%\nthree", b__rst=b"four\r\n")
    made = ingest(tmp_path / "work", raw)
    assert made.texts == ["one\n%\ntwo\n%\n \n%\nthree", "four\r\n"]
    made = ingest(tmp_path / "split", raw, separator="\n%\n")
    assert {row["id"]: row["text"] for row in made.rows} == {
        "a.txt:1": "one",
        "a.txt:2": "two",
        "a.txt:4": "three",
        "b.rst:1": "four\r\n",
    }


def test_saved_and_streamed_data_sets_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    saved = datasets.Dataset.from_list([{"text": "a", "n": 1}, {"text": None, "n": 2}, {"text": "c", "n": 3}])
    saved.save_to_disk(tmp_path / "saved")
    made = ingest(tmp_path / "work", tmp_path / "saved", format="hf")
    assert made.rows == [
        {"id": "saved:1", "text": "a", "source": "saved", "n": 1},
        {"id": "saved:3", "text": "c", "source": "saved", "n": 3},
    ]
    assert made.places == [("saved", 2, "no 'text'")]
    write(tmp_path / "loose", train__jsonl=lines(*ROWS))
    made = ingest(tmp_path / "streamed", tmp_path / "loose", format="hf")
    assert [row["id"] for row in made.rows] == [row["id"] for row in ROWS]
    assert ingest(tmp_path / "files", tmp_path / "saved").texts == ["a", "c"]  # its Arrow files, by their names
    datasets.DatasetDict({"dev": saved}).save_to_disk(tmp_path / "splits")
    with pytest.raises(InputError, match=r"has no split 'train'; set split in \[input\]: dev$"):
        ingest(tmp_path / "none", tmp_path / "splits", format="hf")


def test_urls_are_read_and_written(tmp_path):
    memory = fsspec.filesystem("memory")
    memory.pipe("/raw/x.jsonl", lines(*ROWS))
    made = ingest(tmp_path / "work", "memory://raw", work_unit_bytes=500)
    assert len(documents(made)) == len(ROWS)
    memory.rm("/raw", recursive=True)


def test_documents_are_read_without_a_work_folder(tmp_path, caplog):
    raw = write(tmp_path / "raw", x__jsonl=lines(*ROWS) + b"{", y__txt=b"text")
    tables = list(read_documents([str(raw)], InputSettings()))
    assert [id for table in tables for id in table["id"].to_pylist()] == [*(row["id"] for row in ROWS), "y.txt:1"]
    assert "cannot read x.jsonl:61: " in caplog.text


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(st.one_of(st.just({"text": "a\nb"}), st.just({"text": 1}), st.text("x\n", max_size=9)), max_size=12),
    work_unit_bytes=st.integers(1, 60),
)
def test_byte_ranges_give_the_documents_of_the_whole(tmp_path_factory, rows, work_unit_bytes):
    folder = tmp_path_factory.mktemp("cut")
    data = b"\n".join(row.encode() if isinstance(row, str) else orjson.dumps(row) for row in rows)
    raw = write(folder / "raw", x__jsonl=data, y__jsonl=lines({"text": "one more"}))
    whole = ingest(folder / "whole", raw)
    cut = ingest(folder / "cut", raw, work_unit_bytes=work_unit_bytes)
    assert cut.rows == whole.rows
    assert [r for r in cut.rejects if "empty" not in r["reason"]] == [
        r for r in whole.rejects if "empty" not in r["reason"]
    ]


def test_row_groups_give_the_documents_of_the_whole(tmp_path):
    raw = write(tmp_path / "raw")
    pq.write_table(pa.table({"text": [row["text"] for row in ROWS]}), raw / "x.parquet", row_group_size=7)
    whole, cut = ingest(tmp_path / "whole", raw), ingest(tmp_path / "cut", raw, work_unit_bytes=100)
    assert len(list((tmp_path / "cut" / "documents").glob("*.parquet"))) == 9
    assert cut.rows == whole.rows
    assert whole.rows[59]["id"] == "x.parquet:60"


def test_one_file_or_seven_in_any_order_give_the_same_rows(tmp_path):
    rows = [dict(row, extra=row["n"] if row["n"] % 3 else 0.5) for row in ROWS]
    rows += [
        {"id": "twice", "text": "a"},
        {"id": "twice", "text": "b", "only": {"here": 1}},
        {"id": "twice", "text": "a"},
    ]
    one = ingest(tmp_path / "one", write(tmp_path / "raw1", x__jsonl__gz=gzip.compress(lines(*rows))))
    random.Random(0).shuffle(rows)
    parts = {f"{name}__jsonl": lines(*rows[i::7]) for i, name in enumerate("bgacfde")}
    seven = ingest(tmp_path / "seven", write(tmp_path / "raw7", **parts), work_unit_bytes=300)
    assert documents(seven) == documents(one)
    assert seven.table.schema.equals(one.table.schema, check_metadata=True)
    assert {row["extra"] for row in seven.rows} >= {None, 0.5, 58.0}


def test_colliding_ids_are_renamed_whatever_their_order(tmp_path):
    rows = [{"id": "a", "text": "1"}, {"id": "a", "text": "2"}, {"id": "b", "text": "1"}, {"id": "a", "text": "1"}]
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__jsonl=lines(*rows)))
    ids = [row["id"] for row in made.rows]
    assert ids[2] == "b"
    assert ids[3] == f"{ids[0]}-2"
    assert all(id.startswith("a~") and len(id) == 18 for id in ids[:2])
    assert Manifest.read(made.work / "documents").counts["ids_renamed"] == 3
    # What was renamed meets itself again: no id is given twice.
    again = write(tmp_path / "again", x__jsonl=lines(*rows), y__jsonl=lines(*made.rows))
    assert len(documents(ingest(tmp_path / "work2", again))) == 8


def test_ids_are_compared_in_parts_where_there_are_many(tmp_path, monkeypatch):
    raw = write(tmp_path / "raw", x__jsonl=lines(*ROWS, *ROWS))
    whole = ingest(tmp_path / "whole", raw)
    monkeypatch.setattr(settling, "BATCH_IDS", 7)
    assert documents(ingest(tmp_path / "parts", raw)) == documents(whole)


def test_equal_ids_and_only_those_have_equal_hashes():
    ids = ["", "a", "b", "a", "\0", "", "a" * 1000, "é"]
    hashes = hash_rows(*Ragged.from_strings(ids)).tolist()
    assert [ids.index(id) for id in ids] == [hashes.index(each) for each in hashes]


def test_only_shards_that_differ_are_rewritten(tmp_path, monkeypatch):
    written = []
    write_shard = settling.write_shard
    monkeypatch.setattr(
        settling, "write_shard", lambda path, *rest: written.append(path.name) or write_shard(path, *rest)
    )
    more = lines({"text": "x", "a": 1, "b": 2.5})
    raw = write(tmp_path / "raw", x__jsonl=more, y__jsonl=lines({"text": "y", "b": 1}), z__jsonl=more)
    made = ingest(tmp_path / "work", raw, work_unit_bytes=10)
    assert written == ["part-00001-000.parquet"]
    assert {row["text"]: row["b"] for row in made.rows} == {"x": 2.5, "y": 1.0}


def test_a_sample_is_chosen_by_id(tmp_path):
    raw = write(tmp_path / "raw", x__jsonl=lines(*ROWS))
    half, fewer = (documents(ingest(tmp_path / str(s), raw, sample=s)) for s in (0.5, 0.2))
    assert 15 < len(half) < 45
    assert fewer.keys() < half.keys()


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_shards_hold_so_many_rows(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr(ingesting, "SHARD_ROWS", 3)
    monkeypatch.setattr(streaming, "MAX_RECORDS", 7)  # a reader gives this many at once
    rows = [{"id": str(i), "text": ""} for i in range(8)]
    raw = write(tmp_path / "raw", x__jsonl=lines(*rows))
    if suffix == "parquet":
        (raw / "x.jsonl").unlink()
        pq.write_table(pa.Table.from_pylist(rows), raw / "x.parquet")
    made = ingest(tmp_path / "work", raw)
    assert [row["id"] for row in made.rows] == [row["id"] for row in rows]
    paths = sorted((tmp_path / "work" / "documents").glob("*.parquet"))
    assert [pq.read_metadata(path).num_rows for path in paths] == [3, 3, 2]


@pytest.mark.parametrize(("limit", "shards"), [(6, [2, 2]), (7, [3, 1]), (8, [4])])
def test_shards_hold_so_many_lines(tmp_path, monkeypatch, limit, shards):
    monkeypatch.setattr(ingesting, "SHARD_LINES", limit)
    monkeypatch.setattr(streaming, "MAX_RECORDS", 1)
    texts = ["a\nb\nc\n", "d\ne\nf\n", "g\nh", "i\nj"]  # 3, 6, 7 and 8 line breaks so far
    raw = write(tmp_path / "raw", x__jsonl=lines(*({"text": text} for text in texts)))
    assert [row["text"] for row in ingest(tmp_path / "work", raw).rows] == texts
    paths = sorted((tmp_path / "work" / "documents").glob("*.parquet"))
    assert [pq.read_metadata(path).num_rows for path in paths] == shards


def test_a_finished_shard_does_not_stay_in_memory(tmp_path):
    size = 1 << 20
    before, held = pa.total_allocated_bytes(), []

    def tables():
        for i in range(9):
            held.append(pa.total_allocated_bytes() - before)
            yield pa.table({"id": [str(i)], "text": ["x" * size], "source": ["s"]}, DOCUMENT)

    wrote = ingesting.write_documents(tables(), Output(to_path(tmp_path), "part"), shard_bytes=2 * size)
    assert wrote.names == [f"part-{k:03d}.parquet" for k in range(5)]
    assert max(held) < 1.5 * size  # the table before it, in a shard or not


def test_one_compressed_file_becomes_several_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(ingesting, "unit_bytes", lambda files: 1 << 20)
    rows = [{"id": str(i), "text": "x" * 100_000} for i in range(60)]
    raw = write(tmp_path / "raw", x__jsonl__gz=gzip.compress(lines(*rows)))
    with thread_limit(2):  # a shard is written while the next is read
        made = ingest(tmp_path / "work", raw)
    assert [row["text"] for row in made.rows] == [row["text"] for row in rows]
    shards = sorted((tmp_path / "work" / "documents").glob("*.parquet"))
    assert [pq.read_metadata(path).num_rows for path in shards] == [25, 25, 10]


class Killed(BaseException):
    """SIGKILL, as far as a test can have it without a process for each."""


def test_a_run_killed_at_any_write_ends_as_if_it_had_not_been(tmp_path, monkeypatch):
    """In turn each file that a run writes is the one it is killed over: it lies there under its temporary name."""
    rows = [*ROWS[:6], {"id": "doc-0", "text": "again", "only": 1}, {"id": "doc-4", "text": "and again"}]
    raw = write(tmp_path / "raw", x__jsonl=lines(*rows[::2]) + b"[]\n", y__jsonl=lines(*rows[1::2]))
    whole = files(ingest(tmp_path / "whole", raw, work_unit_bytes=10).work)
    replace, written = os.replace, 0

    def die_in_time(source, target):
        nonlocal written
        written += 1
        if written == fatal:
            shutil.copy(source, f"{source}0")  # a test cannot die without cleaning up
            raise Killed
        replace(source, target)

    monkeypatch.setattr(os, "replace", die_in_time)
    for fatal in range(1, 1000):
        written, work = 0, tmp_path / str(fatal)
        try:
            ingest(work, raw, work_unit_bytes=10)
        except Killed:
            fatal = None
            ingest(work, raw, work_unit_bytes=10)
        assert files(work) == whole
        if fatal:
            break
    assert fatal > 40  # two shards of each document, its records, rejects, the plan, two manifests
