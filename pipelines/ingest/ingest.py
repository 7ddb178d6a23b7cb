"""Ingestion: raw files -> ``documents/`` and ``rejects/``.

Each work unit of the input (work_units.py) is one job. It writes its documents to ``part-<unit>-<k>.parquet`` and the
records it could not read to ``part-<unit>.jsonl``. At the end `finalize` gives the shards one schema and unique ids.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import chain

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.pipelines.ingest.finalize import finalize
from gristmill.pipelines.ingest.input_versions import (
    Versions,
    changed_bytes,
    read_versions,
    versions_of,
    write_versions,
)
from gristmill.pipelines.ingest.losses import check_losses
from gristmill.pipelines.inputs.column_types import cast_table, join_schemas
from gristmill.pipelines.inputs.inputs import InputSettings, check_checksums, find_files
from gristmill.pipelines.inputs.listing import printable
from gristmill.pipelines.inputs.work_units import WorkUnit, plan_work_units
from gristmill.pipelines.plugins import Plugin, find_plugin, load_plugin
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.readers import read_unit
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS, TEXT
from gristmill.pipelines.steps.step import Job, Output, RawInput, Step, Written, set_fingerprints
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.storage.manifest import Manifest, fingerprint
from gristmill.pipelines.storage.shards import FAST, SHARD_BYTES, SHARD_LINES, SHARD_ROWS, cut_groups, write_shard

__all__ = ["InputSettings", "ingest_step", "read_documents"]

log = logging.getLogger(__name__)

REJECTS = "rejects"  # kind of output

# Settings on which the documents of a unit do not depend.
ELSEWHERE = {"paths", "max_reject_fraction", "verify", "reader"}
LINE_BREAK = ord("\n")
SHARD_BYTES_CARRIED = 2 * SHARD_BYTES  # in all columns together; bounds memory if text is the smaller part


def ingest_step(work: UPath, settings: InputSettings) -> Step:
    """Return the step that makes ``work/documents`` and ``work/rejects``. Raises InputError if there is no input.

    A change of any input file invalidates all units, since a type or an id in one file can change all shards. Records
    of unfinished folders depend on the files' times, manifests do not (input_versions.py).
    """
    documents, rejects = work / "documents", work / "rejects"
    files, finished, known = find_files(settings, str(work)), Manifest.read(documents), read_versions(work)
    versions = versions_of(files)
    for name in changed_bytes(files, known):
        log.warning("%s has other bytes than in the last run; the input is read again", printable(name))
    old_cuts = finished.settings.get("cuts", {}) if finished else {}
    same = {name: cuts for name, cuts in old_cuts.items() if known.get(name) == versions.get(name)}
    units, cuts = plan_work_units(files, settings.work_unit_bytes, same, settings.encoding)
    shared, own = settings.model_dump(mode="json", exclude=ELSEWHERE), _own_reader(settings)
    if own:
        shared["reader"] = [own.attribute, own.sha256]
    name = fingerprint(shared, [file.identity for unit in units for file, *_ in unit])
    limit = {"max_reject_fraction": settings.max_reject_fraction}
    folders = {documents: shared | {"cuts": cuts}, rejects: limit}

    def step(read_at: Versions | None) -> Step:
        jobs = []
        for u, unit in enumerate(units):
            inputs = tuple(RawInput(piece.file.url, piece.file.identity) for piece in unit)
            made_with = [name, [cut for _, *cut in unit], read_at]
            outputs = tuple(
                Output(folder, f"part-{u:05d}", inputs, made_with, kind)
                for kind, folder in ((DOCUMENTS, documents), (REJECTS, rejects))
            )
            jobs.append(Job(ingest_unit, (unit, settings, own), outputs, sum(piece.bytes for piece in unit)))
        return Step("ingest", folders, jobs, prepare, done, lambda part: part.counts.get("ids_renamed", 0) > 0)

    def prepare() -> None:
        if own:
            load_plugin(own)

    def done(manifests: dict[UPath, Manifest]) -> None:
        if settings.verify:
            check_checksums(files)
        check_losses(rejects, manifests, sum(file.size for file in files), settings.max_reject_fraction)
        if Manifest.read(documents) is None:
            finalize(documents, manifests[documents], fingerprint(name, versions))
        set_fingerprints(step(None), manifests)  # without times
        write_versions(work, versions)

    return step(None if known == versions else versions)


def read_documents(paths: list[str], settings: InputSettings) -> Iterator[pa.Table]:
    """Yield the documents of raw files, or of the ``clean/`` of a work folder; log records that cannot be read.

    Tables have id, text, source and the columns of their file; types are not joined across tables.
    """
    files = find_files(settings.model_copy(update={"paths": list(paths)}))
    units, _ = plan_work_units(files, settings.work_unit_bytes, encoding=settings.encoding)
    own = _own_reader(settings)
    for unit in units:
        yield from read_unit(unit, ReadContext(settings, lambda reject: log.warning("cannot read: %s", reject), own))


def _own_reader(settings: InputSettings) -> Plugin | None:
    return find_plugin(settings.reader, "", "[input] reader") if settings.reader else None


def ingest_unit(
    unit: WorkUnit, settings: InputSettings, own: Plugin | None, outputs: tuple[Output, ...]
) -> list[Written]:
    """Read a unit and write its documents, its rejects, or both."""
    wanted = {output.kind: output for output in outputs}
    rejected = wanted.get(REJECTS)
    with ExitStack() as files:
        file = None

        def on_reject(reject: dict) -> None:
            nonlocal file
            if rejected and file is None:
                file = files.enter_context(atomic_write(rejected.folder / f"{rejected.name}.jsonl"))
            if rejected:
                file.write(orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE))

        reading = ReadContext(settings, on_reject, own)
        tables = read_unit(unit, reading)
        if DOCUMENTS in wanted:
            made = write_documents(tables, wanted[DOCUMENTS])
        else:
            made = Written([], {})
            for _ in tables:
                pass
    names: list[str] = [f"{rejected.name}.jsonl"] if rejected and file else []
    wrote = {DOCUMENTS: made, REJECTS: Written(names, {"rejects": reading.rejects, "lost_bytes": reading.lost_bytes})}
    return [wrote[output.kind] for output in outputs]


def write_documents(tables: Iterable[pa.Table], output: Output) -> Written:
    """Write documents to shards of about 64 MB of text, SHARD_ROWS or SHARD_LINES each, in the order of the tables."""
    names: list[str] = []
    counts = Counter(documents=0, bytes=0, ids_renamed=0)
    for batch in _shards(tables):
        schema = join_schemas([table.schema for table in batch], DOCUMENT)
        table = pa.concat_tables([cast_table(table, schema) for table in batch])
        names.append(f"{output.name}-{len(names):03d}.parquet")
        counts["documents"] += write_shard(output.folder / names[-1], cut_groups(table), schema, FAST)
        counts["bytes"] += _text_bytes(table)
        del batch, table  # or they would stay in memory until the next shard is full
    return Written(names, dict(counts))


def _shards(tables: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    batch, rows, lines, text, carried = [], 0, 0, 0, 0
    for table in chain.from_iterable(map(_slices, tables)):
        batch.append(table)
        rows += table.num_rows
        lines += np.count_nonzero(Ragged.from_text(table[TEXT]).data == LINE_BREAK)
        text += _text_bytes(table)
        carried += table.nbytes
        if rows >= SHARD_ROWS or lines >= SHARD_LINES or text >= SHARD_BYTES or carried >= SHARD_BYTES_CARRIED:
            yield batch
            batch, rows, lines, text, carried = [], 0, 0, 0, 0
    if any(table.num_rows for table in batch):
        yield batch


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table of more than SHARD_ROWS in pieces: a Parquet file of some kB may hold millions of equal rows."""
    for begin in range(0, table.num_rows, SHARD_ROWS):
        yield table.slice(begin, SHARD_ROWS)


def _text_bytes(table: pa.Table) -> int:
    return pc.sum(pc.binary_length(table[TEXT])).as_py() or 0
