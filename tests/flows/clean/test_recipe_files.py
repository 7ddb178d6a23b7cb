"""Recipes are found by path and by name, from any folder."""

import pytest

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.recipe_files import find_recipe, shipped_recipes
from gristmill.flows.impact.recipe import read_impact
from gristmill.pipelines.errors import RecipeError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_shipped_recipe_has_a_name():
    assert {"clean-corpus", "fineweb", "impact-small"} <= set(shipped_recipes())
    assert read_recipe("clean-corpus").name == "clean-corpus"
    assert read_impact("impact-small", paths=("raw.jsonl",)).name == "impact-small"


def test_a_file_wins_and_a_folder_does_not(elsewhere):
    (elsewhere / "fineweb").mkdir()
    assert find_recipe("fineweb") == shipped_recipes()["fineweb"]
    (elsewhere / "clean-corpus").write_text('name = "mine"\n')
    assert read_recipe("clean-corpus").name == "mine"
    assert find_recipe("clean-corpus", elsewhere) == elsewhere / "clean-corpus"


def test_an_unknown_name_says_which_there_are_and_that_a_path_may_be_given():
    with pytest.raises(RecipeError, match=r"clean-corps; .*path.* \(clean-corpus, fineweb, impact-small\)"):
        read_recipe("clean-corps")


@pytest.mark.parametrize("content", [b"steps = [", b"\xff"])
def test_a_file_that_is_no_recipe_is_named(elsewhere, content):
    (elsewhere / "odd.toml").write_bytes(content)
    with pytest.raises(RecipeError, match=r"odd\.toml"):
        read_recipe("odd.toml")


def test_the_command_lists_recipes_and_prints_one(gristmill, elsewhere):
    listed = gristmill("recipes", cwd=elsewhere)
    assert "gristmill clean fineweb" in listed.stdout and "gristmill impact run impact-small" in listed.stdout
    assert gristmill("recipes", "fineweb").stdout == shipped_recipes()["fineweb"].read_text("utf-8")
    assert "clean-corpus" in gristmill("recipes", "nope").stderr
