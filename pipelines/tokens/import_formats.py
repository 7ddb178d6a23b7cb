"""Token files of llm.c, Megatron and datatrove as token shards, to train on text that is tokenized already.

The files do not record their texts: bytes are 0 (so bits per byte are unknown), and document ids are FILE:NUMBER.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.step import Job, Output, RawInput, Step, Written
from gristmill.pipelines.storage.files import checksum
from gristmill.pipelines.tokens.settings import TRAIN, VALIDATION
from gristmill.pipelines.tokens.shuffle import NAMES, write_tokens
from gristmill.pipelines.tokens.steps import FORMAT


class TokenFile(NamedTuple):
    """Ids of one file, and the ends of its documents."""

    ids: np.ndarray
    ends: np.ndarray


def llmc(path: UPath, bos: int) -> TokenFile:
    """Read llm.c's ``.bin``; a document begins at each ``bos``."""
    head = _bytes(path, 1024)
    header = np.frombuffer(head, "<i4", len(head) // 4)
    kinds = {(20240520, 1): "<u2", (20240801, 7): "<u4"}
    if header.size < 256 or tuple(header[:2].tolist()) not in kinds:
        raise InputError(f"{path} is not a file of llm.c: it begins with the magic number {header[:1].tolist()}")
    ids = _array(path, kinds[tuple(header[:2].tolist())], 1024)
    _check_size(path, ids.size, int(header[2]))
    starts = np.flatnonzero(ids == bos)
    if ids.size and (not starts.size or starts[0]):
        starts = np.concatenate(([0], starts))
    return TokenFile(ids, np.append(starts[1:], ids.size) if ids.size else starts)


def megatron(path: UPath, bos: int) -> TokenFile:
    """Read Megatron's ``.bin`` with the ``.idx`` beside it."""
    index = _bytes(path.with_suffix(".idx"))
    if len(index) < 34 or index[:9] != b"MMIDIDX\0\0" or int.from_bytes(index[9:17], "little") != 1:
        raise InputError(f"{path.with_suffix('.idx')} is not a Megatron index of version 1")
    kinds = {8: "<u2", 4: "<i4"}
    if index[17] not in kinds:
        raise InputError(f"{path.with_suffix('.idx')} holds ids of kind {index[17]}; expected 8 (uint16) or 4 (int32)")
    sequences, documents = (int(n) for n in np.frombuffer(index[18:34], "<u8"))
    _check_size(path.with_suffix(".idx"), len(index), 34 + 12 * sequences + 8 * documents)
    sizes = np.frombuffer(index, "<i4", sequences, 34).astype(np.int64)
    last = np.frombuffer(index, "<i8", documents, 34 + 12 * sequences)[1:]  # the sequence after each document's last
    if sizes.min(initial=0) < 0 or last.min(initial=0) < 0 or last.max(initial=0) > sequences:
        raise InputError(
            f"{path.with_suffix('.idx')} has a sequence of negative size, or a document outside 0 to {sequences:,}"
        )
    ids = _array(path, kinds[index[17]])
    _check_size(path, ids.size, int(sizes.sum()))
    return TokenFile(ids.astype("<u4") if ids.dtype == "<i4" else ids, np.concatenate(([0], np.cumsum(sizes)))[last])


def datatrove(path: UPath, bos: int) -> TokenFile:
    """Read datatrove's ``.ds`` with the ``.ds.index`` beside it; ``.ds.metadata`` has the width of ids."""
    ends = _array(path.parent / f"{path.name}.index", "<u8").astype(np.int64)
    first = _bytes(path.parent / f"{path.name}.metadata").decode("utf-8", "replace").split("\n")[0][:200]
    width = first.rpartition("|")[2]
    if width not in ("2", "4"):
        raise InputError(f"{path.name}.metadata: expected 2 or 4 bytes per id after '|', found {first!r}")
    return TokenFile(_array(path, f"<u{width}"), ends)


READERS: dict[str, Callable[[UPath, int], TokenFile]] = {
    reader.__name__: reader for reader in (llmc, megatron, datatrove)
}


def import_step(paths: list[UPath], format: str, vocab_size: int, bos: int, tokens: UPath) -> Step:
    """Make ``tokens`` of files in another format; files with "val" in their names are the validation split."""
    dtype = np.dtype("<u2" if vocab_size <= 1 << 16 else "<u4")
    jobs, count = [], {TRAIN: 0, VALIDATION: 0}
    for path in paths:
        split = VALIDATION if "val" in path.name else TRAIN
        size = path.stat().st_size
        source, made_with = RawInput(str(path), checksum(path)), [format, bos, vocab_size]
        output = Output(tokens, f"{split}-{count[split]:05d}", (source,), made_with)
        count[split] += 1
        jobs.append(Job(import_shard, (path, format, bos, vocab_size, dtype.str), (output,), size))
    about = {
        **{"format": FORMAT, "dtype": dtype.str, "vocab_size": vocab_size, "bos": bos, "eos": None},
        **{"tokenizer": {"file": None, "sha256": None}, "mixture": [], "imported": format},
    }
    return Step("import", {tokens: about}, jobs)


def import_shard(
    path: UPath, format: str, bos: int, vocab_size: int, dtype: str, outputs: tuple[Output, ...]
) -> list[Written]:
    """Convert one file to one shard. Raises InputError if it is damaged or holds ids outside the vocabulary."""
    read = READERS[format](path, bos)
    starts = np.concatenate(([0], read.ends))
    if (fell := np.flatnonzero(starts[1:] < starts[:-1])).size or starts[-1] != read.ids.size:
        found = f"ends document {fell[0]:,} before its start" if fell.size else f"ends at id {starts[-1]:,}"
        raise InputError(f"{path}: its index {found}; expected ends that rise to {read.ids.size:,}")
    largest = int(read.ids.max(initial=0))
    if largest >= vocab_size:
        raise InputError(f"{path} holds id {largest:,}, outside the vocabulary of {vocab_size:,}; raise --vocab-size")
    ids = [f"{path.name}:{n}" for n in range(read.ends.size)]
    names = pa.table({ID: ids, SOURCE: [path.name] * read.ends.size}).cast(NAMES)
    return [write_tokens(outputs[0], read.ids.astype(dtype), read.ends, np.zeros(read.ends.size), names)]


def _bytes(path: UPath, size: int = -1, skip: int = 0) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(skip)
            return file.read(size)
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None


def _array(path: UPath, dtype: str, skip: int = 0) -> np.ndarray:
    data, width = _bytes(path, skip=skip), np.dtype(dtype).itemsize
    if len(data) % width:
        raise InputError(f"{path} is cut short: {len(data):,} bytes after its header are not a multiple of {width}")
    return np.frombuffer(data, dtype)


def _check_size(path: UPath, found: int, expected: int) -> None:
    if found != expected:
        raise InputError(f"{path} is cut short or too long: {found:,} found, {expected:,} expected")
