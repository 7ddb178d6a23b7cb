"""The recipe of a run with its thresholds moved, as a TOML file that `gristmill clean` takes."""

import tomli_w

from gristmill.filters.registry import FILTERS
from gristmill.flows.clean.recipe import Recipe
from gristmill.pipelines.settings import OFF


def recipe_toml(recipe: Recipe, changes: tuple[str, ...]) -> str:
    """What differs from the defaults is written out; the steps and their order are all there."""
    header = "".join(f"# {line}\n" for line in ("Made by gristmill explore.", *(f"moved: {each}" for each in changes)))
    table = recipe.model_dump(mode="json", exclude={"input", "steps"}, exclude_defaults=True)
    table["input"] = recipe.input.model_dump(mode="json", exclude_defaults=True)
    table["steps"] = {name: _step(name, step) for name, step in recipe.steps.items()}
    return header + "\n" + tomli_w.dumps(_without_none(table))


def _step(name: str, step) -> dict:
    values = step.model_dump(mode="json", exclude_defaults=True)
    if type(step) is not FILTERS.get(step.NAME, type(step)):
        values = {"variant": step.variant, **values}
    return values if name == step.NAME else {"use": step.NAME, **values}


def _without_none(value):
    """TOML has no null: a setting that is off is written so."""
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_none(each) for each in value]
    return OFF if value is None else value
