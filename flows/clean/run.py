"""Run of a recipe: all steps in order, then a check that all documents are accounted for."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
from upath import UPath

from gristmill.filters.join.step import Join
from gristmill.flows.clean.columns import check_measures
from gristmill.flows.clean.own_steps import RecordedFilter, RecordedStep
from gristmill.flows.clean.plan import plan, spans_of
from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.clean.tally import RemovalCounts
from gristmill.flows.engine.run_lock import RECIPE, RUN, SUMMARY, exclusive_run
from gristmill.pipelines.errors import GristmillError, InputError
from gristmill.pipelines.ingest.losses import lost_files
from gristmill.pipelines.inputs.input_tables import check_paths
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.steps.corpus_step import CorpusStep
from gristmill.pipelines.steps.step import Engine, Progress, Step, run_serial, run_step
from gristmill.pipelines.storage.files import is_local
from gristmill.pipelines.storage.manifest import Manifest, require_finished
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed
from gristmill.pipelines.storage.shards import read_shard, shards_of

REMEDY = "`gristmill run RECIPE --output WORK` or `gristmill clean` makes it"  # for a run that is missing or unfinished


def clean(
    recipe: Recipe,
    work: UPath,
    engine: Engine = run_serial,
    progress: Progress | None = None,
    done: Callable[[list[UPath]], None] = lambda folders: None,
) -> dict:
    """Run a recipe from raw files to clean documents; return the summary, as in ``WORK/summary.json``.

    Finished work that still fits is not repeated. ``done`` is called with all finished folders at the end.
    """
    check_paths(recipe.input, str(work))
    _check_place(recipe.input, work)
    check_measures(recipe.columns, recipe.steps, recipe.words, "[output]")
    for step in recipe.steps.values():
        if isinstance(step, RecordedFilter | RecordedStep):
            step.measure(None)  # raises
        if isinstance(step, Join):
            step.files(checksums=False)
        if isinstance(step, CorpusStep):
            step.inputs(), step.input_fingerprint()  # raise before anything is read if one is missing
    with exclusive_run(work, recipe=recipe.table()):
        jobs_run = 0
        folders: list[UPath] = []
        for step in plan(recipe, work):
            jobs_run += run_step(_without_summary(step, work), engine, progress).jobs_run
            folders += step.folders
        write_sealed(work / RECIPE, recipe.table())
        if jobs_run or not (work / SUMMARY).exists():
            write_sealed(work / SUMMARY, summarize(recipe, work))
        done(folders)
        return read_sealed(work / SUMMARY, "remove it and run again")


def _check_place(inputs: Sequence[InputSettings], work: UPath) -> None:
    """Raise InputError if files of the user lie in an output folder within the input: the run would leave them out."""
    folder = Path(os.path.realpath(str(work)))
    if not is_local(work) or not folder.is_dir() or (folder / RUN).exists() or not any(folder.iterdir()):
        return
    for path in (path for each in inputs for path in each.paths):
        if folder.is_relative_to(os.path.realpath(path)):
            raise InputError(f"{work} lies in the input {path}, and its files would be left out; name another --output")


def _without_summary(step: Step, work: UPath) -> Step:
    """Return the step, which removes the summary before its first job: a killed run leaves none of an earlier run."""

    def prepare() -> None:
        (work / SUMMARY).unlink(missing_ok=True)
        step.prepare()

    return replace(step, prepare=prepare)


def summarize(recipe: Recipe, work: UPath) -> dict:
    """Count the finished run by step and rule; raise GristmillError if a document is unaccounted for."""
    folders = "documents", "rejects", "clean", "removed"
    manifests = {name: require_finished(work / name, REMEDY) for name in folders}
    counts = {name: manifest.counts for name, manifest in manifests.items()}
    documents, rejects = counts["documents"]["documents"], counts["rejects"]["rejects"]
    kept, removed = counts["clean"]["documents"], counts["removed"]["documents"]
    tally = RemovalCounts(list(recipe.steps))
    for part in shards_of(work / "ledger"):
        columns = ["kept", "step", "rule", "bytes", "violations"]
        tally.add_ledger(pl.DataFrame(read_shard(work / "ledger" / f"{part}.parquet", columns)))
    steps = tally.table()
    if documents != kept + removed or removed != sum(step["removed"] for step in steps.values()):
        raise GristmillError(f"{documents:,} documents read, {kept:,} clean, {removed:,} removed: please report this")
    for name in steps:
        spans = Manifest.read(spans_of(work, name))
        if spans:
            steps[name] |= {"spans_rewritten": spans.counts["spans"], "bytes_rewritten": spans.counts["bytes"]}
    return {
        "documents_in": documents + rejects,
        "clean": kept,
        "removed": removed,
        "rejects": rejects,
        "broken_files": [file._asdict() for file in lost_files(work / "rejects", manifests["rejects"])],
        "bytes_in": counts["documents"]["bytes"],
        "bytes_clean": counts["clean"]["bytes"],
        "steps": steps,
    }
