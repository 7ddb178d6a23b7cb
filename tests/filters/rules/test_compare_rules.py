"""gristmill compare-rules: what two variants decide differently, with the values that made them."""

import json

import pytest
from click.testing import CliRunner

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.cli.compare_rules import compare_rules
from gristmill.pipelines.errors import RecipeError

DATATROVE = "datatrove-0.10.1"


@pytest.fixture
def corpus(tmp_path):
    """Words of which "The" is one for us and none for datatrove; a text that both remove; one that both keep."""
    prose = "the river and the mill have turned all of that grain to flour with much noise " * 5
    unlike = " ".join(f"grain{letter} of mill{letter}" for letter in "abcdefghijklmnopqrstuvwxyz")
    rows = [{"id": "case", "text": "The " + unlike}, {"id": "short", "text": "a b"}, {"id": "kept", "text": prose}]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def run(*arguments):
    return CliRunner().invoke(compare_rules, arguments, catch_exceptions=False)


def test_differences_are_told_by_rule_with_both_values(corpus):
    lines = run("--variants", f"gristmill,{DATATROVE}", "--json", corpus).stdout.splitlines()
    gopher = next(found for line in lines if (found := json.loads(line))["rule_set"] == "gopher")
    assert (gopher["documents"], gopher["agree"], gopher["same_reason"]) == (3, 2, 2)
    (difference,) = gopher["differences"]
    assert (difference["removed_by"], difference["rule"]) == (f"{DATATROVE}:unicode", "stop_words_too_low")
    (sample,) = difference["samples"]
    assert sample["id"] == "case"
    assert sample["gristmill:unicode"] == {"value": 2.0, "breaks": "<", "threshold": 2.0}
    assert sample[f"{DATATROVE}:unicode"] == {"value": 1.0, "breaks": "<", "threshold": 2.0}


def test_the_table_names_agreement_rules_and_documents(corpus):
    text = run("--variants", f"gristmill,{DATATROVE}", corpus).stdout
    assert "gopher: 66.67% equal decisions" in text
    assert "1  only b  stop_words_too_low" in text
    assert "case  a 2 (< 2)  b 1 (< 2)" in text


@pytest.mark.parametrize(
    ("variants", "said"),
    [
        ("gristmill", "expected two that differ"),
        ("gristmill,gristmill", "expected two that differ"),
        ("gristmill,datatrove", f"did you mean '{DATATROVE}'"),
        ("gristmill,gristmill:space", "did you mean 'spacy'"),
    ],
)
def test_a_wrong_choice_is_explained(corpus, variants, said):
    with pytest.raises(RecipeError, match=said):
        run("--variants", variants, corpus)


def test_a_variant_that_a_filter_lacks_names_those_it_has():
    with pytest.raises(
        RecipeError, match=r"fineweb has no variant 'nemo'; it has datatrove-0\.10\.1, fineweb-paper, grist"
    ):
        parse_recipe({"steps": {"fineweb": {"variant": "nemo"}}}, "r.toml")
    with pytest.raises(RecipeError, match="exact has no variant"):
        parse_recipe({"steps": {"exact": {"variant": "nemo"}}}, "r.toml")


def test_a_variant_survives_the_recipes_own_table():
    recipe = parse_recipe({"words": "spacy", "steps": {"c4": {"variant": DATATROVE, "min_sentences": "off"}}}, "r.toml")
    again = parse_recipe(recipe.table(), "again")
    assert again.steps["c4"] == recipe.steps["c4"] and again.steps["c4"].min_sentences is None
