"""What-if: recount of a finished run under other thresholds, from its measures alone."""

import copy
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import polars as pl
from upath import UPath

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.flows.clean.plan import decisions_of, earlier_than, measures_of, spans_before
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.flows.clean.tally import RemovalCounts
from gristmill.flows.engine.run_lock import RECIPE
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import CorpusStep, decide_inline
from gristmill.pipelines.steps.decisions import survivors
from gristmill.pipelines.storage.manifest import Manifest

TOTALS = 2  # rows before those of the rules
WIDTH = 32  # of the first column, unless a name is longer


class Recount(NamedTuple):
    """Summary of a run, and its summary under other thresholds."""

    before: dict
    after: dict

    def rows(self) -> Iterator[tuple[str, int, int]]:
        """Yield name, count before and count after: of the totals, then of each rule with a count."""
        yield "clean", self.before["clean"], self.after["clean"]
        yield "removed", self.before["removed"], self.after["removed"]
        for step in self.before["steps"]:
            was, then = self.before["steps"][step]["rules"], self.after["steps"][step]["rules"]
            for rule in sorted({*was, *then}):
                counts = [rules.get(rule, {}).get("removed", 0) for rules in (was, then)]
                if any(counts):
                    yield f"  {step}.{rule}", *counts

    def __str__(self) -> str:
        rows = list(self.rows())
        changed = [row for k, row in enumerate(rows) if k < TOTALS or row[1] != row[2]]
        wide = max(WIDTH, *(len(name) for name, *_ in changed))
        lines = [f"{'':{wide}}{'now':>12}{'then':>12}{'change':>12}"]
        lines += [f"{name:{wide}}{now:>12,}{then:>12,}{then - now:>+12,}" for name, now, then in changed]
        same = len(rows) - len(changed)
        return "\n".join(lines + [f"  {same:,} more rules remove as many as before"] * (same > 0))


def what_if(work: UPath, changes: tuple[str, ...]) -> Recount:
    """Return the summary of the run in ``work``, and the summary under ``changes`` (``step.setting=value``).

    Raises RecipeError for a change that needs new measures.
    """
    run = FinishedRun(work)
    return Recount(run.summary, {**run.summary, **recount(change_recipe(run.recipe_table, changes), run)})


def change_recipe(table: dict, changes: tuple[str, ...]) -> Recipe:
    """Return the recipe of a run with other thresholds.

    Raises RecipeError for an invalid change, or one that needs new measures.
    """
    recipe = parse_recipe(table, RECIPE)
    changed = parse_recipe(copy.deepcopy(table), "what-if", changes)
    for name, step in changed.steps.items():
        if step.measured_settings() != recipe.steps[name].measured_settings():
            raise RecipeError(f"{name}: the setting needs new measures; run `gristmill clean` with --set instead")
    return changed


def recount(recipe: Recipe, run: FinishedRun) -> dict:
    """Count the run's documents under the recipe's rules: clean, removed, and by step and rule."""
    sizes = {part: run.ledger(part, ["bytes", "clean_bytes"]) for part in run.parts}
    tally = RemovalCounts(list(recipe.steps))
    kept = keep(recipe, run, tally, {part: frame["bytes"].to_numpy() for part, frame in sizes.items()})
    clean = int(sum(mask.sum() for mask in kept.values()))
    clean_bytes = sum(int(frame["clean_bytes"].filter(pl.Series(kept[part])).sum()) for part, frame in sizes.items())
    removed = sum(mask.size for mask in kept.values()) - clean
    return {"clean": clean, "removed": removed, "bytes_clean": clean_bytes, "steps": tally.table()}


def keep(recipe: Recipe, run: FinishedRun, tally: RemovalCounts, sizes: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return which documents of each part the recipe's rules keep, bool [n], and add to ``tally``.

    ``sizes`` are the bytes of each part's documents.
    """
    kept = {part: np.ones(size.size, bool) for part, size in sizes.items()}
    for name, step in recipe.steps.items():
        if isinstance(step, CorpusStep):
            decisions = _corpus(step, recipe, run.folder, name, kept)
        else:
            decisions = _rules(step, run, name, kept)
        for part, violations in decisions:
            kept[part] = tally.add(name, violations, kept[part], sizes[part])
    return kept


Decisions = Iterator[tuple[str, pl.Series]]  # part, violations


def _rules(step: Filter, run: FinishedRun, name: str, kept: dict[str, np.ndarray]) -> Decisions:
    """Yield a filter's decisions, shard by shard."""
    for part, mask in kept.items():
        labels = run.languages(part, name)
        profile = step.profile_of(None if labels is None else labels.to_numpy(), mask.size)
        yield part, decide(step, run.measures(name, part), profile)


def _corpus(step: CorpusStep, recipe: Recipe, work: UPath, name: str, kept: dict[str, np.ndarray]) -> Decisions:
    """Yield a corpus step's decisions on the documents that the steps before it kept."""
    masks = dict(kept)  # a copy: the caller updates its own
    measures, before = measures_of(work, name), [each.folder for each in spans_before(recipe, work, name)]
    with TemporaryDirectory() as folder:
        fits = _stages_fit(step, recipe, work, name, masks)
        stage_folder, scratch = None if fits else UPath(folder), Path(folder) / "scratch"
        corpus = Corpus(work / "documents", measures, list(masks), lambda part, _: masks[part], before, stage_folder)
        for part, decisions, *_ in step.decide(corpus, scratch) if fits else decide_inline(step, corpus, scratch):
            yield part, decisions["violations"]


def _stages_fit(step: CorpusStep, recipe: Recipe, work: UPath, name: str, kept: dict[str, np.ndarray]) -> bool:
    """True if the run's stages read the same documents with the same settings."""
    earlier = [decisions_of(work, other) for other in earlier_than(recipe, name)]
    manifests = {stage: Manifest.read(measures_of(work, name).parent / stage) for stage in step.STAGES}
    return all(made and made.settings == step.staged_settings(stage) for stage, made in manifests.items()) and all(
        np.array_equal(mask, survivors(earlier, part, mask.size)) for part, mask in kept.items()
    )
