"""Work units: shares of the input of about equal size, one per job.

A unit is a byte range of a large uncompressed file of JSON lines, a range of row groups of a large Parquet file, one
large file that cannot be split (for example a compressed one, or a JSON array), a Hugging Face dataset, or a pack of
small files. Units depend on the files, their order by name, `work_unit_bytes` and `encoding`, never on the number of
workers: without `work_unit_bytes`, an input of 256 MB is cut into the same 32 units for two cores and for sixteen.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gristmill.pipelines.inputs.inputs import File, UnreadableFile, open_input

HEAD_BYTES = 1 << 16  # of a JSON file: they show its layout
PARQUET_DAMAGE = (pa.ArrowException, OSError, ValueError)  # ValueError: names in the footer are not UTF-8
LEAST_UNIT, LARGEST_UNIT = 2 << 20, 64 << 20  # bytes: a job takes 10 ms of its own, and a shard fits in memory
UNITS = 32  # of an input of up to 2 GB
MAX_FILES = 4096  # per unit: each small file costs about 0.6 ms


class InputSlice(NamedTuple):
    """File, or range of a file."""

    file: File
    start: int = 0  # first byte of a JSONL file, first row group of a Parquet file
    end: int | None = None  # exclusive; None: the end of the file
    first: int = 1  # number of its first record in the file, from 1

    @property
    def bytes(self) -> int:
        """Approximate number of bytes to read."""
        return self.end - self.start if self.end and self.file.format == "jsonl" else self.file.size


WorkUnit = tuple[InputSlice, ...]
SplitPoints = list[list]  # [start, end, first] of each slice of a file; the end may be None


def unit_bytes(files: list[File]) -> int:
    """Return the size of a unit of these files: a power of two, for UNITS units if the limits allow."""
    each = sum(file.size for file in files) // UNITS
    return min(max(1 << max(each - 1, 0).bit_length(), LEAST_UNIT), LARGEST_UNIT)


def plan_work_units(
    files: list[File], work_unit_bytes: int, known: dict[str, SplitPoints] | None = None, encoding: str = "utf-8"
) -> tuple[list[WorkUnit], dict]:
    """Return the units of files ordered by name, and the split points ``{name: [[start, end, first], …]}``.

    ``known`` are the split points of unchanged files in an earlier run; they save reading large files to find them.
    Files in another encoding than UTF-8 are not split: their line breaks may be other bytes.
    """
    units: list[WorkUnit] = []
    pack: list[InputSlice] = []
    packed, cuts = 0, {}
    for file in files:
        small = file.size <= work_unit_bytes and file.format != "hf"
        size = max(file.size, work_unit_bytes // MAX_FILES)
        if pack and (not small or packed + size > work_unit_bytes):
            units.append(tuple(pack))
            pack, packed = [], 0
        if small:
            pack.append(InputSlice(file))
            packed += size
        elif file.format in CUTTERS and not file.compression and (encoding == "utf-8" or file.format != "jsonl"):
            cuts[file.name] = (known or {}).get(file.name) or _cut(file, work_unit_bytes)
            units += [(InputSlice(file, *piece),) for piece in cuts[file.name]]
        else:
            units.append((InputSlice(file),))
    return units + ([tuple(pack)] if pack else []), cuts


def _cut(file: File, work_unit_bytes: int) -> SplitPoints:
    """Return the split points of a large file; one slice, which its reader rejects, if it may not be read."""
    try:
        return CUTTERS[file.format](file, work_unit_bytes)
    except UnreadableFile:
        return [[0, None, 1]]


def _cut_lines(file: File, work_unit_bytes: int) -> SplitPoints:
    """Split at the first newline after each ``work_unit_bytes``, and count the lines before it.

    An array, or objects over several lines, are one slice.
    """
    starts, firsts, number, at = [0], [1], 1, 0
    with open_input(file.url) as stream:
        if spans_lines(stream.read(HEAD_BYTES)):
            return [[0, None, 1]]
        stream.seek(0)
        while block := stream.read(file.block_bytes):
            counted = 0
            while (newline := block.find(b"\n", max(starts[-1] + work_unit_bytes - 1 - at, 0))) >= 0:
                if at + newline + 1 == file.size:
                    break
                number += block.count(b"\n", counted, newline + 1)
                counted = newline + 1
                starts.append(at + counted)
                firsts.append(number)
            number += block.count(b"\n", counted)
            at += len(block)
    return [list(piece) for piece in zip(starts, [*starts[1:], file.size], firsts, strict=True)]


def spans_lines(head: bytes) -> bool:
    """True if a JSON file that begins with ``head`` is an array or objects over several lines, not an object a line."""
    return bool(re.match(rb'(?:\xef\xbb\xbf)?\s*(?:\[|\{\s*\n\s*")', head[:HEAD_BYTES]))


def _cut_row_groups(file: File, work_unit_bytes: int) -> SplitPoints:
    """Split between row groups by their uncompressed bytes. A damaged file is one slice, which its reader rejects."""
    try:
        with open_input(file.url) as stream:
            metadata = pq.ParquetFile(stream).metadata
            groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
            sizes, rows = [g.total_byte_size for g in groups], [g.num_rows for g in groups]
    except PARQUET_DAMAGE:
        return [[0, None, 1]]
    return [[begin, end, 1 + sum(rows[:begin])] for begin, end in _runs(sizes, work_unit_bytes)] or [[0, None, 1]]


def _runs(sizes: list[int], limit: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of a list of sizes; each sums to at most ``limit`` or contains one item."""
    begin = total = 0
    for i, size in enumerate(sizes):
        if i > begin and total + size > limit:
            yield begin, i
            begin, total = i, 0
        total += size
    if sizes:
        yield begin, len(sizes)


CUTTERS = {"jsonl": _cut_lines, "parquet": _cut_row_groups}
