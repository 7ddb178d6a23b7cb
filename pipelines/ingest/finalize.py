"""Settle a folder of documents once all its units are written: one schema in all shards, unique ids.

1. Plan: join the shards' schemas (see `carry`); find ids that several documents have and give each of those
   documents, whatever the order of files, the id ``<id>~<hash of the row>``. The plan is written whole before anything
   else is touched.
2. Apply: rewrite the shards that the plan changes, one after the other, and record their units anew.

Both do nothing where nothing is left to do. A run killed between is taken up by the plan: it was made of the units
as they were written, is named by all they depend on, and says of each row what its id shall be, so that it holds
for shards already settled and for units that had to be written again alike.

Price: one read of all ids and 8 bytes a document in memory, at most 256 MB, beyond which ids are read several
times; one rewriting of those shards that lack a column or type which others have.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from gristmill.pipelines.inputs.column_types import JSON, cast_table, is_subschema, join_schemas, json_text
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, ID
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import PROGRESS, Manifest, Part, record_part
from gristmill.pipelines.storage.shards import FAST, read_batches, read_shard, write_shard

BATCH_IDS = 1 << 25  # hashes of ids that are compared in memory

NewIds = dict[str, dict[int, str]]  # shard -> row -> new id


class RenamePlan(NamedTuple):
    """What all shards shall look like."""

    schema: pa.Schema
    new_ids: NewIds


def finalize(folder: UPath, manifest: Manifest, name: str) -> None:
    """Give the shards of an unfinished folder one schema and unique ids, and the manifest's parts what came of it.

    ``name`` is a fingerprint of all that the units were made of.
    """
    path = folder / PROGRESS / f"{name}.plan"
    if not path.exists():
        _write_plan(path, _make_plan(folder, sorted(manifest.files)))
    plan = _read_plan(path)
    for unit, part in manifest.parts.items():
        changed = [shard for shard in part.files if _apply(folder / shard, plan)]
        counts = part.counts | {"ids_renamed": sum(len(plan.new_ids.get(shard, ())) for shard in part.files)}
        if changed or counts != part.counts:
            manifest.parts[unit] = Part.from_files(folder, part.fingerprint, list(part.files), counts)
            record_part(folder, unit, manifest.parts[unit])


def _make_plan(folder: UPath, shards: list[str]) -> RenamePlan:
    schema = join_schemas([_schema(folder / shard) for shard in shards], DOCUMENT)
    schema = pa.schema([f if f.metadata == JSON else f.remove_metadata() for f in schema])
    new_ids: NewIds = defaultdict(dict)
    while collisions := _collisions(folder, shards, new_ids):  # a second time only if a new id was there already
        names = _new_names(folder, collisions, schema)
        for (shard, row), id in names.items():
            new_ids[shard][row] = id
    return RenamePlan(schema, new_ids)


def _collisions(folder: UPath, shards: list[str], new_ids: NewIds) -> dict[str, list[tuple[str, int]]]:
    """Ids that several documents have -> where those are: (shard, row)."""
    found: dict[str, list[tuple[str, int]]] = {}
    rows = sum(_rows(folder / shard) for shard in shards)
    parts = 1 + rows // BATCH_IDS
    for part in range(parts):
        hashes = [h[h % parts == part] for _, _, h in _hashed_ids(folder, shards, new_ids)] or [np.empty(0, np.uint64)]
        ordered = np.sort(np.concatenate(hashes))
        twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
        if not twice.size:
            continue
        places = defaultdict(list)
        for shard, ids, hashed in _hashed_ids(folder, shards, new_ids):
            for row in np.flatnonzero(np.isin(hashed, twice)).tolist():
                places[ids[row].as_py()].append((shard, row))
        found |= {id: where for id, where in places.items() if len(where) > 1}
    return found


def _hashed_ids(folder: UPath, shards: list[str], new_ids: NewIds) -> Iterator[tuple[str, pa.ChunkedArray, np.ndarray]]:
    """Each shard, its ids with the new_ids applied, and their hashes."""
    for shard in shards:
        ids = _renamed(read_shard(folder / shard, [ID])[ID], new_ids.get(shard, {}), 0)
        yield shard, ids, hash_rows(*Ragged.from_text(ids))


def _new_names(folder: UPath, collisions: dict, schema: pa.Schema) -> dict[tuple[str, int], str]:
    """A new id for each of the colliding documents, by what the row holds; equal rows are numbered."""
    old = {place: id for id, places in collisions.items() for place in places}
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
    """Each row as bytes, but for its id; the same in whatever shard and types it was found."""
    columns = [name for name in schema.names if name != ID]
    for row in cast_table(table.take(rows), schema).select(columns).to_pylist() if rows else ():
        yield b"\n".join(json_text(row[name]) for name in columns)


def _apply(path: UPath, plan: RenamePlan) -> bool:
    """Rewrite a shard so that it is as planned; False where it is already."""
    new_ids = plan.new_ids.get(path.name, {})
    if new_ids:
        ids = read_shard(path, [ID])[ID]
        new_ids = {row: id for row, id in new_ids.items() if ids[row].as_py() != id}
    if not new_ids and is_subschema(_schema(path), plan.schema):
        return False

    def tables() -> Iterator[pa.Table]:
        first = 0
        for table in read_batches(path):
            table = table.set_column(0, ID, _renamed(table[ID], new_ids, first)) if new_ids else table
            first += table.num_rows
            yield cast_table(table, plan.schema)

    write_shard(path, tables(), plan.schema, FAST)
    return True


def _renamed(ids: pa.ChunkedArray, new_ids: dict[int, str], first: int) -> pa.ChunkedArray:
    """The ids of rows ``first`` and on, with the new ones in place."""
    here = {row - first: id for row, id in new_ids.items() if first <= row < first + len(ids)}
    if not here:
        return ids
    names = ids.to_pylist()
    for row, id in here.items():
        names[row] = id
    return pa.chunked_array([pa.array(names, pa.large_string())])


def _schema(path: UPath) -> pa.Schema:
    with path.open("rb") as file:
        return pq.read_schema(file)


def _rows(path: UPath) -> int:
    with path.open("rb") as file:
        return pq.read_metadata(file).num_rows


def _write_plan(path: UPath, plan: RenamePlan) -> None:
    new_ids = plan.new_ids.items()
    table = pa.table(
        {
            "shard": pa.array([shard for shard, names in new_ids for _ in names], pa.string()),
            "row": pa.array([row for _, names in new_ids for row in names], pa.int64()),
            "id": pa.array([id for _, names in new_ids for id in names.values()], pa.large_string()),
        }
    )
    with atomic_write(path) as file:
        pq.write_table(table.replace_schema_metadata({b"documents": plan.schema.serialize().to_pybytes()}), file)


def _read_plan(path: UPath) -> RenamePlan:
    table = read_shard(path)
    schema = pa.ipc.read_schema(pa.py_buffer(table.schema.metadata[b"documents"]))
    new_ids: NewIds = defaultdict(dict)
    for shard, row, id in zip(*(table[name].to_pylist() for name in ("shard", "row", "id")), strict=True):
        new_ids[shard][row] = id
    return RenamePlan(schema, new_ids)
