"""Recipes of ``gristmill dedup``, by level, and of ``gristmill decontaminate``."""

from collections.abc import Callable, Sequence

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


def indexed_recipe(
    level: str,
    corpus: Sequence[str],
    against: Sequence[str],
    indices: Sequence[str],
    threshold: float | None,
    changes: Sequence[str],
    near_threshold: float | None,
    work: str,
    save: Callable[[Recipe, list[str], str], object],
) -> Recipe:
    """Build the recipe of a level after making an index under WORK for each path of ``against`` that is none.

    ``save(recipe, paths, folder)`` makes one. Raises RecipeError as `dedup_recipe`.
    """
    if against and level != "dataset":
        raise RecipeError("--against needs --level dataset; use --against-index with --level document")
    recipe = dedup_recipe(level, corpus, [*against, *indices], threshold, changes, near_threshold)
    made = [path if is_index(path, recipe.steps) else f"{work}/against/{k:03}" for k, path in enumerate(against)]
    for path, index in zip(against, made, strict=True):
        if path != index:
            save(recipe, [path], index)
    return dedup_recipe(level, corpus, [*made, *indices], threshold, changes, near_threshold)


def contamination_recipe(
    corpus: Sequence[str], against: Sequence[str], action: str, changes: Sequence[str] = ()
) -> Recipe:
    """Build the recipe that finds the items of the evaluation sets ``against`` in a corpus."""
    steps = {"decontaminate": {"against": list(against), "action": action}}
    return parse_recipe({"input": {"paths": list(corpus)}, "steps": steps}, "decontaminate", tuple(changes))
