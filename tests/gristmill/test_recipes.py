"""Recipes as Python has them: files, tables, objects."""

import pytest

import gristmill as gm
from gristmill.pipelines.errors import RecipeError


class Shouty(gm.Filter):
    """Drops documents that shout."""

    max_exclamations: float = gm.share(0.02)

    def measure(self, doc: gm.Document) -> dict:
        """Return the share of exclamation marks."""
        return {"exclamations": doc.text.count("!") / max(1, len(doc.text))}

    def rules(self) -> dict:
        """Return the only rule."""
        return {"exclamations_too_high": gm.Rule("exclamations", ">", self.max_exclamations)}


def test_a_class_of_a_notebook_is_refused_with_a_remedy(monkeypatch):
    recipe = gm.read_recipe({"steps": {"gopher": {}}})
    recipe = recipe.model_copy(update={"steps": {"shouty": Shouty()}})
    assert gm.read_recipe(recipe).steps["shouty"] == Shouty()
    monkeypatch.setattr(Shouty, "__module__", "__main__")
    with pytest.raises(RecipeError, match=r"steps.shouty: Shouty is a class of this notebook.*my_filters.py:Shouty"):
        gm.read_recipe(recipe)
