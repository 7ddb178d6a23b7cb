"""What if: a finished run recounted with other thresholds, from its measures alone."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson
import polars as pl
from upath import UPath

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.filters.core.profiles import NO_PROFILE, profile_of
from gristmill.flows.clean.plan import decisions_of, earlier_than, measures_of, spans_before
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.flows.clean.run import RECIPE
from gristmill.flows.clean.tally import RemovalCounts
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, decide_inline
from gristmill.pipelines.steps.decisions import survivors
from gristmill.pipelines.storage.manifest import Manifest


def what_if(work: UPath, changes: tuple[str, ...]) -> tuple[dict, dict]:
    """The summary of the run in ``work`` and what it would be with ``changes`` (``step.setting=value``).

    Rules are those a recipe has; a change that would need text measured anew is a RecipeError that says so.
    """
    run = FinishedRun(work)
    return run.summary, {**run.summary, **recount(change_recipe(run.recipe_json, changes), run)}


def change_recipe(run: bytes, changes: tuple[str, ...]) -> Recipe:
    """The recipe of a run (its JSON) with other thresholds.

    Raises RecipeError where a change is none, or would need text measured anew.
    """
    recipe = parse_recipe(orjson.loads(run), RECIPE)
    changed = parse_recipe(orjson.loads(run), "what-if", changes)
    for name, step in changed.steps.items():
        if step.measured_settings() != recipe.steps[name].measured_settings():
            raise RecipeError(
                f"{name}: this setting changes what is measured; `gristmill clean` with --set measures it"
            )
    return changed


def recount(recipe: Recipe, run: FinishedRun) -> dict:
    """What the documents' measures come to under the recipe's rules: clean, removed, and the steps by rule."""
    sizes_by_part = {part: run.ledger(part, ["bytes", "clean_bytes"]) for part in run.parts}
    stays = {part: np.ones(len(frame), bool) for part, frame in sizes_by_part.items()}
    tally = RemovalCounts(list(recipe.steps))
    for name, step in recipe.steps.items():
        judged = (
            _corpus(recipe, run.folder, name, stays) if isinstance(step, CorpusStep) else _rules(step, run, name, stays)
        )
        for part, broken in judged:
            stays[part] = tally.add(name, broken, stays[part], sizes_by_part[part]["bytes"].to_numpy())
    clean = int(sum(mask.sum() for mask in stays.values()))
    clean_bytes = sum(
        int(frame["clean_bytes"].filter(pl.Series(stays[part])).sum()) for part, frame in sizes_by_part.items()
    )
    removed = sum(mask.size for mask in stays.values()) - clean
    return {"clean": clean, "removed": removed, "bytes_clean": clean_bytes, "steps": tally.table()}


Judgements = Iterator[tuple[str, pl.Series]]  # part, broken rules


def _rules(step: Filter, run: FinishedRun, name: str, stays: dict[str, np.ndarray]) -> Judgements:
    """A filter's decisions, shard by shard."""
    for part, mask in stays.items():
        labels = run.languages(part, name)
        profile = np.full(mask.size, NO_PROFILE, object) if labels is None else profile_of(labels.to_numpy())
        yield part, decide(step, run.measures(name, part), profile)


def _corpus(recipe: Recipe, work: UPath, name: str, stays: dict[str, np.ndarray]) -> Judgements:
    """A corpus step's decisions among the documents that stay so far."""
    step, masks = recipe.steps[name], dict(stays)  # as they are now
    measures, before = measures_of(work, name), [each.folder for each in spans_before(recipe, work, name)]
    with TemporaryDirectory() as folder:
        there = _stages_fit(recipe, work, name, masks)
        stage_folder, scratch = None if there else UPath(folder), Path(folder) / "scratch"
        corpus = Corpus(work / "documents", measures, list(masks), lambda part, _: masks[part], before, stage_folder)
        for part, decisions, *_ in step.decide(corpus, scratch) if there else decide_inline(step, corpus, scratch):
            yield part, decisions["broken"]


def _stages_fit(recipe: Recipe, work: UPath, name: str, stays: dict[str, np.ndarray]) -> bool:
    """Did the run's own stages see the same documents, with the same settings?"""
    step, earlier = recipe.steps[name], [decisions_of(work, other) for other in earlier_than(recipe, name)]
    manifests = {stage: Manifest.read(measures_of(work, name).parent / stage) for stage in step.STAGES}
    return all(made and made.settings == step.staged_settings(stage) for stage, made in manifests.items()) and all(
        np.array_equal(mask, survivors(earlier, part, mask.size)) for part, mask in stays.items()
    )
