"""Finalize a folder of documents after all its units are written: one schema in all shards, unique ids.

1. Plan: join the shards' schemas (column_types.py) and find duplicate ids. Each document with a duplicate id gets the
   id ``<id>~<hash of the row>``, whatever the order of files. The plan is written before any shard is changed.
2. Apply: rewrite the shards that the plan changes, one after the other, and record their parts again.

If the run is killed half-way, the next run reloads the plan and continues. This is safe because the plan was computed
from the shards as first written and its file name is a hash of everything it depends on. It stores the final id of
every row it renames, so it gives the same result for shards already finalized and for units that had to be ingested
again.

The manifest names the columns that a shard lacked at first, and those that held nothing but nulls of no type (ABSENT,
NULL). So the next run, in which another input has changed, knows the shard as it was first written and need not read
its files again. Parts with other changes are read again then (`was_changed`).

Cost: one read of all ids, with 8 bytes per document in memory up to 256 MB; beyond that, ids are read several times.
Each shard that lacks a column or type of another shard is rewritten once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from gristmill.pipelines.inputs.column_types import JSON, LARGE_INT, cast_table, is_subschema, join_schemas, json_text
from gristmill.pipelines.inputs.plain_columns import python_values
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, ID
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import PROGRESS, Manifest, Part, record_part
from gristmill.pipelines.storage.shards import FAST, count_rows, read_batches, read_shard, shard_schema, write_shard

ABSENT, NULL = "absent", "null"  # keys beside the checksum of a shard: its columns that were so at first
BATCH_IDS = 1 << 25  # hashes of ids compared in memory at once

NewIds = dict[str, dict[int, str]]  # shard -> row -> new id


class RenamePlan(NamedTuple):
    """Schema of all shards, the final ids of renamed rows, and the shards that get another type of a column."""

    schema: pa.Schema
    new_ids: NewIds
    retyped: frozenset[str]


def was_changed(part: Part) -> bool:
    """True if a part was finalized otherwise than by columns of nulls."""
    return part.counts.get("ids_renamed", 0) + part.counts.get("shards_retyped", 0) > 0


def finalize(folder: UPath, manifest: Manifest, name: str) -> None:
    """Give all shards of an unfinished folder one schema and unique ids, and update the manifest's parts.

    ``name`` is a fingerprint of everything that the units depend on.
    """
    path = folder / PROGRESS / f"{name}.plan"
    if not path.exists():
        _write_plan(path, _make_plan(folder, manifest.files))
    plan = _read_plan(path)
    for unit, part in manifest.parts.items():
        first = {shard: _first_schema(shard_schema(folder / shard), file) for shard, file in part.files.items()}
        changed = [shard for shard in part.files if _apply(folder / shard, first[shard], plan)]
        renamed = sum(len(plan.new_ids.get(shard, ())) for shard in part.files)
        counts = part.counts | {"ids_renamed": renamed, "shards_retyped": len(plan.retyped & {*part.files})}
        if changed or counts != part.counts:
            made = Part.from_files(folder, part.fingerprint, list(part.files), counts)
            made.files = {shard: file | _marks(first[shard], plan.schema) for shard, file in made.files.items()}
            manifest.parts[unit] = made
            record_part(folder, unit, manifest.parts[unit])


def _make_plan(folder: UPath, files: dict[str, dict]) -> RenamePlan:
    shards = sorted(files)
    first = {shard: _first_schema(shard_schema(folder / shard), files[shard]) for shard in shards}
    schema = join_schemas(first.values(), DOCUMENT)
    schema = pa.schema([f if f.metadata == JSON else f.remove_metadata() for f in schema])
    new_ids: NewIds = defaultdict(dict)
    while collisions := _collisions(folder, shards, new_ids):  # again only if a new id existed already
        names = _new_names(folder, collisions, schema)
        for (shard, row), id in names.items():
            new_ids[shard][row] = id
    return RenamePlan(schema, new_ids, frozenset(shard for shard in shards if _is_retyped(first[shard], schema)))


def _first_schema(schema: pa.Schema, file: dict) -> pa.Schema:
    """Return the schema with which a shard was first written."""
    absent, null = file.get(ABSENT, ()), file.get(NULL, ())
    fields = (pa.field(field.name, pa.null()) if field.name in null else field for field in schema)
    return pa.schema([field for field in fields if field.name not in absent])


def _marks(first: pa.Schema, final: pa.Schema) -> dict[str, list[str]]:
    """Return the names of columns that a shard lacked at first, and of those that had no type."""
    absent = [name for name in final.names if name not in first.names]
    null = [f.name for f in first if pa.types.is_null(f.type) and not pa.types.is_null(final.field(f.name).type)]
    return {key: names for key, names in ((ABSENT, absent), (NULL, null)) if names}


def _is_retyped(first: pa.Schema, final: pa.Schema) -> bool:
    """True if a column with values gets another type."""
    typed = [field for field in first if not pa.types.is_null(field.type)]
    return not is_subschema(pa.schema(typed), pa.schema([final.field(field.name) for field in typed]))


def _collisions(folder: UPath, shards: list[str], new_ids: NewIds) -> dict[str, list[tuple[str, int]]]:
    """Return the (shard, row) of each document with a duplicate id, by id."""
    found: dict[str, list[tuple[str, int]]] = {}
    parts = 1 + sum(count_rows(folder / shard) for shard in shards) // BATCH_IDS
    for part in range(parts):
        hashes = [h[h % parts == part] for _, _, h in _hashed_ids(folder, shards, new_ids)] or [np.empty(0, np.uint64)]
        ordered = np.sort(np.concatenate(hashes))
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not twice.size:
            continue
        positions = defaultdict(list)
        for shard, ids, hashed in _hashed_ids(folder, shards, new_ids):
            for row in np.flatnonzero(np.isin(hashed, twice)).tolist():
                positions[ids[row].as_py()].append((shard, row))
        found |= {id: rows for id, rows in positions.items() if len(rows) > 1}
    return found


def _hashed_ids(folder: UPath, shards: list[str], new_ids: NewIds) -> Iterator[tuple[str, pa.ChunkedArray, np.ndarray]]:
    """Yield each shard, its ids after renaming, and their hashes."""
    for shard in shards:
        ids = _renamed(read_shard(folder / shard, [ID])[ID], new_ids.get(shard, {}), 0)
        yield shard, ids, hash_rows(*Ragged.from_text(ids))


def _new_names(folder: UPath, collisions: dict, schema: pa.Schema) -> dict[tuple[str, int], str]:
    """Return a new id for each document with a duplicate id, from a hash of its row; equal rows are numbered."""
    old = {position: id for id, positions in collisions.items() for position in positions}
    wanted = defaultdict(set)
    for shard, row in old:
        wanted[shard].add(row)
    taken: Counter[str] = Counter()
    names = {}
    for shard in sorted(wanted):
        first = 0
        for table in read_batches(folder / shard):
            rows = sorted(row for row in wanted[shard] if first <= row < first + table.num_rows)
            for row, values in zip(rows, _values(table, [row - first for row in rows], schema), strict=True):
                name = f"{old[shard, row]}~{blake2b(values, digest_size=8).hexdigest()}"
                taken[name] += 1
                names[shard, row] = name if taken[name] == 1 else f"{name}-{taken[name]}"
            first += table.num_rows
    return names


def _values(table: pa.Table, rows: list[int], schema: pa.Schema) -> Iterator[bytes]:
    """Yield each row without its id as bytes, independent of its shard and the types there."""
    if rows:
        columns = cast_table(table.take(rows), schema).drop_columns(ID).columns
        for row in zip(*map(python_values, columns), strict=True):
            yield b"\n".join(map(json_text, row))


def _apply(path: UPath, first_schema: pa.Schema, plan: RenamePlan) -> bool:
    """Rewrite a shard by the plan; False if it needs no change."""
    new_ids = plan.new_ids.get(path.name, {})
    if new_ids:
        ids = read_shard(path, [ID])[ID]
        new_ids = {row: id for row, id in new_ids.items() if ids[row].as_py() != id}
    if not new_ids and is_subschema(shard_schema(path), plan.schema):
        return False
    wide = {field.name: field for field in first_schema if field.metadata == LARGE_INT}  # which another join needs
    schema = pa.schema([own if (own := wide.get(field.name, field)) == field else field for field in plan.schema])

    def tables() -> Iterator[pa.Table]:
        first = 0
        for table in read_batches(path):
            table = table.set_column(0, ID, _renamed(table[ID], new_ids, first)) if new_ids else table
            first += table.num_rows
            yield cast_table(table, plan.schema)

    write_shard(path, tables(), schema, FAST)
    return True


def _renamed(ids: pa.ChunkedArray, new_ids: dict[int, str], first: int) -> pa.ChunkedArray:
    """Return the ids of the rows from ``first`` on after renaming."""
    here = {row - first: id for row, id in new_ids.items() if first <= row < first + len(ids)}
    if not here:
        return ids
    names = ids.to_pylist()
    for row, id in here.items():
        names[row] = id
    return pa.chunked_array([pa.array(names, pa.large_string())])


def _write_plan(path: UPath, plan: RenamePlan) -> None:
    new_ids = plan.new_ids.items()
    table = pa.table(
        {
            "shard": pa.array([shard for shard, names in new_ids for _ in names], pa.string()),
            "row": pa.array([row for _, names in new_ids for row in names], pa.int64()),
            "id": pa.array([id for _, names in new_ids for id in names.values()], pa.large_string()),
        }
    )
    about = {b"documents": plan.schema.serialize().to_pybytes(), b"retyped": orjson.dumps(sorted(plan.retyped))}
    with atomic_write(path) as file:
        pq.write_table(table.replace_schema_metadata(about), file)


def _read_plan(path: UPath) -> RenamePlan:
    table = read_shard(path)
    schema = pa.ipc.read_schema(pa.py_buffer(table.schema.metadata[b"documents"]))
    new_ids: NewIds = defaultdict(dict)
    for shard, row, id in zip(*(table[name].to_pylist() for name in ("shard", "row", "id")), strict=True):
        new_ids[shard][row] = id
    return RenamePlan(schema, new_ids, frozenset(orjson.loads(table.schema.metadata[b"retyped"])))
