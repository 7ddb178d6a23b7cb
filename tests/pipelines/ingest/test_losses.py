"""Broken files count by their bytes, and are named with how much of them was lost."""

import builtins
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ingesting import ingest, lines, write
from upath import UPath

from gristmill.pipelines.errors import TooManyRejects
from gristmill.pipelines.ingest.losses import LostFile, lost_files
from gristmill.pipelines.storage.manifest import Manifest, Part

GOOD = [{"id": f"good-{i}", "text": "Some good text."} for i in range(200)]
MANY = [{"id": f"many-{i}", "text": f"Text number {i * i}."} for i in range(20_000)]


def lost(work) -> list[LostFile]:
    folder = UPath(work / "rejects")
    return lost_files(folder, Manifest.read(folder))


def parquet(path, rows, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path.read_bytes()


def cut_gzip(folder):
    data = gzip.compress(lines(*MANY))
    (folder / "b.jsonl.gz").write_bytes(data[: len(data) // 100])


def no_gzip(folder):
    (folder / "b.jsonl.gz").write_bytes(lines(*MANY))


def cut_parquet(folder):
    data = parquet(folder / "b.parquet", MANY)
    (folder / "b.parquet").write_bytes(data[:-1])


def damaged_groups(folder):
    data = bytearray(parquet(folder / "b.parquet", MANY, row_group_size=5000, compression="none", use_dictionary=False))
    for group in range(1, 4):
        at = pq.read_metadata(folder / "b.parquet").row_group(group).column(1).data_page_offset
        data[at : at + 10] = b"\xff" * 10
    (folder / "b.parquet").write_bytes(data)


def no_header(folder):
    (folder / "b.csv").write_bytes(b"\xff\n" + b"row\n" * 20_000)


def no_warc(folder):
    (folder / "b.warc").write_bytes(b"\0garbage" * 10_000)


BROKEN = [cut_gzip, no_gzip, cut_parquet, damaged_groups, no_header, no_warc]


@pytest.mark.parametrize("broken", BROKEN)
def test_many_unreadable_records_in_one_file_stop_the_run(tmp_path, broken):
    """By records, the file would be 1 of 201, or 3 of 5,203."""
    raw = write(tmp_path / "raw", a__jsonl=lines(*GOOD))
    broken(raw)
    name = next(path.name for path in raw.iterdir() if path.name.startswith("b."))
    with pytest.raises(TooManyRejects, match=rf"count as lost, in 1 broken files, more than .* = 0.1: {name} was not"):
        ingest(tmp_path / "work", raw, max_reject_fraction=0.1)
    made = ingest(tmp_path / "work", raw, max_reject_fraction=1.0)
    assert made.table.num_rows >= 200
    (file,) = lost(tmp_path / "work")
    size = (raw / name).stat().st_size
    assert (file.file, file.bytes) == (name, size)
    assert 0.7 * size < file.lost_bytes <= size


def test_the_fraction_is_of_all_bytes(tmp_path):
    raw = write(tmp_path / "raw", a__txt=b"x" * 700, b__jsonl__gz=b"y" * 100, c__jsonl__gz=b"z" * 200)
    with pytest.raises(TooManyRejects) as stop:
        ingest(tmp_path / "work", raw, max_reject_fraction=0.66)
    assert "2 of 3 records could not be read" in str(stop.value)
    write(raw, a1__txt=b"x", a2__txt=b"x", a3__txt=b"x", a4__txt=b"x" * 697, b__jsonl__gz=b"y" * 400)
    with pytest.raises(TooManyRejects) as stop:
        ingest(tmp_path / "work", raw, max_reject_fraction=0.29)
    assert str(stop.value).startswith(
        "600 of 2,000 bytes count as lost, in 2 broken files, more than input.max_reject_fraction = 0.29: "
        "b.jsonl.gz was not read to its end, 400 of 400 bytes (100.0 %) count as lost: damaged gz:"
    )
    ingest(tmp_path / "work", raw, max_reject_fraction=0.34)
    assert [(file.file, file.lost_bytes) for file in lost(tmp_path / "work")] == [
        ("b.jsonl.gz", 400),
        ("c.jsonl.gz", 200),
    ]


def test_records_that_are_no_file_lose_no_bytes(tmp_path):
    raw = write(tmp_path / "raw", a__jsonl=lines(*GOOD) + b"[]\n{\n", b__txt=b"\xff", c__csv=b"")
    ingest(tmp_path / "work", raw)
    assert not lost(tmp_path / "work")


def test_the_bytes_of_a_file_are_counted_once(tmp_path):
    """Ranges of one file that fail say so each."""
    reject = {"file": "b", "reason": "damaged", "lost_bytes": 80, "file_bytes": 100}
    write(tmp_path, one__jsonl=lines(reject, reject | {"file": "c", "lost_bytes": 90}), two__jsonl=lines(reject))
    parts = {name: Part("", {f"{name}.jsonl": {}}, {"lost_bytes": 80}) for name in ("one", "two")}
    found = lost_files(UPath(tmp_path), Manifest("", {}, parts))
    assert found == [LostFile("b", 100, 100, "damaged"), LostFile("c", 100, 90, "damaged")]


def test_a_file_without_permission_is_one_reject_and_read_when_allowed(tmp_path, monkeypatch):
    """Also a large one, which is cut before it is read. Root may read everything, so the test refuses by name."""
    raw = write(tmp_path / "raw", a__jsonl=lines(*GOOD), b__jsonl=lines(*GOOD), c__parquet=b"x" * 50_000)
    opened, access = builtins.open, "gristmill.pipelines.inputs.listing.os.access"

    def refusing(file, *rest, **options):
        if str(file).endswith(("b.jsonl", "c.parquet")):
            raise PermissionError(13, "Permission denied", file)
        return opened(file, *rest, **options)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", refusing)
        patch.setattr("io.open", refusing)
        patch.setattr(access, lambda path, mode: not path.endswith(("b.jsonl", "c.parquet")))
        made = ingest(tmp_path / "work", raw, work_unit_bytes=5000, verify=True)
        assert made.table.num_rows == 200
        assert [(file.file, file.lost_bytes) for file in lost(tmp_path / "work")] == [
            ("c.parquet", 50_000),
            ("b.jsonl", (raw / "b.jsonl").stat().st_size),
        ]
        assert "Permission denied" in made.rejects[0]["reason"]
    (raw / "c.parquet").unlink()
    assert ingest(tmp_path / "work", raw, work_unit_bytes=5000).table.num_rows == 400
