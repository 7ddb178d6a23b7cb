"""Recipe of a run with moved thresholds, as a TOML file for `gristmill clean`."""

import tomli_w

from gristmill.filters.registry import FILTERS
from gristmill.flows.clean.recipe import Recipe
from gristmill.pipelines.inputs.input_tables import inputs_table
from gristmill.pipelines.plugins import plugin_of
from gristmill.pipelines.settings import OFF


def recipe_toml(recipe: Recipe, changes: tuple[str, ...]) -> str:
    """Return the recipe as TOML: all steps in order, with the settings that differ from their defaults."""
    header = "".join(f"# {line}\n" for line in ("Made by gristmill explore.", *(f"moved: {each}" for each in changes)))
    table = recipe.model_dump(mode="json", exclude={"input", "steps"}, exclude_defaults=True)
    table["input"] = inputs_table(recipe.input, exclude_defaults=True)
    table["steps"] = {name: _step(name, step) for name, step in recipe.steps.items()}
    return header + "\n" + tomli_w.dumps(_without_none(table))


def _step(name: str, step) -> dict:
    values = step.model_dump(mode="json", exclude_defaults=True)
    if plugin := plugin_of(type(step)):
        return {"use": plugin.use, **values}
    if type(step) is not FILTERS.get(step.NAME, type(step)):
        values = {"variant": step.variant, **values}
    return values if name == step.NAME else {"use": step.NAME, **values}


def _without_none(value):
    """Replace None by "off", since TOML has no null."""
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_none(each) for each in value]
    return OFF if value is None else value
