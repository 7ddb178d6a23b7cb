"""Table of joined rows, written once and read by every worker: buckets of rows sorted by the hash of their key.

A bucket is an Arrow file without compression, so a worker maps it into memory: a lookup reads the pages that it
touches, all workers share them, and the system may drop them at any time. On a store each bucket is read as a whole,
one at a time. A row takes 16 bytes and its values: 2.4 GB for 1e8 documents with one score.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.inputs import File, open_input
from gristmill.pipelines.inputs.plain_columns import is_string
from gristmill.pipelines.inputs.work_units import PARQUET_DAMAGE
from gristmill.pipelines.kernels.hashing import hash128
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.corpus_step import scratch_beside
from gristmill.pipelines.storage.files import atomic_write, is_local

BUCKET_ROWS = 1 << 21  # of a bucket, about: the builder sorts one at a time
BATCH_ROWS = 1 << 16
HASH = {"high": pa.uint64(), "low": pa.uint64()}
STRING = pa.large_string()


class JoinedColumns(NamedTuple):
    """Columns to read from files: the one with keys, and the values."""

    key: str
    values: Sequence[str]
    compared: Sequence[str] = ()  # values that a threshold compares: numbers


def write_table(files: Sequence[File], columns: JoinedColumns, folder: UPath) -> tuple[list[str], int]:
    """Write the buckets; return their names, in order, and the number of rows.

    Raises InputError for a missing column, a column of another type than numbers or text, and a repeated key.
    """
    kinds = _kinds(files, columns)
    schema = pa.schema([*HASH.items(), *kinds.items()])
    rows = sum(_metadata(file).num_rows for file in files)
    bits = (rows // BUCKET_ROWS).bit_length()
    names = [f"bucket-{k:05d}.arrow" for k in range(1 << bits)]
    with scratch_beside(folder) as scratch, ExitStack() as opened:
        scratch.mkdir(parents=True)
        parts = [opened.enter_context(pa.ipc.new_file(str(scratch / name), schema)) for name in names]
        for table in (_hashed(batch, columns, schema) for file in files for batch in _read(file, columns)):
            bucket = _bucket(table["high"].to_numpy(), bits)
            for k in np.unique(bucket).tolist():
                parts[k].write_table(table.filter(pa.array(bucket == k)))
        opened.close()
        for name in names:
            with pa.memory_map(str(scratch / name)) as file:
                table = pl.DataFrame(pa.ipc.open_file(file).read_all()).sort("high", "low")
                if (repeated := table.filter(pl.struct("high", "low").is_duplicated())).height:
                    raise _repeated(files, columns, repeated)
                with atomic_write(folder / name) as target, pa.ipc.new_file(target, schema) as writer:
                    writer.write_table(table.to_arrow().cast(schema).combine_chunks())
    return names, rows


def look_up(folder: UPath, names: Sequence[str], keys: Ragged) -> tuple[pa.Table, np.ndarray]:
    """Return the values of each key, null without a row, and bool[n], whether there is one.

    Memory: of a local folder only the values; else one bucket.
    """
    high, low = hash_keys(*keys)
    bucket, found, order = _bucket(high, (len(names) - 1).bit_length()), [], []
    matched = np.zeros(high.size, np.bool_)
    for k in np.unique(bucket).tolist():
        rows = np.flatnonzero(bucket == k)
        with _open(folder / names[k]) as file:
            table = pa.ipc.open_file(file).read_all()
            place, matched[rows] = _find(table, high[rows], low[rows])
            found.append(table.drop_columns([*HASH]).take(pa.array(place, mask=~matched[rows])))
        order.append(rows)
    if not found:
        with _open(folder / names[0]) as file:
            return pa.ipc.open_file(file).schema.empty_table().drop_columns([*HASH]), matched
    back = np.argsort(np.concatenate(order))
    return pa.concat_tables(found).take(pa.array(back)), matched


def _find(table: pa.Table, high: np.ndarray, low: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of each hash in a sorted bucket, and whether it is there."""
    if not table.num_rows:
        return np.zeros(high.size, np.int64), np.zeros(high.size, np.bool_)
    firsts, seconds = (table[name].combine_chunks().to_numpy() for name in HASH)
    place = np.searchsorted(firsts, high)
    while True:  # two rows have one first half about never
        here = np.minimum(place, firsts.size - 1)
        same = (firsts[here] == high) & (place < firsts.size)
        onward = same & (seconds[here] != low)
        if not onward.any():
            return here, same
        place = place + onward


def _bucket(high: np.ndarray, bits: int) -> np.ndarray:
    return (high >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(high.size, np.int64)


def _open(path: UPath) -> pa.NativeFile:
    return pa.memory_map(str(path)) if is_local(path) else pa.BufferReader(path.read_bytes())


def _metadata(file: File) -> pq.FileMetaData:
    try:
        with open_input(file.url) as stream:
            return pq.ParquetFile(stream).metadata
    except PARQUET_DAMAGE as error:
        raise InputError(f"cannot join {file.url}: it is no Parquet file ({str(error).splitlines()[0]})") from None


def _kinds(files: Sequence[File], columns: JoinedColumns) -> dict[str, pa.DataType]:
    """Return double or text for each column of values, the same in all files."""
    kinds: dict[str, pa.DataType] = {}
    for file in files:
        schema = _metadata(file).schema.to_arrow_schema()
        for name in (columns.key, *columns.values):
            if name not in schema.names:
                raise InputError(f"cannot join {file.url}: no column {name!r}; there is {', '.join(schema.names[:20])}")
            kind = schema.field(name).type
            number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
            if not (is_string(kind) or number) or (name == columns.key and pa.types.is_floating(kind)):
                expected = "text or whole numbers" if name == columns.key else "numbers or text"
                raise InputError(f"cannot join {file.url}: the column {name!r} holds {kind}, expected {expected}")
            if name == columns.key:
                continue
            plain = STRING if is_string(kind) else pa.float64()
            if plain == STRING and name in columns.compared:
                raise InputError(
                    f"cannot join {file.url}: the column {name!r} holds text, and a threshold of it numbers"
                )
            if kinds.setdefault(name, plain) != plain:
                raise InputError(
                    f"cannot join {file.url}: the column {name!r} holds {kind}, in files before it {kinds[name]}"
                )
    return kinds


def _read(file: File, columns: JoinedColumns) -> Iterator[pa.Table]:
    with open_input(file.url) as stream:
        for batch in pq.ParquetFile(stream).iter_batches(BATCH_ROWS, columns=[columns.key, *columns.values]):
            yield pa.Table.from_batches([batch])


def _keys(table: pa.Table, columns: JoinedColumns) -> Ragged:
    return Ragged.from_text(table[columns.key].cast(STRING))


def _hashed(table: pa.Table, columns: JoinedColumns, schema: pa.Schema) -> pa.Table:
    """Return the values with the hash of their keys; rows without a key are left out, NaN is null."""
    table = table.filter(pc.is_valid(table[columns.key]))
    values = [table[name].cast(schema.field(name).type) for name in columns.values]
    values = [pc.if_else(pc.is_finite(v), v, None) if pa.types.is_floating(v.type) else v for v in values]
    return pa.table([*map(pa.array, hash_keys(*_keys(table, columns))), *values], schema=schema)


def _repeated(files: Sequence[File], columns: JoinedColumns, rows: pl.DataFrame) -> InputError:
    """Return the error for a repeated key, which is named with its files."""
    places: list[str] = []
    wanted, text = rows.row(0)[:2], ""
    for file in files:
        for table in _read(file, columns._replace(values=())):
            keys = _keys(table, columns)
            high, low = hash_keys(*keys)
            for row in np.flatnonzero((high == wanted[0]) & (low == wanted[1])).tolist():
                places.append(file.name)
                text = keys.row(row).decode("utf-8", "replace")
    where = " and ".join(dict.fromkeys(places))
    return InputError(f"cannot join {where}: {len(places)} rows have {columns.key} {text!r}; expected one for each key")


@allocating_kernel
def hash_keys(offsets, data):
    """Return the 128-bit hash of each row, as two uint64[n]."""
    high, low = np.empty(offsets.size - 1, np.uint64), np.empty(offsets.size - 1, np.uint64)
    for row in range(high.size):
        high[row], low[row] = hash128(data, offsets[row], offsets[row + 1])
    return high, low
