"""Recipes of ``gristmill dedup``, by level."""

from collections.abc import Sequence

from gristmill.flows.clean.dedup_index import is_index
from gristmill.flows.clean.recipe import Recipe, parse_recipe
from gristmill.pipelines.errors import RecipeError


def dedup_recipe(
    level: str,
    corpus: Sequence[str],
    against: Sequence[str],
    threshold: float | None = None,
    changes: Sequence[str] = (),
    near_threshold: float | None = None,
) -> Recipe:
    """Build the recipe of a level over ``corpus``; ``against`` names indices.

    ``threshold`` compares documents, ``near_threshold`` passages. Raises RecipeError for options that a level lacks.
    """
    if level in ("sentence", "substring") and (against or threshold is not None):
        raise RecipeError(f"--level {level} takes no --threshold and no --against: it cuts repeated text within CORPUS")
    if level == "dataset" and not against:
        raise RecipeError("--level dataset drops copies of documents in other corpora: name them with --against")
    if level != "sentence" and near_threshold is not None:
        raise RecipeError(f"--near-threshold compares passages: it needs --level sentence, found --level {level}")
    shared = {"against": list(against), "only_against": level == "dataset"}
    documents = shared | ({} if threshold is None else {"threshold": threshold})
    passages = {} if near_threshold is None else {"near_threshold": near_threshold}
    cuts = {"sentence": {"repeated_passages": passages}, "substring": {"substrings": {}}}
    steps = cuts.get(level) or {"exact": shared, "near_duplicates": documents}
    return parse_recipe({"input": {"paths": list(corpus)}, "steps": steps}, f"dedup --level {level}", tuple(changes))


def to_index(against: Sequence[str], recipe: Recipe, work: str) -> dict[str, str]:
    """Map each path of --against to its index: itself if it is one, else one to be made under WORK."""
    return {path: path if is_index(path, recipe.steps) else f"{work}/against/{k:03}" for k, path in enumerate(against)}
