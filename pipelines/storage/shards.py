"""Parquet shards: list, read, write atomically."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.progress import count_bytes
from gristmill.pipelines.schema import ID, SOURCE, TEXT
from gristmill.pipelines.storage.files import atomic_write, is_local
from gristmill.pipelines.storage.manifest import require_finished

GROUP_BYTES = 8 << 20  # of text per row group, the batch of kernels
SHARD_BYTES = 64 << 20  # of text per shard
# Documents: limits for text of under a kilobyte each. A document of any length takes 1 kB of measures, 2 in the ledger.
GROUP_ROWS, SHARD_ROWS = 1 << 14, 1 << 16
SHARD_LINES = 3 << 19  # bounds the spans of cut lines: `python -m benchmarks.memory DATA --only lines` prints the peak
LEVEL, FAST = 3, 1  # of zstd. FAST is for intermediate shards: half the time to write, 16 % larger


def list_shards(folder: UPath) -> list[UPath]:
    """List the shards of a finished folder by name. Raises WorkError if the folder is unfinished."""
    remedy = "`gristmill run RECIPE --output WORK` or `gristmill clean` makes it"
    return [folder / name for name in sorted(require_finished(folder, remedy).files) if name.endswith(".parquet")]


def shards_of(folder: UPath) -> dict[str, dict]:
    """Return name without suffix -> size and checksum, for the shards of a finished folder."""
    files = require_finished(folder, "run the steps before it first").files
    return {name.removesuffix(".parquet"): file for name, file in files.items() if name.endswith(".parquet")}


def read_batches(path: UPath, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Yield the row groups of a shard: about 8 MB of text each, more if one document is larger."""
    with _parquet(path) as shard:
        for group in range(shard.num_row_groups):
            yield shard.read_row_group(group, columns=columns, use_threads=False)
            count_bytes(shard.metadata.row_group(group).total_byte_size)


def _open(path: UPath) -> pa.NativeFile:
    """Open a file, a local one by Arrow itself.

    Python owns buffers read through a Python file; Polars may free one in its own thread while the interpreter exits,
    which aborts the process (seen in 3 of 80 runs).
    """
    return pa.OSFile(str(path)) if is_local(path) else pa.PythonFile(path.open("rb"), mode="r")


@contextmanager
def _parquet(path: UPath) -> Iterator[pq.ParquetFile]:
    """Open a shard. Raises WorkError if it is damaged, on opening or while reading."""
    try:
        with _open(path) as file:
            yield pq.ParquetFile(file)
    except (pa.ArrowException, UnicodeDecodeError, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise  # of the file system; Arrow's own for damaged data have no number
        raise WorkError(f"{path} is damaged ({str(error).splitlines()[0]}); remove it and run again") from error


def read_shard(path: UPath, columns: list[str] | None = None) -> pa.Table:
    """Read a whole shard, for small tables: measures, decisions, spans."""
    with _parquet(path) as shard:
        table = shard.read(columns=columns, use_threads=False)
        table.validate(full=True)  # of UTF-8 above all, which Parquet does not check
    return table if columns is None else table.select(columns)


def list_lengths(path: UPath, column: str, field: str) -> np.ndarray:
    """Return the lengths of the lists in a column of structs, of which only one field is read."""
    with _parquet(path) as shard:
        lists = shard.read([f"{column}.list.element.{field}"], use_threads=False)[column]
    return pc.list_value_length(lists).to_numpy()


def read_group(path: UPath, group: int, columns: list[str] | None = None) -> pa.Table:
    """Read one row group of a shard."""
    with _parquet(path) as shard:
        return shard.read_row_group(group, columns=columns, use_threads=False)


def read_rows(path: UPath, rows: np.ndarray, columns: list[str] | None = None) -> pa.Table:
    """Read rows of a shard, given in ascending order, from the row groups that contain them."""
    groups = groups_of(group_rows(path), rows)
    if taken := [read_group(path, group, columns).take(pa.array(mine)) for group, _, mine in groups]:
        return pa.concat_tables(taken)
    schema = shard_schema(path)
    return schema.empty_table().select(columns or schema.names)


def groups_of(sizes: list[int], rows: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield row groups that contain any of the ascending rows: group, its first row, rows within it."""
    ends = np.cumsum([0, *sizes])
    cuts = np.searchsorted(rows, ends)
    for group in np.flatnonzero(np.diff(cuts)).tolist():
        yield group, int(ends[group]), rows[cuts[group] : cuts[group + 1]] - ends[group]


def group_rows(path: UPath) -> list[int]:
    """Return the number of rows of each row group of a shard."""
    with _parquet(path) as shard:
        return [shard.metadata.row_group(group).num_rows for group in range(shard.num_row_groups)]


def count_rows(path: UPath) -> int:
    """Return the number of rows of a shard from its footer."""
    with _parquet(path) as shard:
        return shard.metadata.num_rows


def shard_schema(path: UPath) -> pa.Schema:
    """Return the columns of a shard."""
    with _parquet(path) as shard:
        return shard.schema_arrow


def write_measures(path: UPath, tables: list[pa.Table], schema: pa.Schema | None = None) -> int:
    """Write a shard of measures (`write_shard`); only its strings, except texts, get a dictionary.

    Those of numbers, which hardly repeat, take room. This takes about half the time of all dictionaries and LEVEL
    (trial in LOG.md).
    """
    schema = schema or tables[0].schema
    strings = [field.name for field in schema if field.type in (pa.string(), pa.large_string()) and field.name != TEXT]
    return write_shard(path, tables, schema, FAST, strings)


def write_shard(
    path: UPath, tables: Iterable[pa.Table], schema: pa.Schema, level: int = LEVEL, repeating: list[str] | None = None
) -> int:
    """Write the tables atomically as one row group each; return the number of rows.

    Columns ``repeating`` get a dictionary, by default all except ids and texts. The bytes of the file depend on the
    tables alone. Without tables the shard is empty.
    """
    rows, options = 0, {"compression": "zstd", "compression_level": level, "write_statistics": [ID, SOURCE]}
    if repeating is None:
        unique = ID, TEXT, "duplicate_of", "duplicate_neighbor"
        repeating = [field.name for field in schema if field.name not in unique]
    with atomic_write(path) as file, pq.ParquetWriter(file, schema, use_dictionary=repeating, **options) as writer:
        for table in tables:
            writer.write_table(table.cast(schema), row_group_size=max(table.num_rows, 1))
            rows += table.num_rows
    return rows


def cut_groups(table: pa.Table, group_bytes: int = GROUP_BYTES) -> Iterator[pa.Table]:
    """Split a table of documents into row groups of about ``group_bytes`` of text, of 1 to GROUP_ROWS rows each."""
    ends = np.cumsum(pc.binary_length(table[TEXT]), dtype=np.int64)
    begin = 0
    while begin < table.num_rows:
        before = ends[begin - 1] if begin else 0
        end = max(int(np.searchsorted(ends, before + group_bytes, side="right")), begin + 1)
        end = min(end, begin + GROUP_ROWS)
        yield table.slice(begin, end - begin)
        begin = end
