"""Recipes that `gristmill init` writes: short, valid for every option, and not over a file that is there."""

import re
import tomllib
from itertools import product

import pytest
from corpora import write_jsonl

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.cli import run
from gristmill.flows.project.sections import read_sections
from gristmill.flows.project.starter import starter, write_starter
from gristmill.pipelines.errors import GristmillError

EVAL = "eval.jsonl"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_jsonl(tmp_path / EVAL, [{"question": "What does the mill by the river turn into flour?"}])
    return tmp_path


@pytest.mark.parametrize(
    ("languages", "pii", "against", "paths"),
    list(
        product(
            [[], ["en", "de"]],
            ["all", "default", "none", "email,phone", "-phone"],
            [[], [EVAL]],
            [[], ["a.jsonl", 'b"c.jsonl']],
        )
    ),
)
def test_every_recipe_is_short_and_valid(elsewhere, languages, pii, against, paths):
    for path in paths:
        write_jsonl(elsewhere / path, [{"text": "The mill grinds."}])
    written = write_starter("web", languages, pii, against, paths, elsewhere)
    assert len(written.read_text().splitlines()) < 40
    recipe = read_recipe(str(written))
    sections = read_sections(recipe, "web.toml")
    assert recipe.name == "web" and recipe.input[0].paths == paths
    assert recipe.steps["language"].languages == languages
    assert ("pii" in recipe.steps) == (pii != "none") and ("decontaminate" in recipe.steps) == bool(against)
    if pii == "all":
        assert {"person", "street_address", "email"} <= set(recipe.steps["pii"].types)
    if pii == "email,phone":
        assert recipe.steps["pii"].types == ["email", "phone"]
    assert list(sections.tokenizers) == ["bpe"] and sections.tokens and sections.report
    assert sections.export is None and sections.pretrain is None


def test_what_is_a_comment_is_valid_too(elsewhere):
    text = re.sub(r"(?m)^# (?=\[|\w+ = )", "", starter("web", [], "default", [], []))
    table = tomllib.loads(text)
    assert table["export"]["formats"] and table["pretrain"]["steps"] and table["steps"]["shouty"]["use"]
    assert table["tokenizer"]["gpt2"]["use"] and table["input"]["paths"]


def test_languages_that_are_kept_remove_the_others(elsewhere):
    write_starter("web", ["en"], "default", [], [], elsewhere)
    assert read_recipe("web.toml").steps["language"].min_probability > 0


def test_a_file_is_not_overwritten(elsewhere, capsys):
    assert run(["init", "web", "--pii", "none"]) == 0
    before = (elsewhere / "web.toml").read_bytes()
    assert "gristmill run web.toml --input PATH" in capsys.readouterr().out
    assert run(["init", "web.toml"]) == 2
    assert "web.toml exists already; remove it or choose another name" in capsys.readouterr().err
    assert (elsewhere / "web.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["a/b"], "a name is 1 to 64 of .*, found 'a/b'"),
        (["x", "--languages", "ger"], "no language 'ger', .*; did you mean 'de'?"),
        (["x", "--languages", "english"], "no language 'english', .*; docs/languages.md lists them"),
        (["x", "--languages", ""], "no language ''"),
        (["x", "--pii", "emial"], "no type of personal data 'emial'; did you mean 'email'"),
        (["x", "--pii", "al"], "did you mean 'all'"),
        (["x", "--against", "nowhere.jsonl"], "nowhere.jsonl: no such file"),
    ],
)
def test_a_mistake_writes_nothing(elsewhere, arguments, expected, capsys):
    assert run(["init", *arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(expected, error) and len(error.splitlines()) == 1
    assert [path.name for path in elsewhere.iterdir()] == [EVAL]


def test_a_type_that_is_mixed_with_changes_is_one_mistake(elsewhere):
    written = write_starter("web", [], "email,+person", [], [], elsewhere)
    with pytest.raises(GristmillError, match="expected a list of types, or changes of the default"):
        read_recipe(str(written))


def test_columns_are_looked_up_before_the_recipe_is_written(elsewhere):
    write_jsonl(elsewhere / "pages.jsonl", [{"html": "<p>The mill.</p>", "url": "https://mill.org"}])
    init = ["init", "web", "--input", "pages.jsonl"]
    assert run(init) == 2 and run([*init, "--text", "htlm"]) == 2 and not (elsewhere / "web.toml").exists()
    assert run([*init, "--html", "html", "--text", "url"]) == 2
    assert run([*init, "--html", "html"]) == 0
    assert read_recipe("web.toml").input[0].html == "html"
    assert run(["init", "two", "--input", "nowhere.jsonl"]) == 2
