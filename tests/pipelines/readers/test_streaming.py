"""Bytes to records: blocks of any size give the same records, compressed streams end loudly."""

import bz2
import gzip
import lzma
import tracemalloc
from contextlib import nullcontext

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.inputs.inputs import File
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.readers import streaming
from gristmill.pipelines.readers.streaming import CorruptStream, read_blocks, split_records

COMPRESS = {
    "gz": gzip.compress,
    "zst": zstandard.compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lambda data: lzma.compress(data, preset=0),
}


def piece(path, compression=None):
    return InputSlice(File(str(path), path.name, "jsonl", compression, path.stat().st_size, ""))


def reference(data: bytes, separator: bytes, max_bytes: int):
    """The plain twin: split all of it, number the records, part the long from the others."""
    good, long, offset = [], [], 0
    records = data.split(separator)
    for number, record in enumerate(records, 1):
        if len(record) > max_bytes:
            long.append((number, offset))
        elif number < len(records) or record:
            good.append((number, offset, record))
        offset += len(record) + len(separator)
    return good, long


@given(
    blocks=st.lists(st.text("ab\n,", max_size=9).map(str.encode)),
    separator=st.sampled_from([b"\n", b"\n\n", b",\n,"]),
    max_bytes=st.integers(1, 12),
)
def test_blocks_of_any_size_give_the_records_of_the_whole(blocks, separator, max_bytes):
    long, good = [], []
    batches = split_records(
        blocks, separator, max_bytes, lambda number, offset, beginning: long.append((number, offset))
    )
    for number, offset, records in batches:
        for record in records:
            good.append((number, offset, record))
            number, offset = number + 1, offset + len(record) + len(separator)
    assert (good, long) == reference(b"".join(blocks), separator, max_bytes)


def test_records_are_given_some_at_a_time(monkeypatch):
    monkeypatch.setattr(streaming, "MAX_RECORDS", 2)
    runs = list(split_records([b"a\nbb\n\nc\nd"], b"\n", 9, pytest.fail))
    assert runs == [(1, 0, [b"a", b"bb"]), (3, 5, [b"", b"c"]), (5, 8, [b"d"])]


@pytest.mark.parametrize(("lines", "bomb"), [(64, False), (65, True)])
def test_a_file_of_far_too_many_lines_is_a_bomb(tmp_path, monkeypatch, lines, bomb):
    monkeypatch.setattr(streaming, "BOMB_LINES", 64)
    monkeypatch.setattr(streaming, "LINES_PER_BYTE", 1)
    path, read = tmp_path / "x", []
    path.write_bytes(zstandard.compress(b"\n" * lines))
    assert path.stat().st_size < 64
    with pytest.raises(CorruptStream, match=r"bomb: 1\d bytes of zst hold over 64 lines") if bomb else nullcontext():
        read.extend(read_blocks(piece(path, "zst")))
    assert b"".join(read) == b"\n" * lines  # up to the block that is too much


def test_a_record_too_long_is_never_held():
    blocks = (b"x" * 100_000 for _ in range(1000))
    long = []
    tracemalloc.start()
    assert not [r for r in split_records(blocks, b"\n", 1000, lambda *record: long.append(record)) if r.records]
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert [record[:2] for record in long] == [(1, 0)]


@pytest.mark.parametrize("compression", COMPRESS)
def test_streams_one_after_the_other_are_one_file(tmp_path, compression):
    compress, path = COMPRESS[compression], tmp_path / "x"
    path.write_bytes(compress(b"one\n") + compress(b"") + compress(b"two\n" * 50_000) + b"\0" * 512)
    assert b"".join(read_blocks(piece(path, compression))) == b"one\n" + b"two\n" * 50_000


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("keep", [0.3, 0.999])
def test_a_truncated_file_gives_what_it_holds_and_says_so(tmp_path, compression, keep):
    data = b"".join(b"%d\n" % (i * i) for i in range(150_000))
    whole = COMPRESS[compression](data)
    path = tmp_path / "x"
    path.write_bytes(whole[: int(len(whole) * keep)])
    got = []
    with pytest.raises(CorruptStream, match=f"truncated {compression}"):
        got.extend(read_blocks(piece(path, compression)))
    got = b"".join(got)
    assert data.startswith(got)
    assert len(got) > len(data) * keep - 200_000  # bz2 and zstd give only whole blocks, of 100 kB and 128 kB


@pytest.mark.parametrize("compression", COMPRESS)
def test_what_is_not_compressed_is_damaged(tmp_path, compression):
    path = tmp_path / "x"
    path.write_bytes(b'{"text": "plain"}\n')
    with pytest.raises(CorruptStream, match=f"damaged {compression}"):
        list(read_blocks(piece(path, compression)))


def test_a_compression_bomb_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(zstandard.compress(bytes(1 << 28)))
    long = []
    blocks = read_blocks(piece(path, "zst"))
    assert not [r for r in split_records(blocks, b"\n", 1 << 20, lambda *record: long.append(record)) if r.records]
    assert len(long) == 1
