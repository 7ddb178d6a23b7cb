"""Status of a run: whether each folder of its recipe is there and still fits; the products of other commands."""

import time
from collections.abc import Iterator
from typing import NamedTuple

from upath import UPath

from gristmill.filters.join.step import Join
from gristmill.flows.clean.plan import (
    counts_copies,
    decisions_of,
    measures_of,
    naming_steps,
    plan,
    report_of,
    rewrites,
    spans_of,
    table_of,
)
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.flows.engine.run_lock import INTERRUPTED, last_run
from gristmill.pipelines.errors import GristmillError, WorkError
from gristmill.pipelines.schema import COPIES, LINKS
from gristmill.pipelines.steps.corpus_step import CorpusStep
from gristmill.pipelines.steps.step import names_of
from gristmill.pipelines.storage.manifest import MANIFEST, PROGRESS, Manifest

FINISHED, RUNNING, FAILED, STOPPED, STALE, WAITING = "finished", "running", "failed", "stopped", "stale", "waiting"
PARTIAL = "partial"  # made by another command, which may be running
LAST_FILES = {  # folders -> the file that is written last
    "tokenizers/*": "gristmill.json",
    "tokens/*": MANIFEST,
    "export/*/*": MANIFEST,
    "runs/*": "summary.json",
}


class Folder(NamedTuple):
    """Folder of the run; ``parts`` counts its finished parts."""

    name: str
    state: str
    parts: int
    counts: dict[str, int]


class Status(NamedTuple):
    """Last run and its folders, in the order in which they are made."""

    run: str
    folders: list[Folder]


def status(work: UPath) -> Status:
    """Return the state of each folder of a work folder; raise WorkError if no run was started there.

    A folder is stale if it was made with other settings or input than the last run's recipe has, or from an unfinished
    folder.
    """
    note, running = last_run(work)
    if "recipe" not in note:
        raise WorkError(f"{work} has no run; `gristmill clean RECIPE --output {work}` starts one")
    recipe = parse_recipe(note["recipe"], str(work))
    state = RUNNING if running else FAILED if note.get("error", INTERRUPTED) != INTERRUPTED else STOPPED
    wanted = _wanted(recipe, work)
    folders = [_look(work / name, name, wanted, state) for name in _folders(recipe)]
    return Status(_describe(note, running), [*folders, *_made_of(work)])


def _look(folder: UPath, name: str, wanted: dict[UPath, str], under_way: str) -> Folder:
    manifest = Manifest.read(folder)
    if manifest:
        fits = wanted.get(folder) == manifest.fingerprint and all(p.has_files(folder) for p in manifest.parts.values())
        return Folder(name, FINISHED if fits else STALE, len(manifest.parts), dict(manifest.counts))
    if not (folder / PROGRESS).is_dir():
        return Folder(name, WAITING, 0, {})
    return Folder(name, under_way, sum(path.suffix == ".json" for path in (folder / PROGRESS).iterdir()), {})


def _made_of(work: UPath) -> Iterator[Folder]:
    """Yield the tokenizers, tokens, exports and models in a work folder, and the report."""
    for pattern, last in LAST_FILES.items():
        for folder in sorted(path for path in work.glob(pattern) if path.is_dir()):
            state = FINISHED if (folder / last).exists() else PARTIAL
            manifest = Manifest.read(folder)
            counts = dict(manifest.counts) if manifest else {}
            yield Folder(str(folder.relative_to(work)), state, len(manifest.parts) if manifest else 0, counts)
    if (work / "report" / "index.html").exists():
        yield Folder("report", FINISHED, 0, {})


def _wanted(recipe: Recipe, work: UPath) -> dict[UPath, str]:
    """Return folder -> expected fingerprint, up to the first step that is unfinished or stale."""
    wanted: dict[UPath, str] = {}
    try:
        for step in plan(recipe, work):
            names = names_of(step)
            wanted |= names
            manifests = {folder: Manifest.read(folder) for folder in names}
            if any(manifest is None or manifest.fingerprint != names[f] for f, manifest in manifests.items()):
                break
    except GristmillError:  # the input is missing, so nothing fits it
        pass
    return wanted


def _folders(recipe: Recipe) -> Iterator[str]:
    here = UPath()
    yield from ("documents", "rejects")
    for name, step in recipe.steps.items():
        if isinstance(step, Join):
            yield str(table_of(here, name))
        yield str(measures_of(here, name))
        if rewrites(step):
            yield str(spans_of(here, name))
        if isinstance(step, CorpusStep):
            yield from (str(report_of(here, name, stage)) for stage in step.STAGES)
        yield str(decisions_of(here, name))
        if isinstance(step, CorpusStep):
            yield from (str(report_of(here, name, report)) for report in step.REPORTS)
    yield from (LINKS,) if naming_steps(recipe) else ()
    yield from (COPIES,) if counts_copies(recipe) else ()
    yield from ("clean", "removed", "ledger")


def _describe(note: dict, running: bool) -> str:
    began = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(note["began"]))
    run = f"process {note['pid']} on {note['host']}, started {began}"
    if running:
        return f"running: {run}"
    if "ended" not in note:
        return f"killed: {run}; the same command continues it"
    seconds = f"{note['ended'] - note['began']:.1f} s"
    if note.get("error") == INTERRUPTED:
        return f"interrupted after {seconds}: {run}; the same command continues it"
    return f"failed after {seconds}: {note['error']}" if "error" in note else f"finished in {seconds}: {run}"
