"""Token shards in the formats of other trainers.

nanoGPT, OLMo-core, datatrove and Megatron read the bytes of our payload, so it is linked, not copied, and gets the file
that each needs beside it. llm.c, litdata and MDS (mosaicml-streaming) frame the ids anew. Files are written without the
clients; benchmarks/interop.py reads every format back with its client.
"""

import gzip
import io
import json
from collections.abc import Callable, Iterator

import numpy as np
from upath import UPath

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.steps.step import Input, Job, Output, Step, Written
from gristmill.pipelines.storage.files import atomic_write, link_or_copy
from gristmill.pipelines.storage.manifest import require_finished
from gristmill.pipelines.tokens.encode import LEARNED
from gristmill.pipelines.tokens.settings import SPLITS, TRAIN
from gristmill.pipelines.tokens.shards import TokenShard, TokenShards
from gristmill.pipelines.tokens.shuffle import ENDS, PAYLOAD

CHUNK_BYTES = 64 << 20  # per file of litdata and MDS: their default
LLMC_HEADER = 256  # int32
MEGATRON_CODES = {2: 8, 4: 4}  # uint16; of 32 bits only int32, and our ids are below 2^31


def export(tokens: TokenShards, format: str, target: UPath) -> list[UPath]:
    """Write all shards in a format and return the files. Raises RecipeError for shards that the format cannot hold."""
    if format not in FORMATS:
        raise RecipeError(f"there is no format {format!r} (supported: {', '.join(FORMATS)})")
    check_format(format, tokens.vocab_size, np.dtype(tokens.about["dtype"]))
    if any(name.endswith(LEARNED) for name in tokens.manifest.files):
        raise RecipeError(f"{format} has no place for what a model learns of a document; tokenize with tokens.loss=all")
    target.mkdir(parents=True, exist_ok=True)
    return [target / name for name in FORMATS[format](tokens, target)]


def check_format(format: str, vocab_size: int, dtype: np.dtype) -> None:
    """Raise RecipeError for a format that cannot hold ids of the type."""
    if format == "nanogpt" and dtype.itemsize > 2:
        raise RecipeError(f"{format} reads 16-bit ids; the vocabulary of {vocab_size:,} needs 32 bits")


def export_step(tokens: UPath, format: str, target: UPath) -> Step:
    """Return the step that writes token shards in a format into a folder of its own, which is one job."""
    size = sum(file["bytes"] for file in require_finished(tokens, "`gristmill tokenize` makes it").files.values())
    job = Job(_export, (tokens, format), (Output(target, format, (Input(tokens),), format),), size, cheap=True)
    return Step(f"export {format}", {target: {"format": format}}, [job])


def _export(tokens: UPath, format: str, outputs: tuple[Output, ...]) -> list[Written]:
    """Write into the folder after removing what an unfinished export left in folders of the splits."""
    (output,) = outputs
    for file in [path for path in output.folder.glob("*/*") if path.parent.name in SPLITS]:
        file.unlink()
    files = export(TokenShards(tokens), format, output.folder)
    return [Written([str(file.relative_to(output.folder)) for file in files], {"files": len(files)})]


def nanogpt(tokens: TokenShards, target: UPath) -> Iterator[str]:
    """Write ``train.bin`` and ``val.bin``, headerless uint16, and ``meta.json`` in place of nanoGPT's pickle."""
    for split, name in ((TRAIN, "train.bin"), ("validation", "val.bin")):
        shards = tokens.split(split)
        if len(shards) == 1:
            _link(shards[0].folder / f"{shards[0].name}{PAYLOAD}", target / name)
        else:
            _write(target / name, *(shard.ids for shard in shards))
        yield name
    yield _write_json(target, "meta.json", {"vocab_size": tokens.vocab_size, **tokens.about["tokenizer"]})


def olmo(tokens: TokenShards, target: UPath) -> Iterator[str]:
    """Write ``NAME.npy``, headerless in spite of its name, and ``NAME.csv.gz``: start, end, id of each document."""
    for shard in _all(tokens):
        _link(shard.folder / f"{shard.name}{PAYLOAD}", target / f"{shard.name}.npy")
        yield f"{shard.name}.npy"
        starts = np.concatenate(([0], shard.ends[:-1])) if shard.ends.size else shard.ends
        ids = shard.documents["id"].to_pylist()
        rows = "".join(f"{a},{b},{_quoted(id)}\n" for a, b, id in zip(starts, shard.ends, ids, strict=True))
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as file:
            file.write(rows.encode())
        _write(target / f"{shard.name}.csv.gz", packed.getvalue())
        yield f"{shard.name}.csv.gz"


def datatrove(tokens: TokenShards, target: UPath) -> Iterator[str]:
    """Write ``NAME.ds``, ``NAME.ds.index`` (uint64 end of each document) and ``NAME.ds.metadata``."""
    for shard in _all(tokens):
        name = f"{shard.name}.ds"
        _link(shard.folder / f"{shard.name}{PAYLOAD}", target / name)
        _link(shard.folder / f"{shard.name}{ENDS}", target / f"{name}.index")
        about = f"{tokens.about['tokenizer']['file']}|{shard.ids.itemsize}\n{shard.ids.size}\n{shard.ids.size:,} tokens"
        _write(target / f"{name}.metadata", about.encode())
        yield from (name, f"{name}.index", f"{name}.metadata")


def megatron(tokens: TokenShards, target: UPath) -> Iterator[str]:
    """Write ``NAME.bin`` and ``NAME.idx`` (MMIDIDX, version 1); a document is a sequence."""
    for shard in _all(tokens):
        _link(shard.folder / f"{shard.name}{PAYLOAD}", target / f"{shard.name}.bin")
        sizes = np.diff(shard.ends, prepend=0)
        head = b"MMIDIDX\0\0" + np.uint64(1).tobytes() + bytes([MEGATRON_CODES[shard.ids.itemsize]])
        counts = np.array([sizes.size, sizes.size + 1], "<u8")
        pointers = (shard.ends - sizes).astype("<i8") * shard.ids.itemsize
        _write(
            *(target / f"{shard.name}.idx", head, counts),
            *(sizes.astype("<i4"), pointers, np.arange(sizes.size + 1, dtype="<i8")),
        )
        yield from (f"{shard.name}.bin", f"{shard.name}.idx")


def llmc(tokens: TokenShards, target: UPath) -> Iterator[str]:
    """Write ``NAME.bin``: 256 int32 (magic, version, number of ids), then ids; 16-bit as GPT-2, 32-bit as Llama 3."""
    magic, version = {2: (20240520, 1), 4: (20240801, 7)}[np.dtype(tokens.about["dtype"]).itemsize]
    for shard in _all(tokens):
        if shard.ids.size >= 2**31:
            raise RecipeError(
                f"llm.c counts ids in 31 bits; {shard.name} has {shard.ids.size:,} ids: lower tokens_per_shard"
            )
        header = np.zeros(LLMC_HEADER, "<i4")
        header[:3] = magic, version, shard.ids.size
        name = f"{shard.name}.bin".replace("validation", "val")
        _write(target / name, header, shard.ids)
        yield name


def litdata(tokens: TokenShards, target: UPath) -> Iterator[str]:
    """Write ``SPLIT/chunk-0-N.bin`` and ``SPLIT/index.json`` for the TokensLoader; a document is an item."""
    for split in _splits(tokens):
        chunks: list[dict] = []
        for ids, ends in _chunks(tokens.split(split)):
            offsets = (4 + 4 * (ends.size + 1) + ids.itemsize * np.concatenate(([0], ends))).astype("<u4")
            name = f"chunk-0-{len(chunks)}.bin"
            size = _write(target / split / name, np.uint32(ends.size).tobytes(), offsets, ids)
            chunks.append({"chunk_bytes": size, "chunk_size": ends.size, "dim": ids.size, "filename": name})
            yield f"{split}/{name}"
        kind = {2: 5, 4: 6}[np.dtype(tokens.about["dtype"]).itemsize]
        config = {
            "chunk_bytes": CHUNK_BYTES,
            "chunk_size": None,
            "compression": None,
            "data_format": [f"no_header_numpy:{kind}"],
            "data_spec": '[1, {"type": null, "context": null, "children_spec": []}]',  # a leaf, as torch writes it
            "encryption": None,
            "item_loader": "TokensLoader",
        }
        yield _write_json(target, f"{split}/index.json", {"chunks": chunks, "config": config})


def mds(tokens: TokenShards, target: UPath) -> Iterator[str]:
    """Write ``SPLIT/shard.N.mds`` and ``SPLIT/index.json``; a document is a sample with one column, ``tokens``."""
    kind = {2: "ndarray:uint16", 4: "ndarray:uint32"}[np.dtype(tokens.about["dtype"]).itemsize]
    for split in _splits(tokens):
        shards: list[dict] = []
        for ids, ends in _chunks(tokens.split(split)):
            samples = [_mds_sample(ids[a:b]) for a, b in zip(np.concatenate(([0], ends[:-1])), ends, strict=True)]
            about = {
                "column_encodings": [kind],
                "column_names": ["tokens"],
                "column_sizes": [None],
                "compression": None,
                "format": "mds",
                "hashes": [],
                "size_limit": CHUNK_BYTES,
                "version": 2,
            }
            config = json.dumps({k: v for k, v in about.items() if k != "version"}, sort_keys=True).encode()
            first = 4 + 4 * (len(samples) + 1) + len(config)
            offsets = first + np.concatenate(([0], np.cumsum([len(sample) for sample in samples]))).astype(np.int64)
            name = f"shard.{len(shards):05d}.mds"
            head = np.uint32(len(samples)).tobytes(), offsets.astype("<u4"), config
            size = _write(target / split / name, *head, b"".join(samples))
            raw = {"basename": name, "bytes": size, "hashes": {}}
            shards.append({**about, "raw_data": raw, "samples": len(samples), "zip_data": None})
            yield f"{split}/{name}"
        yield _write_json(target, f"{split}/index.json", {"shards": shards, "version": 2})


FORMATS: dict[str, Callable[[TokenShards, UPath], Iterator[str]]] = {
    format.__name__: format for format in (nanogpt, llmc, megatron, datatrove, olmo, litdata, mds)
}


def _mds_sample(ids: np.ndarray) -> bytes:
    """Return the size of the column, its shape (one dimension, in 1, 2, 4 or 8 bytes) and its values."""
    width = next(w for w in range(4) if ids.size < 1 << 8 * 2**w)
    value = bytes([1 << 2 | width]) + int(ids.size).to_bytes(2**width, "little") + ids.tobytes()
    return len(value).to_bytes(4, "little") + value


def _chunks(shards: list[TokenShard]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield whole documents of about CHUNK_BYTES: their ids, and the ends of documents in them."""
    for shard in shards:
        room, first, begin = CHUNK_BYTES // shard.ids.itemsize, 0, 0
        while first < shard.ends.size:
            last = max(first + 1, int(np.searchsorted(shard.ends, begin + room, "right")))
            end = int(shard.ends[last - 1])
            if end - begin >= 1 << 30:
                raise RecipeError(f"{shard.name} has a document of {end - begin:,} ids, too long for 32-bit offsets")
            yield shard.ids[begin:end], shard.ends[first:last] - begin
            first, begin = last, end


def _all(tokens: TokenShards) -> Iterator[TokenShard]:
    return map(tokens.shard, tokens.names())


def _splits(tokens: TokenShards) -> list[str]:
    return sorted({name.rpartition("-")[0] for name in tokens.names()})


def _link(source: UPath, target: UPath) -> None:
    """Link one payload for both if the file system can; else copy it."""
    if target.exists():
        raise WorkError(f"{target} exists already; export into an empty folder")
    link_or_copy(source, target)


def _write(path: UPath, *parts) -> int:
    """Write arrays and bytes end to end; return the number of bytes."""
    if path.exists():
        raise WorkError(f"{path} exists already; export into an empty folder")
    size = 0
    with atomic_write(path) as file:
        for part in parts:
            view = np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else memoryview(part)
            size += view.nbytes
            if view.nbytes:
                file.write(view)
    return size


def _write_json(target: UPath, name: str, value: dict) -> str:
    _write(target / name, json.dumps(value, sort_keys=True).encode())
    return name


def _quoted(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(c in value for c in ',"\n\r') else value
