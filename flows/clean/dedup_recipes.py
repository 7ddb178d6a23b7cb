"""The recipes of ``gristmill dedup``, by level."""

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
    """Raw files and the steps of a level; ``against`` are indices, ``near_threshold`` is for passages.

    Raises RecipeError for what does not go together.
    """
    if level in ("sentence", "substring") and (against or threshold is not None):
        raise RecipeError(f"--level {level} compares text by text: no --threshold and nothing to go against")
    if level == "dataset" and not against:
        raise RecipeError("--level dataset drops what other corpora have: name them with --against")
    if level != "sentence" and near_threshold is not None:
        raise RecipeError(
            f"--near-threshold takes nearly alike passages for one, for --level sentence; --level {level} is another"
        )
    shared = {"against": list(against), "only_against": level == "dataset"}
    documents = shared | ({} if threshold is None else {"threshold": threshold})
    passages = {} if near_threshold is None else {"near_threshold": near_threshold}
    cuts = {"sentence": {"repeated_passages": passages}, "substring": {"substrings": {}}}
    steps = cuts.get(level) or {"exact": shared, "near_duplicates": documents}
    return parse_recipe({"input": {"paths": list(corpus)}, "steps": steps}, f"dedup --level {level}", tuple(changes))


def to_index(against: Sequence[str], recipe: Recipe, work: str) -> dict[str, str]:
    """Of each path named by --against, the index to use: itself if it is one, else one to be made under WORK."""
    return {path: path if is_index(path, recipe.steps) else f"{work}/against/{k:03}" for k, path in enumerate(against)}
