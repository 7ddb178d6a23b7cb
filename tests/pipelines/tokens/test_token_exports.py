"""Formats of other trainers, to the byte; their real clients read them in benchmarks/interop.py."""

import gzip
import json
import struct
from itertools import chain, pairwise

import numpy as np
import pytest
from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError, WorkError
from gristmill.pipelines.steps.step import run_step
from gristmill.pipelines.tokens import export_formats as exports
from gristmill.pipelines.tokens.export_formats import export
from gristmill.pipelines.tokens.import_formats import import_step
from gristmill.pipelines.tokens.shards import TokenShards
from tests.pipelines.tokens.test_token_shards import BOS, documents, make


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    return make(tmp_path_factory.mktemp("tokens"), documents())


def contents(tokens):
    """Split -> ids of its documents, shard after shard."""
    found = {"train": [], "validation": []}
    for name in tokens.names():
        shard, first = tokens.shard(name), 0
        for end in shard.ends:
            found[name.partition("-")[0]].append(shard.ids[first:end].tolist())
            first = end
    return found


def test_nanogpt_is_the_ids_and_nothing_else(tokens, tmp_path):
    export(tokens, "nanogpt", UPath(tmp_path))
    for split, name in (("train", "train.bin"), ("validation", "val.bin")):
        assert np.fromfile(tmp_path / name, "<u2").tolist() == [*chain(*contents(tokens)[split])]
    assert json.loads((tmp_path / "meta.json").read_text())["vocab_size"] == 258


def test_llmc_has_its_header(tokens, tmp_path):
    export(tokens, "llmc", UPath(tmp_path))
    shard = tokens.shard("train-00000")
    data = (tmp_path / "train-00000.bin").read_bytes()
    assert struct.unpack("<256i", data[:1024]) == (20240520, 1, shard.ids.size, *[0] * 253)
    assert data[1024:] == shard.ids.tobytes()
    assert (tmp_path / "val-00000.bin").exists()


def test_megatron_has_its_index(tokens, tmp_path):
    export(tokens, "megatron", UPath(tmp_path))
    shard = tokens.shard("train-00001")
    index, n = (tmp_path / "train-00001.idx").read_bytes(), shard.ends.size
    assert index[:34] == b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, n, n + 1) and len(index) == 42 + 20 * n
    sizes = struct.unpack_from(f"<{n}i", index, 34)
    assert np.cumsum(sizes).tolist() == shard.ends.tolist()
    assert struct.unpack_from(f"<{n}q", index, 34 + 4 * n) == tuple(2 * (shard.ends - sizes))
    assert struct.unpack_from(f"<{n + 1}q", index, 34 + 12 * n) == tuple(range(n + 1))
    assert (tmp_path / "train-00001.bin").samefile(shard.folder / "train-00001.bin")  # linked, not copied


def test_datatrove_and_olmo_have_their_boundaries(tokens, tmp_path):
    export(tokens, "datatrove", UPath(tmp_path / "dt"))
    export(tokens, "olmo", UPath(tmp_path / "olmo"))
    shard = tokens.shard("train-00000")
    assert np.fromfile(tmp_path / "dt" / "train-00000.ds.index", "<u8").tolist() == shard.ends.tolist()
    metadata = (tmp_path / "dt" / "train-00000.ds.metadata").read_text().split("\n")
    assert metadata[:2] == ["bytes.json|2", str(shard.ids.size)] and len(metadata) == 3
    assert (tmp_path / "olmo" / "train-00000.npy").read_bytes() == shard.ids.tobytes()
    rows = gzip.decompress((tmp_path / "olmo" / "train-00000.csv.gz").read_bytes()).decode().splitlines()
    assert [int(row.split(",")[1]) for row in rows] == shard.ends.tolist()
    assert [row.split(",")[2] for row in rows] == shard.documents["id"].to_pylist()


def litdata_documents(folder):
    for chunk in json.loads((folder / "index.json").read_text())["chunks"]:
        data = (folder / chunk["filename"]).read_bytes()
        (n,) = struct.unpack_from("<I", data)
        offsets = struct.unpack_from(f"<{n + 1}I", data, 4)
        assert (chunk["chunk_size"], chunk["chunk_bytes"]) == (n, len(data)) and offsets[-1] == len(data)
        assert chunk["dim"] == (offsets[-1] - offsets[0]) // 2
        yield from (np.frombuffer(data[a:b], "<u2").tolist() for a, b in pairwise(offsets))


def mds_documents(folder):
    for shard in json.loads((folder / "index.json").read_text())["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        (n,) = struct.unpack_from("<I", data)
        offsets = struct.unpack_from(f"<{n + 1}I", data, 4)
        assert (shard["samples"], shard["raw_data"]["bytes"]) == (n, len(data)) and offsets[-1] == len(data)
        assert json.loads(data[4 + 4 * (n + 1) : offsets[0]])["column_names"] == ["tokens"]
        for a, b in pairwise(offsets):
            (size,) = struct.unpack_from("<I", data, a)
            assert size == b - a - 4 and data[a + 4] >> 2 == 1
            width = 1 << (data[a + 4] & 3)
            ids = np.frombuffer(data[a + 5 + width : b], "<u2")
            assert int.from_bytes(data[a + 5 : a + 5 + width], "little") == ids.size
            yield ids.tolist()


@pytest.mark.parametrize(("format", "read"), [("litdata", litdata_documents), ("mds", mds_documents)])
@pytest.mark.parametrize("room", [64 << 20, 700, 1])
def test_framed_formats_hold_every_document(tokens, tmp_path, monkeypatch, format, read, room):
    monkeypatch.setattr(exports, "CHUNK_BYTES", room)
    files = export(tokens, format, UPath(tmp_path))
    for split, expected in contents(tokens).items():
        assert list(read(tmp_path / split)) == expected
    assert all(file.exists() for file in files) and len(files) > (4 if room < 1000 else 2)


@pytest.mark.parametrize("format", ["llmc", "megatron", "datatrove"])
def test_what_is_exported_can_be_imported(tokens, tmp_path, format):
    export(tokens, format, UPath(tmp_path / "out"))
    suffix = ".ds" if format == "datatrove" else ".bin"
    paths = sorted(path for path in UPath(tmp_path / "out").iterdir() if path.suffix == suffix)
    run_step(import_step(paths, format, 258, BOS, UPath(tmp_path / "in")))
    back = TokenShards(UPath(tmp_path / "in"))
    back.check()
    assert contents(back) == contents(tokens)
    assert back.shard("train-00000").trace(0).id == f"{paths[0].name}:0"


def test_damaged_files_are_named(tokens, tmp_path):
    folder = UPath(tmp_path)
    for format, name in (("llmc", "train-00000.bin"), ("megatron", "train-00000.bin"), ("datatrove", "train-00000.ds")):
        export(tokens, format, folder / format)
        path = folder / format / name
        whole = path.read_bytes()
        path.unlink()  # it may be the shard's own payload
        for lost in (1, 2, len(whole) - 1):
            path.write_bytes(whole[:-lost])
            with pytest.raises(InputError, match=r"cut short|is not a file of llm\.c|expected ends that rise to"):
                run_step(import_step([path], format, 258, BOS, folder / f"{format}-in"))
        path.write_bytes(whole)
        with pytest.raises(InputError, match=r"holds id 25\d, outside the vocabulary of 100"):
            run_step(import_step([path], format, 100, BOS, folder / f"{format}-in"))
    (folder / "x.bin").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"llm\.c"):
        run_step(import_step([folder / "x.bin"], "llmc", 258, BOS, folder / "y"))
    with pytest.raises(InputError, match="missing"):
        run_step(import_step([folder / "x.bin"], "megatron", 258, BOS, folder / "z"))


@pytest.mark.parametrize(
    ("format", "file", "kind", "at", "value", "message"),
    [
        ("datatrove", "train-00000.ds.index", "<i8", 0, -1, "ends document 0 before its start"),
        ("datatrove", "train-00000.ds.index", "<i8", 0, 2**40, "ends document 1 before its start"),
        ("datatrove", "train-00000.ds.index", "<i8", -8, 2**63 - 1, "ends at id"),
        ("megatron", "train-00000.idx", "<i4", 34, -1, "a sequence of negative size"),
        ("megatron", "train-00000.idx", "<i8", -8, 2**40, "a document outside 0 to"),
        ("megatron", "train-00000.idx", "<i8", -8, -1, "a document outside 0 to"),
        ("megatron", "train-00000.idx", "<i8", 18, 2**40, "cut short or too long"),
        ("llmc", "train-00000.bin", "<i4", 8, -1, "cut short or too long"),
    ],
)
def test_numbers_that_no_file_has_are_one_line(tokens, tmp_path, format, file, kind, at, value, message):
    folder = UPath(tmp_path)
    export(tokens, format, folder / format)
    path, number = folder / format / file, np.array(value, kind).tobytes()
    data = path.read_bytes()
    at %= len(data)
    path.unlink()  # it may be the shard's own payload
    path.write_bytes(data[:at] + number + data[at + len(number) :])
    suffix = ".ds" if format == "datatrove" else ".bin"
    with pytest.raises(InputError, match=rf"train-00000\.\w+.*{message}"):
        run_step(import_step([folder / format / f"train-00000{suffix}"], format, 258, BOS, folder / "in"))


def test_formats_that_cannot(tokens, tmp_path):
    with pytest.raises(RecipeError, match=r"no format 'npz' \(supported: nanogpt"):
        export(tokens, "npz", UPath(tmp_path))
    export(tokens, "olmo", UPath(tmp_path))
    with pytest.raises(WorkError, match="exists already"):
        export(tokens, "olmo", UPath(tmp_path))
    tokens.about["dtype"] = "<u4"
    with pytest.raises(RecipeError, match="16-bit"):
        export(tokens, "nanogpt", UPath(tmp_path / "n"))
    tokens.about["dtype"] = "<u2"
