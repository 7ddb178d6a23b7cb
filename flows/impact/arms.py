"""The arms of an experiment: which documents each trains on, by which tokenizer, and whom it is held against."""

from typing import NamedTuple

from gristmill.flows.clean.recipe import Recipe, read_recipe
from gristmill.flows.clean.recipe_files import find_recipe
from gristmill.flows.impact.recipe import EACH, FULL, RAW, ImpactRecipe
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import nearest

ONE = "one"  # the tokenizer of all arms that are about data


class Arm(NamedTuple):
    """A variant of the data."""

    name: str
    data: str  # the name of its documents: arms that compare tokenizers share them
    recipe: Recipe  # what makes them of the raw documents
    tokenizer: str = ONE
    against: str | None = None  # the arm that its loss is held against

    @property
    def question(self) -> str:
        return f"{self.name} against {self.against}"


def arms_of(impact: ImpactRecipe) -> list[Arm]:
    """Every arm that the recipe asks for, the ones that others are held against first.

    The recipe against nothing, each part left out against the recipe, each part alone against nothing. Raises
    RecipeError for steps that are not there, and where there is nothing to compare.
    """
    wanted = impact.arms
    full = read_recipe(str(find_recipe(impact.recipe, impact.folder)))
    parts, raw = _parts(impact, full), _of(full, [])
    base = RAW if wanted.raw else None
    arms = [Arm(RAW, RAW, raw)] if wanted.raw else []
    arms += [Arm(FULL, FULL, full, against=base)] if wanted.full else []
    for name in _chosen(wanted.without, parts, "arms.without"):
        left = [step for step in full.steps if step not in parts[name]]
        arms.append(Arm(f"without {name}", f"without {name}", _of(full, left), against=FULL if wanted.full else base))
    for name in _chosen(wanted.only, parts, "arms.only"):
        arms.append(Arm(f"only {name}", f"only {name}", _of(full, parts[name]), against=base))
    for name, path in wanted.recipes.items():
        other = read_recipe(str(find_recipe(path, impact.folder)))
        arms.append(Arm(name, name, other, against=arms[0].name if arms else None))
    first = None
    for name in wanted.tokenizers:
        arms.append(Arm(name, FULL, full, name, first))
        first = first or name
    names = [arm.name for arm in arms]
    if twice := [name for name in names if names.count(name) > 1]:
        raise RecipeError(f"[arms] has two arms called {twice[0]!r}; choose another name")
    if not any(arm.against for arm in arms):
        raise RecipeError(f"[arms] has nothing to compare: {', '.join(names) or 'no arm'}; expected two arms or more")
    for name in impact.ladder.arms:
        if name not in names:
            raise RecipeError(f"[ladder] names an arm {name!r}; {nearest(name, names)}")
    return arms


def _parts(impact: ImpactRecipe, full: Recipe) -> dict[str, list[str]]:
    """Groups, and the steps that are in none: name -> steps."""
    parts = {}
    for name, steps in impact.arms.groups.items():
        for step in steps:
            if step not in full.steps:
                raise RecipeError(f"[arms] group {name!r} names a step {step!r}; {nearest(step, list(full.steps))}")
        parts[name] = steps
    grouped = {step for steps in parts.values() for step in steps}
    return parts | {step: [step] for step in full.steps if step not in grouped}


def _chosen(asked: list[str] | str, parts: dict[str, list[str]], where: str) -> list[str]:
    for name in asked if asked != EACH else ():
        if name not in parts:
            raise RecipeError(f"{where} names {name!r}; {nearest(name, list(parts))}")
    return list(parts) if asked == EACH else list(asked)


def _of(full: Recipe, names: list[str]) -> Recipe:
    """The recipe with only those steps, in its own order."""
    return full.model_copy(update={"steps": {name: step for name, step in full.steps.items() if name in names}})
