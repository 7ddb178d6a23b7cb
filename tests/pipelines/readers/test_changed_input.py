"""An input that changes between its listing and the end of its reading ends the run; a change of bytes alone is found
where `input.verify` asks."""

import gzip
import os

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import ingest, lines, write

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.inputs import InputSettings, check_unchanged, find_files
from gristmill.pipelines.inputs.work_units import plan_work_units
from gristmill.pipelines.readers import read_unit
from gristmill.pipelines.readers.context import ReadContext

ROWS = lines(*({"id": str(i), "text": f"text {i}"} for i in range(100)))


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def append(path):
    with path.open("ab") as file:
        file.write(ROWS[:100])


def replace(path):
    path.with_name("new").write_bytes(path.read_bytes() + b"\n")
    path.with_name("new").replace(path)


def overwrite(path):
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, ns=(0, 0))


def remove(path):
    path.unlink()


def empty(path):
    os.truncate(path, 0)


def keep(path):
    path.read_bytes()


FORMATS = {
    "x.jsonl": lambda path: path.write_bytes(ROWS),
    "x.jsonl.gz": lambda path: path.write_bytes(gzip.compress(ROWS, 0)),
    "x.csv": lambda path: path.write_bytes(b"text\n" + b"row\n" * 1000),
    "x.parquet": lambda path: pq.write_table(pa.table({"text": ["row"] * 1000}), path, row_group_size=100),
    "x.txt": lambda path: path.write_bytes(ROWS),
}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("change", [cut, append, replace, overwrite, remove, empty, keep])
def test_a_file_that_changes_between_two_blocks_is_named(tmp_path, name, change):
    """The reader has taken a block of two files and goes on when the first has changed."""
    path = write(tmp_path / "raw") / name
    FORMATS[name](path)
    write(tmp_path / "raw", y__jsonl=ROWS)
    settings = InputSettings(paths=[str(tmp_path / "raw")], separator="\n")
    ((*pieces,),), _ = plan_work_units([file._replace(block_bytes=500) for file in find_files(settings)], 1 << 20)
    tables = read_unit(tuple(pieces), ReadContext(settings, lambda reject: None))
    next(tables)
    change(path)
    if change is keep:
        assert sum(table.num_rows for table in tables) >= 100
        return
    with pytest.raises(InputError, match=rf"^{path} (changed|was written to|was removed) while it was read"):
        list(tables)


@pytest.mark.parametrize("change", [cut, append, remove, keep])
def test_a_file_that_changes_before_it_is_read_is_named(tmp_path, monkeypatch, change):
    """Byte ranges of a large file are read long after its listing."""
    path = write(tmp_path / "raw", x__jsonl=ROWS) / "x.jsonl"
    settings = InputSettings(paths=[str(path)])
    units, _ = plan_work_units(find_files(settings), 1000)
    assert len(units) > 1
    change(path)
    tables = (table for unit in units for table in read_unit(unit, ReadContext(settings, lambda reject: None)))
    if change is keep:
        assert sum(table.num_rows for table in tables) == 100
        return
    with pytest.raises(InputError, match=f"{path}"):
        list(tables)


def test_a_changed_object_of_a_store_is_named():
    memory = fsspec.filesystem("memory")
    memory.pipe("/raw/x.jsonl", ROWS)
    settings = InputSettings(paths=["memory://raw"])
    (unit,), _ = plan_work_units([file._replace(block_bytes=500) for file in find_files(settings)], 1 << 20)
    assert sum(table.num_rows for table in read_unit(unit, ReadContext(settings, lambda reject: None))) == 100
    memory.pipe("/raw/x.jsonl", ROWS + b"\n")
    with pytest.raises(InputError, match=r"memory:///raw/x\.jsonl changed while it was read: 2,880 bytes when listed"):
        list(read_unit(unit, ReadContext(settings, lambda reject: None)))
    memory.rm("/raw", recursive=True)


def test_an_object_whose_version_is_not_known_has_changed_if_its_size_has(tmp_path):
    raw = write(tmp_path / "raw", x__jsonl=ROWS)
    (file,) = find_files(InputSettings(paths=[str(raw)]))
    check_unchanged(file._replace(version=""))
    with pytest.raises(InputError, match=r"x\.jsonl changed while it was read: 9 bytes when listed"):
        check_unchanged(file._replace(version="", size=9))


def swap(path):
    """Other bytes of the same size, with the same modification time."""
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"text 7", b"text 8"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(("verify", "text"), [(True, "text 8"), (False, "text 7")])
def test_other_bytes_of_the_same_size_and_time_are_found_on_request(tmp_path, caplog, verify, text):
    raw = write(tmp_path / "raw", x__jsonl=ROWS)
    assert ingest(tmp_path / "work", raw, verify=verify).texts[7] == "text 7"
    swap(raw / "x.jsonl")
    assert ingest(tmp_path / "work", raw, verify=verify).texts[7] == text
    found = ["x.jsonl has other bytes than in the last run; the input is read again"]
    assert caplog.messages == (found if verify else [])


def test_other_bytes_during_the_run_are_found_on_request(tmp_path, monkeypatch):
    raw = write(tmp_path / "raw", x__jsonl=ROWS)

    def swapping(*arguments):
        yield from read_unit(*arguments)
        swap(raw / "x.jsonl")

    monkeypatch.setattr("gristmill.pipelines.ingest.ingest.read_unit", swapping)
    with pytest.raises(InputError, match=r"x\.jsonl changed while it was read: its checksum"):
        ingest(tmp_path / "work", raw, verify=True)
    assert not (tmp_path / "work" / "documents" / "manifest.json").exists()


def test_a_verified_file_that_is_touched_is_not_read_again(tmp_path):
    raw = write(tmp_path / "raw", x__jsonl=ROWS)
    manifest = tmp_path / "work" / "documents" / "manifest.json"
    ingest(tmp_path / "work", raw, verify=True)
    written = manifest.stat().st_mtime_ns
    os.utime(raw / "x.jsonl")
    ingest(tmp_path / "work", raw, verify=True)
    assert manifest.stat().st_mtime_ns == written
