"""Ingestion: raw files -> ``documents/`` and ``rejects/``.

Each work unit of the input (work_units.py) is one job. It writes its documents to ``part-<unit>-<k>.parquet`` and the
records it could not read to ``part-<unit>.jsonl``. At the end `finalize` gives the shards one schema and unique ids.
A command that needs only a summary of the documents has each unit write that in place of them: see `Target`.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from upath import UPath

from gristmill.pipelines.errors import TooManyRejects
from gristmill.pipelines.ingest.finalize import finalize, was_changed
from gristmill.pipelines.ingest.input_versions import (
    Versions,
    changed_bytes,
    read_versions,
    versions_of,
    write_versions,
)
from gristmill.pipelines.ingest.losses import check_losses
from gristmill.pipelines.ingest.named_columns import check_columns
from gristmill.pipelines.inputs.column_types import cast_table, join_schemas
from gristmill.pipelines.inputs.inputs import (
    BLOCK_BYTES,
    File,
    InputSettings,
    check_checksums,
    find_files,
    find_inputs,
    name_of,
)
from gristmill.pipelines.inputs.listing import printable
from gristmill.pipelines.inputs.work_units import SplitPoints, WorkUnit, plan_work_units, unit_bytes
from gristmill.pipelines.plugins import Plugin, find_plugin, load_plugin
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.readers import read_unit
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.schema import DOCUMENT, DOCUMENTS, TEXT
from gristmill.pipelines.steps.step import Job, Output, RawInput, Step, Written, set_fingerprints
from gristmill.pipelines.steps.threads import map_threads
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


@dataclass(frozen=True)
class PlannedInput:
    """Input of a recipe: its settings, its files, cut into work units, and the code of its reader."""

    settings: InputSettings
    name: str  # in messages
    files: list[File]
    part: str  # beginning of the names of its parts
    units: list[WorkUnit]
    unit_bytes: int
    cuts: dict[str, SplitPoints]
    own: Plugin | None

    @property
    def shared(self) -> dict[str, Any]:
        """Settings on which its documents depend."""
        reader = [self.own.attribute, self.own.sha256] if self.own else None
        return self.settings.model_dump(mode="json", exclude=ELSEWHERE) | ({"reader": reader} if reader else {})

    @property
    def shard_bytes(self) -> int:
        """Bytes of text per shard: a unit may be one compressed file of any size, and is measured by shards."""
        return SHARD_BYTES if self.settings.work_unit_bytes else min(2 * self.unit_bytes, SHARD_BYTES)

    @cached_property
    def fingerprint(self) -> str:
        return fingerprint(self.shared, [file.identity for unit in self.units for file, *_ in unit])

    @cached_property
    def versions(self) -> Versions:
        return versions_of(self.files)

    def is_as(self, known: Versions) -> bool:
        """True if the files have the known versions."""
        return all(known.get(name) == version for name, version in self.versions.items())

    def of(self, manifest: Manifest) -> Manifest:
        """Return a manifest with the parts of this input."""
        names = {f"{self.part}-{u:05d}" for u in range(len(self.units))}
        return replace(manifest, parts={name: part for name, part in manifest.parts.items() if name in names})


def plan_inputs(
    inputs: Sequence[InputSettings],
    work: UPath,
    last: dict[str, Any],
    known: Versions,
    block_bytes: int = BLOCK_BYTES,
) -> list[PlannedInput]:
    """Return the inputs in an order that does not depend on theirs: by the name of their first file.

    The parts of one of several inputs are named after its first file: a change of the others renames none of them.
    ``last`` are the settings of the folder, with the split points of files of the ``known`` versions.
    """
    plans, cuts = [], last.get("cuts", {})
    for n, (settings, files) in enumerate(zip(inputs, find_inputs(inputs, str(work)), strict=True)):
        part = f"part-{blake2b(files[0].name.encode(), digest_size=6).hexdigest()}" if len(inputs) > 1 else "part"
        files = [file._replace(block_bytes=block_bytes) for file in files]
        each = settings.work_unit_bytes or unit_bytes(files)
        as_last = last.get("unit_bytes", {}).get(part) == each
        same = {name: cuts[name] for name, v in versions_of(files).items() if name in cuts and known.get(name) == v}
        units, mine = plan_work_units(files, each, same if as_last else {}, settings.encoding)
        plans.append(PlannedInput(settings, name_of(n, inputs), files, part, units, each, mine, _own_reader(settings)))
    return sorted(plans, key=lambda plan: plan.files[0].name)


class Target(NamedTuple):
    """Summary of the documents of each unit: ``write`` makes it from their tables, in a folder of its own."""

    title: str
    folder: str
    write: Callable[[Iterable[pa.Table], Output], Written]
    settings: Any = None  # all that ``write`` depends on, as JSON
    block_bytes: int = BLOCK_BYTES  # of a file to read at a time


def ingest_step(work: UPath, inputs: Sequence[InputSettings], target: Target | None = None) -> Step:
    """Return the step that makes ``work/documents`` (or a target) and ``work/rejects``. Raises InputError for no input.

    A change of any file of an input invalidates all of its units, and those of other inputs that `finalize` changed
    otherwise than by columns of nulls. Records of unfinished folders depend on the files' times, manifests do not
    (input_versions.py).
    """
    made = target or Target("ingest", "documents", write_documents)
    documents, rejects = work / made.folder, work / "rejects"
    finished, known = Manifest.read(documents), read_versions(work)
    plans = plan_inputs(inputs, work, finished.settings if finished else {}, known, made.block_bytes)
    for name in changed_bytes([file for plan in plans for file in plan.files], known):
        log.warning("%s has other bytes than in the last run; the input is read again", printable(name))
    versions = {name: version for plan in plans for name, version in plan.versions.items()}
    name = fingerprint([plan.fingerprint for plan in plans])
    cuts = {file: points for plan in plans for file, points in plan.cuts.items()}
    limits = {"max_reject_fraction": [plan.settings.max_reject_fraction for plan in plans]}
    sizes = {plan.part: plan.unit_bytes for plan in plans}
    settings = {"inputs": [plan.shared for plan in plans], "cuts": cuts, "unit_bytes": sizes}
    folders: dict[UPath, dict] = {documents: settings | (made.settings or {}), rejects: limits}

    def step(timed: bool) -> Step:
        jobs = []
        for plan in plans:
            read_at = None if plan.is_as(known) or not timed else plan.versions
            for u, unit in enumerate(plan.units):
                read = tuple(RawInput(piece.file.url, piece.file.identity) for piece in unit)
                made_with = [plan.fingerprint, [cut for _, *cut in unit], read_at]
                given = {DOCUMENTS: made_with + ([made.settings] if made.settings else []), REJECTS: made_with}
                outputs = tuple(
                    Output(folder, f"{plan.part}-{u:05d}", read, given[kind], kind)
                    for kind, folder in ((DOCUMENTS, documents), (REJECTS, rejects))
                )
                size = sum(piece.bytes for piece in unit)
                write = target.write if target else partial(write_documents, shard_bytes=plan.shard_bytes)
                args = unit, plan.settings, plan.own, write
                jobs.append(Job(ingest_unit, args, outputs, size, threaded=not plan.own))
        return Step(made.title, folders, jobs, prepare, done, was_changed)

    def prepare() -> None:
        for plan in plans:
            if plan.own:
                load_plugin(plan.own)
            check_columns(plan.settings, plan.files, plan.name, plan.own)

    def done(manifests: dict[UPath, Manifest]) -> None:
        for plan in plans:
            if plan.settings.verify:
                check_checksums(plan.files)
            try:
                mine = {folder: plan.of(manifest) for folder, manifest in manifests.items()}
                check_losses(rejects, mine, sum(file.size for file in plan.files), plan.settings.max_reject_fraction)
            except TooManyRejects as error:
                raise TooManyRejects(f"{plan.name}: {error}" if len(plans) > 1 else str(error)) from None
        if target is None and Manifest.read(documents) is None:
            finalize(documents, manifests[documents], fingerprint(name, versions))
        set_fingerprints(step(False), manifests)  # without times
        write_versions(work, versions)

    return step(True)


def read_documents(paths: list[str], settings: InputSettings) -> Iterator[pa.Table]:
    """Yield the documents of raw files, or of the ``clean/`` of a work folder; log records that cannot be read.

    Tables have id, text, source and the columns of their file; types are not joined across tables.
    """
    files = find_files(settings.model_copy(update={"paths": list(paths)}))
    units, _ = plan_work_units(files, settings.work_unit_bytes or unit_bytes(files), encoding=settings.encoding)
    own = _own_reader(settings)
    check_columns(settings, files, name_of(0, [settings]), own)
    for unit in units:
        yield from read_unit(unit, ReadContext(settings, _warn, own))


def _warn(reject: dict[str, Any]) -> None:
    log.warning("cannot read %s:%s: %s", reject["file"], reject["position"], reject["reason"])


def _own_reader(settings: InputSettings) -> Plugin | None:
    return find_plugin(settings.reader, "", "[input] reader") if settings.reader else None


def ingest_unit(
    unit: WorkUnit,
    settings: InputSettings,
    own: Plugin | None,
    write: Callable[[Iterable[pa.Table], Output], Written],
    outputs: tuple[Output, ...],
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
            made = write(tables, wanted[DOCUMENTS])
        else:
            made = Written([], {})
            for _ in tables:
                pass
    names: list[str] = [f"{rejected.name}.jsonl"] if rejected and file else []
    wrote = {DOCUMENTS: made, REJECTS: Written(names, {"rejects": reading.rejects, "lost_bytes": reading.lost_bytes})}
    return [wrote[output.kind] for output in outputs]


def write_documents(tables: Iterable[pa.Table], output: Output, shard_bytes: int = SHARD_BYTES) -> Written:
    """Write documents to shards of about ``shard_bytes`` of text or fewer, in the order of the tables.

    A shard ends at SHARD_ROWS or SHARD_LINES as well. A job that runs alone reads on while a thread writes.
    """

    def write(numbered: tuple[int, list[pa.Table]]) -> tuple[str, int, int]:
        number, batch = numbered
        schema = join_schemas([table.schema for table in batch], DOCUMENT)
        table = pa.concat_tables([cast_table(table, schema) for table in batch])
        name = f"{output.name}-{number:03d}.parquet"
        return name, write_shard(output.folder / name, cut_groups(table), schema, FAST), _text_bytes(table)

    counts, names = Counter(documents=0, bytes=0, ids_renamed=0), []
    for name, documents, size in map_threads(write, _shards(tables, shard_bytes), most=1):
        names.append(name)
        counts.update(documents=documents, bytes=size)
    return Written(names, dict(counts))


def _shards(tables: Iterable[pa.Table], shard_bytes: int) -> Iterator[tuple[int, list[pa.Table]]]:
    """Yield number and tables of each shard. (`enumerate` would keep the last one in memory.)"""
    number, batch, rows, lines, text, carried = 0, [], 0, 0, 0, 0
    for table in chain.from_iterable(_slices(table, shard_bytes) for table in tables):
        batch.append(table)
        rows += table.num_rows
        lines += np.count_nonzero(Ragged.from_text(table[TEXT]).data == LINE_BREAK)
        text += _text_bytes(table)
        carried += table.nbytes
        if rows >= SHARD_ROWS or lines >= SHARD_LINES or text >= shard_bytes or carried >= SHARD_BYTES_CARRIED:
            yield number, batch
            number, batch, rows, lines, text, carried = number + 1, [], 0, 0, 0, 0
    if any(table.num_rows for table in batch):
        yield number, batch


def _slices(table: pa.Table, shard_bytes: int) -> Iterator[pa.Table]:
    """Yield a table in pieces, a few for each shard: a Parquet file of some kB may hold millions of equal rows."""
    for begin in range(0, table.num_rows, SHARD_ROWS):
        piece = table.slice(begin, SHARD_ROWS)
        yield from cut_groups(piece, shard_bytes // 4) if _text_bytes(piece) > shard_bytes else [piece]


def _text_bytes(table: pa.Table) -> int:
    return pc.sum(pc.binary_length(table[TEXT])).as_py() or 0
