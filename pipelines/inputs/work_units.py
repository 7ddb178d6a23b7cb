"""Cut the input into units of about equal work.

A unit is the share of one job: a byte range of a large uncompressed JSONL file, a range of row groups of a large
Parquet file, a large file that cannot be cut (a compressed one can only be read from its beginning), a Hugging Face
dataset, or a pack of small files. Units depend on the files, their order by name, and `work_unit_bytes`; never on the
number of workers.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from gristmill.pipelines.inputs.inputs import File, open_input

BLOCK_BYTES = 16 << 20  # read at a time
PARQUET_DAMAGE = (pa.ArrowException, OSError, ValueError)  # ValueError: names in the footer that are no UTF-8
MAX_FILES = 4096  # in a unit: small files cost by the file, about 0.6 ms each


class InputSlice(NamedTuple):
    """A file, or a range of one."""

    file: File
    start: int = 0  # first byte of a JSONL file, first row group of a Parquet file
    end: int | None = None  # one past the last; None: to the end of the file
    first: int = 1  # number of its first record in the file

    @property
    def bytes(self) -> int:
        """Roughly how much there is to read."""
        return self.end - self.start if self.end and self.file.format == "jsonl" else self.file.size


WorkUnit = tuple[InputSlice, ...]
SplitPoints = list[list]  # [start, end, first] of each piece of a file; the end may be None


def plan_work_units(
    files: list[File], work_unit_bytes: int, known: dict[str, SplitPoints] | None = None
) -> tuple[list[WorkUnit], dict]:
    """Files ordered by name -> units, and the cuts made: ``{name: [[start, end, first], …]}``.

    ``known`` are the cuts of an earlier run over the same files, which spares reading large files just to cut them.
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
        elif file.format in CUTTERS and not file.compression:
            key = f"{file.name} {file.size} {file.version}"
            cuts[key] = (known or {}).get(key) or CUTTERS[file.format](file, work_unit_bytes)
            units += [(InputSlice(file, *piece),) for piece in cuts[key]]
        else:
            units.append((InputSlice(file),))
    return units + ([tuple(pack)] if pack else []), cuts


def _cut_lines(file: File, work_unit_bytes: int) -> SplitPoints:
    """Cut at the first newline after every ``work_unit_bytes``, counting the lines before it."""
    starts, firsts, number, at = [0], [1], 1, 0
    with open_input(file.url) as stream:
        while block := stream.read(BLOCK_BYTES):
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


def _cut_row_groups(file: File, work_unit_bytes: int) -> SplitPoints:
    """Cut between row groups, by their bytes before compression. A damaged file stays whole: its reader says so."""
    try:
        with open_input(file.url) as stream:
            metadata = pq.ParquetFile(stream).metadata
            groups = [metadata.row_group(g) for g in range(metadata.num_row_groups)]
            sizes, rows = [g.total_byte_size for g in groups], [g.num_rows for g in groups]
    except PARQUET_DAMAGE:
        return [[0, None, 1]]
    return [[begin, end, 1 + sum(rows[:begin])] for begin, end in _runs(sizes, work_unit_bytes)] or [[0, None, 1]]


def _runs(sizes: list[int], limit: int) -> Iterator[tuple[int, int]]:
    """Cut a list of sizes into ranges that each hold at most ``limit``, or one item."""
    begin = total = 0
    for i, size in enumerate(sizes):
        if i > begin and total + size > limit:
            yield begin, i
            begin, total = i, 0
        total += size
    if sizes:
        yield begin, len(sizes)


CUTTERS = {"jsonl": _cut_lines, "parquet": _cut_row_groups}
