"""Run of a recipe: all steps in order, then a check that all documents are accounted for."""

import numpy as np
import polars as pl
from upath import UPath

from gristmill.flows.clean.plan import decisions_of, plan, shards_of, spans_of
from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.clean.tally import RemovalCounts
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.pipelines.errors import GristmillError, RecipeError
from gristmill.pipelines.steps.corpus_step import CorpusStep
from gristmill.pipelines.steps.step import Engine, Progress, run_serial, run_step
from gristmill.pipelines.storage.manifest import Manifest, require_finished
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed
from gristmill.pipelines.storage.shards import read_shard

RECIPE, SUMMARY = "recipe.json", "summary.json"  # in the work folder: the recipe that was run, and its counts
REMEDY = "`gristmill clean RECIPE --input … --output WORK` makes it"  # for a run that is missing or unfinished


def clean(recipe: Recipe, work: UPath, engine: Engine = run_serial, progress: Progress | None = None) -> dict:
    """Run a recipe from raw files to clean documents; return the summary, as in ``WORK/summary.json``.

    Finished work that still fits is not repeated.
    """
    if not recipe.input.paths:
        raise RecipeError("nothing to read: name files by --input, or by paths under [input] in the recipe")
    for step in recipe.steps.values():
        if isinstance(step, CorpusStep):
            step.inputs(), step.input_fingerprint()  # raise before anything is read if one is missing
    with exclusive_run(work, recipe=recipe.table()):
        jobs_run = 0
        for step in plan(recipe, work):
            jobs_run += run_step(step, engine, progress).jobs_run
        if not jobs_run and (work / SUMMARY).exists():
            return read_sealed(work / SUMMARY, "remove it and run again")
        summary = summarize(recipe, work)
        write_sealed(work / RECIPE, recipe.table())
        write_sealed(work / SUMMARY, summary)
        return summary


def summarize(recipe: Recipe, work: UPath) -> dict:
    """Count the finished run by step and rule; raise GristmillError if a document is unaccounted for."""
    folders = "documents", "rejects", "clean", "removed"
    counts = {name: require_finished(work / name, REMEDY).counts for name in folders}
    documents, rejects = counts["documents"]["documents"], counts["rejects"]["rejects"]
    kept, removed = counts["clean"]["documents"], counts["removed"]["documents"]
    tally = RemovalCounts(list(recipe.steps))
    for part in shards_of(work / "ledger"):
        size = read_shard(work / "ledger" / f"{part}.parquet", ["bytes"])["bytes"].to_numpy()
        kept_rows = np.ones(len(size), bool)
        for name in recipe.steps:
            decisions = pl.DataFrame(read_shard(decisions_of(work, name) / f"{part}.parquet", ["violations"]))
            kept_rows = tally.add(name, decisions["violations"], kept_rows, size)
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
        "bytes_in": counts["documents"]["bytes"],
        "bytes_clean": counts["clean"]["bytes"],
        "steps": steps,
    }
