"""What if: a finished run recounted with other thresholds, from its measures alone."""

from collections.abc import Callable

import numpy as np
import orjson
import polars as pl
from upath import UPath

from dedup.exact import Exact, as_decisions, find_duplicates
from filters.decide import decide
from filters.measure import LANGUAGE, SURE_LABEL
from filters.profiles import NO_PROFILE, profile_of
from flows.plan import measures_of, shards_of
from flows.recipe import Recipe, parse_recipe
from flows.run import RECIPE, SUMMARY, sizes
from flows.tally import Tally
from pipelines.errors import RecipeError
from pipelines.shards import read_shard
from pipelines.step import finished


def what_if(work: UPath, changes: tuple[str, ...]) -> tuple[dict, dict]:
    """The summary of the run in ``work`` and what it would be with ``changes`` (``step.setting=value``).

    Rules are those a recipe has; a change that would need text measured anew is a RecipeError that says so.
    """
    finished(work / "ledger", "`gristmill clean RECIPE --input … --output WORK` makes it")
    table = orjson.loads((work / RECIPE).read_bytes())
    recipe, changed = parse_recipe(table, str(work / RECIPE)), parse_recipe(table, "what-if", changes)
    for name, step in changed.steps.items():
        if step.measured_settings() != recipe.steps[name].measured_settings():
            raise RecipeError(
                f"{name}: this setting changes what is measured; `gristmill clean` with --set measures it"
            )
    before = orjson.loads((work / SUMMARY).read_bytes())
    return before, {**before, **recount(changed, work)}


def recount(recipe: Recipe, work: UPath) -> dict:
    """What the documents' measures come to under the recipe's rules: clean, removed, and the steps by rule."""
    sizes_by_part = {part: sizes(work, part) for part in shards_of(work / "ledger")}
    stays = {part: np.ones(len(frame), bool) for part, frame in sizes_by_part.items()}
    tally = Tally(list(recipe.steps))
    for name, step in recipe.steps.items():
        broken = _exact(step, work, name, stays) if isinstance(step, Exact) else _rules(recipe, work, name)
        for part, frame in sizes_by_part.items():
            stays[part] = tally.add(name, broken(part), stays[part], frame["bytes"].to_numpy())
    clean = int(sum(mask.sum() for mask in stays.values()))
    clean_bytes = sum(
        int(frame["clean_bytes"].filter(pl.Series(stays[part])).sum()) for part, frame in sizes_by_part.items()
    )
    removed = sum(mask.size for mask in stays.values()) - clean
    return {"clean": clean, "removed": removed, "bytes_clean": clean_bytes, "steps": tally.table()}


def _rules(recipe: Recipe, work: UPath, name: str) -> Callable[[str], pl.Series]:
    """A filter's decisions by shard."""

    def broken(part: str) -> pl.Series:
        frame = pl.from_arrow(read_shard(measures_of(work, name) / f"{part}.parquet"))
        profile = np.full(len(frame), NO_PROFILE, object)
        if LANGUAGE in recipe.steps:
            labels = read_shard(measures_of(work, LANGUAGE) / f"{part}.parquet", [SURE_LABEL])[SURE_LABEL]
            profile = profile_of(labels.to_numpy())
        return decide(recipe.steps[name], frame, profile)

    return broken


def _exact(step: Exact, work: UPath, name: str, stays: dict[str, np.ndarray]) -> Callable[[str], pl.Series]:
    """Exact duplicates' decisions by shard, among the documents that stay so far."""
    masks = dict(stays)  # as they are now
    found = find_duplicates(
        step, work / "documents", measures_of(work, name), lambda part, rows: masks[part], list(masks)
    )

    def broken(part: str) -> pl.Series:
        return as_decisions(found, part, masks[part].size)["broken"]

    return broken
