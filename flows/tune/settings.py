"""Settings of a search for thresholds."""

from typing import NamedTuple

from gristmill.flows.clean.recipe import Recipe
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.proxies.budget import Budget
from gristmill.flows.tune.space import Span


class Tuning(NamedTuple):
    """Recipe, thresholds and means of a search."""

    recipe: Recipe
    extends: str  # path or name of the recipe, for the recipe that is written
    spans: list[Span]
    budget: Budget
    proxy: ImpactRecipe  # model, training, tokenizer and held-out sets
