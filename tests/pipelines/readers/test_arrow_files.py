"""Arrow files and streams: as Parquet of the same rows; damage and bad texts are rejects."""

import pyarrow as pa
import pytest
from ingesting import ingest, write

ROWS = pa.table({"text": ["one", "two", "three"], "id": ["a", "b", "c"], "n": [1, None, 3]})
KINDS = {"file": pa.ipc.new_file, "stream": pa.ipc.new_stream}


def arrow(table: pa.Table, kind: str = "stream", rows: int = 2, **options) -> bytes:
    sink = pa.BufferOutputStream()
    with KINDS[kind](sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue().to_pybytes()


def strings(ends: list[int], data: bytes) -> pa.Array:
    return pa.Array.from_buffers(
        pa.string(), len(ends) - 1, [None, pa.array(ends, pa.int32()).buffers()[1], pa.py_buffer(data)]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compression", [None, "zstd"])
def test_files_and_streams_are_read(tmp_path, kind, compression):
    raw = write(tmp_path / "raw", x__arrow=arrow(ROWS, kind, compression=compression), state__json=b"{}")
    made = ingest(tmp_path / "work", raw)
    assert not made.rejects
    assert made.table.select(["text", "id", "n"]).to_pydict() == ROWS.to_pydict()


@pytest.mark.parametrize(
    ("data", "texts", "places"),
    [
        (arrow(ROWS)[:-60], ["one", "two"], [("x.arrow", 3, "damaged Arrow")]),
        (arrow(ROWS, "file")[:-60], [], [("x.arrow", 1, "damaged Arrow")]),
        (b"neither", [], [("x.arrow", 1, "damaged Arrow")]),
        (arrow(ROWS.slice(0, 0)), [], [("x.arrow", 1, "empty file")]),
        (
            arrow(pa.table({"text": strings([0, 1, 3, 4], b"a\xff\xfez")})),
            ["a", "z"],
            [("x.arrow", 2, "invalid UTF-8")],
        ),
        (
            arrow(pa.table({"text": strings([0, 1, 1 << 30, 4], b"abcz")}), rows=3),
            [],
            [("x.arrow", 1, "damaged Arrow")],
        ),
    ],
)
def test_damage_is_one_reject_and_a_bad_text_too(tmp_path, data, texts, places):
    made = ingest(tmp_path / "work", write(tmp_path / "raw", x__arrow=data))
    assert (made.texts, made.places) == (texts, places)
