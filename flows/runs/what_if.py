"""What-if: recount of a finished run under other thresholds, from its measures alone."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import orjson
import polars as pl
from upath import UPath

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import LANGUAGE, Filter
from gristmill.filters.core.profiles import NO_PROFILE, profile_of
from gristmill.flows.clean.plan import decisions_of, earlier_than, labelled_by, measures_of, shards_of, spans_before
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.flows.clean.run import RECIPE, REMEDY, SUMMARY, sizes
from gristmill.flows.clean.tally import RemovalCounts
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, decide_inline
from gristmill.pipelines.steps.decisions import survivors
from gristmill.pipelines.storage.manifest import Manifest, require_finished
from gristmill.pipelines.storage.shards import read_shard


def what_if(work: UPath, changes: tuple[str, ...]) -> tuple[dict, dict]:
    """Return the summary of the run in ``work``, and the summary under ``changes`` (``step.setting=value``).

    Raises RecipeError for a change that needs new measures.
    """
    require_finished(work / "ledger", REMEDY)
    changed = change_recipe((work / RECIPE).read_bytes(), changes)
    before = orjson.loads((work / SUMMARY).read_bytes())
    return before, {**before, **recount(changed, work)}


def change_recipe(run: bytes, changes: tuple[str, ...]) -> Recipe:
    """Return the recipe of a run (given as JSON) with other thresholds.

    Raises RecipeError for an invalid change, or one that needs new measures.
    """
    recipe = parse_recipe(orjson.loads(run), RECIPE)
    changed = parse_recipe(orjson.loads(run), "what-if", changes)
    for name, step in changed.steps.items():
        if step.measured_settings() != recipe.steps[name].measured_settings():
            raise RecipeError(f"{name}: the setting needs new measures; run `gristmill clean` with --set instead")
    return changed


def recount(recipe: Recipe, work: UPath) -> dict:
    """Count the run's documents under the recipe's rules: clean, removed, and by step and rule."""
    sizes_by_part = {part: sizes(work, part) for part in shards_of(work / "ledger")}
    kept = {part: np.ones(len(frame), bool) for part, frame in sizes_by_part.items()}
    tally = RemovalCounts(list(recipe.steps))
    for name, step in recipe.steps.items():
        if isinstance(step, CorpusStep):
            decisions = _corpus(step, recipe, work, name, kept)
        else:
            decisions = _rules(step, recipe, work, name, kept)
        for part, violations in decisions:
            kept[part] = tally.add(name, violations, kept[part], sizes_by_part[part]["bytes"].to_numpy())
    clean = int(sum(mask.sum() for mask in kept.values()))
    clean_bytes = sum(
        int(frame["clean_bytes"].filter(pl.Series(kept[part])).sum()) for part, frame in sizes_by_part.items()
    )
    removed = sum(mask.size for mask in kept.values()) - clean
    return {"clean": clean, "removed": removed, "bytes_clean": clean_bytes, "steps": tally.table()}


Decisions = Iterator[tuple[str, pl.Series]]  # part, violations


def _rules(step: Filter, recipe: Recipe, work: UPath, name: str, kept: dict[str, np.ndarray]) -> Decisions:
    """Yield a filter's decisions, shard by shard."""
    for part, mask in kept.items():
        frame = pl.DataFrame(read_shard(measures_of(work, name) / f"{part}.parquet"))
        profile = np.full(mask.size, NO_PROFILE, object)
        if source := labelled_by(recipe, name):
            column = recipe.steps[source].PROVIDES[LANGUAGE]
            labels = read_shard(measures_of(work, source) / f"{part}.parquet", [column])[column]
            profile = profile_of(labels.to_numpy())
        yield part, decide(step, frame, profile)


def _corpus(step: CorpusStep, recipe: Recipe, work: UPath, name: str, kept: dict[str, np.ndarray]) -> Decisions:
    """Yield a corpus step's decisions on the documents that the steps before it kept."""
    masks = dict(kept)  # a copy: the caller updates its own
    measures, before = measures_of(work, name), [each.folder for each in spans_before(recipe, work, name)]
    with TemporaryDirectory() as folder:
        fits = _stages_fit(step, recipe, work, name, masks)
        made, scratch = None if fits else UPath(folder), Path(folder) / "scratch"
        corpus = Corpus(work / "documents", measures, list(masks), lambda part, _: masks[part], before, made)
        for part, decisions, *_ in step.judge(corpus, scratch) if fits else decide_inline(step, corpus, scratch):
            yield part, decisions["violations"]


def _stages_fit(step: CorpusStep, recipe: Recipe, work: UPath, name: str, kept: dict[str, np.ndarray]) -> bool:
    """True if the run's stages read the same documents with the same settings."""
    earlier = [decisions_of(work, other) for other in earlier_than(recipe, name)]
    manifests = {stage: Manifest.read(measures_of(work, name).parent / stage) for stage in step.STAGES}
    return all(made and made.settings == step.staged_settings(stage) for stage, made in manifests.items()) and all(
        np.array_equal(mask, survivors(earlier, part, mask.size)) for part, mask in kept.items()
    )
