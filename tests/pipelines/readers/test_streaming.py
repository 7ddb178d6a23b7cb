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
from gristmill.pipelines.readers.decompression import DECOMPRESS_BYTES
from gristmill.pipelines.readers.streaming import MAX_RECORDS, CorruptStream, read_blocks, read_streams, split_records

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
    assert b"".join(read) == b"\n" * 64


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
    with pytest.raises(CorruptStream, match=f"truncated {compression}") as stop:
        got.extend(read_blocks(piece(path, compression)))
    assert stop.value.lost_bytes == path.stat().st_size
    got = b"".join(got)
    assert data.startswith(got)
    assert len(got) > len(data) * keep - 200_000  # bz2 and zstd give only whole blocks, of 100 kB and 128 kB


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("good", [0, 100_000])
def test_what_is_not_compressed_is_damaged_and_lost_from_there_on(tmp_path, compression, good):
    whole = COMPRESS[compression](b"".join(b"%d\n" % (i * i) for i in range(good)))
    path = tmp_path / "x"
    path.write_bytes(whole + b'{"text": "plain"}\n' * 1000)
    stream = split_records(read_blocks(piece(path, compression)), b"\n", 100, lambda *record: None)
    with pytest.raises(CorruptStream, match=f"damaged {compression}") as stop:
        list(stream)
    read = path.stat().st_size - stop.value.lost_bytes
    assert len(whole) - DECOMPRESS_BYTES < read <= len(whole)


def test_a_compression_bomb_is_read_in_bounded_memory(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(zstandard.compress(bytes(1 << 28)))
    long = []
    blocks = read_blocks(piece(path, "zst"))
    assert not [r for r in split_records(blocks, b"\n", 1 << 20, lambda *record: long.append(record)) if r.records]
    assert len(long) == 1


def with_window(log: int, data: bytes) -> bytes:
    """A zstd stream whose header asks for a window of 2 ** log bytes."""
    found = zstandard.ZstdCompressionParameters(
        window_log=log, hash_log=10, chain_log=10, strategy=zstandard.STRATEGY_FAST
    )
    stream = zstandard.ZstdCompressor(compression_params=found).compressobj()
    head = stream.compress(data[: len(data) // 2]) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    return head + stream.compress(data[len(data) // 2 :]) + stream.flush()


@pytest.mark.parametrize("log", [10, 27, 28, 31])
def test_zstd_windows_up_to_the_limit_are_read(tmp_path, log):
    path, data = tmp_path / "x", b"one\n" * 1000
    path.write_bytes(zstandard.compress(b"before\n") + with_window(log, data))
    assert zstandard.get_frame_parameters(with_window(log, data)).window_size == 1 << log
    assert b"".join(read_blocks(piece(path, "zst"))) == b"before\n" + data
    assert b"".join(read_blocks(piece(path, "zst"), 1 << log)) == b"before\n" + data
    if log > 10:
        got = []
        with pytest.raises(CorruptStream) as stop:
            got.extend(read_blocks(piece(path, "zst"), (1 << log) - 1))
        assert b"".join(got) == b"before\n"
        why = f"a window of {1 << log:,} bytes is more than max_window_bytes = {(1 << log) - 1:,} of [input]"
        assert stop.value.reason == f"zst window too large: {why}"
        assert stop.value.lost_bytes == len(with_window(log, data))


def test_skippable_frames_between_zstd_frames_are_skipped(tmp_path):
    path, skipped = tmp_path / "x", b"\x50\x2a\x4d\x18\x05\0\0\0hello"
    path.write_bytes(skipped + zstandard.compress(b"a") + skipped * 3 + zstandard.compress(b"b") + skipped)
    assert b"".join(read_blocks(piece(path, "zst"))) == b"ab"


@pytest.mark.parametrize("compression", ["gz", "zst"])
@given(data=st.data())
def test_streams_after_damage_are_read_wherever_pieces_end(tmp_path_factory, compression, data):
    compress = COMPRESS[compression]
    texts = [data.draw(st.binary(max_size=30)).hex().encode() for _ in range(6)]
    hole = data.draw(st.binary(min_size=1, max_size=5000))
    start = {"gz": b"\x1f", "zst": b"\x28"}[compression]  # no false beginning of a stream
    hole = b"\x01" + hole.replace(start, b"\x02")
    before, after = [b"".join(map(compress, half)) for half in (texts[:3], texts[3:])]
    path = tmp_path_factory.mktemp("hole") / "x"
    path.write_bytes(before + hole + after)
    blocks = list(read_streams(piece(path, compression), 1 << 27))
    (damage,) = [block for block in blocks if isinstance(block, CorruptStream)]
    at = blocks.index(damage)
    assert b"".join(blocks[:at]) == b"".join(texts[:3])
    assert b"".join(blocks[at + 1 :]) == b"".join(texts[3:])
    assert damage.lost_bytes == len(hole)


def test_many_empty_records_are_not_copied():
    lines, pointer = 1 << 20, 8
    tracemalloc.start()
    batches = split_records([b"\n" * lines], b"\n", 100, lambda *long: None)
    sizes = [len(batch.records) for batch in batches]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sizes == [MAX_RECORDS] * (lines // MAX_RECORDS)
    assert peak < (1 + 1.5 * pointer) * lines  # the block, and one list of its records
