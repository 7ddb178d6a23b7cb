"""Parquet shards: list, read in batches, write whole or not at all."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import ID, SOURCE, TEXT
from gristmill.pipelines.storage.files import atomic_write, is_local
from gristmill.pipelines.storage.manifest import require_finished

GROUP_BYTES = 8 << 20  # of text in a row group: what one batch of kernels sees
SHARD_BYTES = 64 << 20  # of text in a shard, before a new one is begun
LEVEL, FAST = 3, 1  # of zstd. FAST is for what a run reads again and again: half the time to write, 16 % larger


def list_shards(folder: UPath) -> list[UPath]:
    """The shards of a finished folder, in order of their names."""
    remedy = "`gristmill clean RECIPE --input … --output WORK` makes it"
    return [folder / name for name in sorted(require_finished(folder, remedy).files) if name.endswith(".parquet")]


def read_batches(path: UPath, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The shard's row groups one by one: about 8 MB of text each, except where one document is larger.

    Raises WorkError, naming the file, where it is damaged.
    """
    try:
        with _open(path) as file:
            shard = pq.ParquetFile(file)
            for group in range(shard.num_row_groups):
                yield shard.read_row_group(group, columns=columns, use_threads=False)
    except pa.ArrowInvalid as error:
        raise WorkError(f"{path} is damaged ({error}); remove it and run again") from error


def _open(path: UPath) -> pa.NativeFile:
    """The file, for Arrow to read by itself where it can.

    Buffers read through a Python file belong to Python; Polars may free one in a thread of its own while the
    interpreter ends, which aborts the process (seen in 3 of 80 runs).
    """
    if is_local(path):
        return pa.OSFile(str(path))
    return pa.PythonFile(path.open("rb"), mode="r")


def read_shard(path: UPath, columns: list[str] | None = None) -> pa.Table:
    """A whole shard, for tables that are small: measures, decisions, spans."""
    with _open(path) as file:
        return pq.read_table(file, columns=columns, use_threads=False)


def read_group(path: UPath, group: int, columns: list[str] | None = None) -> pa.Table:
    """One row group of a shard. Raises WorkError, naming the file, where it is damaged."""
    try:
        with _open(path) as file:
            return pq.ParquetFile(file).read_row_group(group, columns=columns, use_threads=False)
    except pa.ArrowInvalid as error:
        raise WorkError(f"{path} is damaged ({error}); remove it and run again") from error


def read_rows(path: UPath, rows: np.ndarray, columns: list[str] | None = None) -> pa.Table:
    """Some rows of a shard, given in ascending order: only the row groups they lie in are read."""
    taken = [
        read_group(path, group, columns).take(pa.array(mine)) for group, _, mine in groups_of(group_rows(path), rows)
    ]
    if taken:
        return pa.concat_tables(taken)
    schema = shard_schema(path)
    return schema.empty_table().select(columns or schema.names)


def groups_of(sizes: list[int], rows: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """The row groups, of so many rows each, that hold some of the ascending rows: group, its first row, rows in it."""
    ends = np.cumsum([0, *sizes])
    cuts = np.searchsorted(rows, ends)
    for group in np.flatnonzero(np.diff(cuts)).tolist():
        yield group, int(ends[group]), rows[cuts[group] : cuts[group + 1]] - ends[group]


def group_rows(path: UPath) -> list[int]:
    """How many rows each row group of a shard has."""
    with _open(path) as file:
        metadata = pq.ParquetFile(file).metadata
        return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def count_rows(path: UPath) -> int:
    """How many rows a shard has, without reading them."""
    with _open(path) as file:
        return pq.ParquetFile(file).metadata.num_rows


def shard_schema(path: UPath) -> pa.Schema:
    """The columns of a shard."""
    with _open(path) as source:
        return pq.read_schema(source)


def write_shard(path: UPath, tables: Iterable[pa.Table], schema: pa.Schema, level: int = LEVEL) -> int:
    """Write the tables as one row group each, all or nothing, and return the number of rows.

    The file's bytes depend on the tables alone. No table at all makes an empty shard.
    """
    rows = 0
    # A dictionary helps columns that repeat; ids and texts do not.
    repeating = [field.name for field in schema if field.name not in (ID, TEXT, "duplicate_of")]
    with (
        atomic_write(path) as file,
        pq.ParquetWriter(
            file,
            schema,
            compression="zstd",
            compression_level=level,
            use_dictionary=repeating,
            write_statistics=[ID, SOURCE],
        ) as writer,
    ):
        for table in tables:
            writer.write_table(table.cast(schema), row_group_size=max(table.num_rows, 1))
            rows += table.num_rows
    return rows


def cut_groups(table: pa.Table, group_bytes: int = GROUP_BYTES) -> Iterator[pa.Table]:
    """Cut a table of documents into row groups of about ``group_bytes`` of text, at least one row each."""
    ends = np.cumsum(pc.binary_length(table[TEXT]), dtype=np.int64)
    begin = 0
    while begin < table.num_rows:
        before = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, before + group_bytes, side="right")), begin + 1)
        yield table.slice(begin, end - begin)
        begin = end
