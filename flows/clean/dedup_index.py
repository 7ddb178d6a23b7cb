"""Indices of corpora, kept so that later documents can be compared with them."""

from collections.abc import Iterable

from upath import UPath

from gristmill.dedup.index import IndexedStep, measures_in
from gristmill.flows.clean.plan import measure_step
from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.pipelines.ingest.ingest import ingest_step
from gristmill.pipelines.inputs.input_tables import other_input
from gristmill.pipelines.steps.step import Engine, Progress, run_serial, run_step
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import shards_of


def save_index(
    recipe: Recipe, paths: Iterable[str], folder: UPath, engine: Engine = run_serial, progress: Progress | None = None
) -> None:
    """Write the documents of ``paths`` and the measures of the recipe's steps of document level to ``folder``."""
    steps = {step.NAME: step for step in recipe.steps.values() if isinstance(step, IndexedStep)}
    kept = Recipe().model_copy(update={"input": (other_input(recipe.input, list(paths)),), "steps": steps})
    with exclusive_run(folder):
        run_step(ingest_step(folder, kept.input), engine, progress)
        run_step(measure_step(kept, folder, shards_of(folder / "documents"), list(steps)), engine, progress)


def is_index(path: str, kinds: Iterable[str]) -> bool:
    """True if the folder holds documents and the measures of steps of these kinds, and is not a work folder."""
    folder = to_path(path)
    if not (folder / "documents").is_dir() or (folder / "ledger").exists():
        return False
    return all(Manifest.read(measures_in(folder, kind)) for kind in kinds)
