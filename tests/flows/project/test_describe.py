"""`gristmill steps`: what it prints is what the code says, for every step and section."""

import json
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field

from gristmill.filters.core.filter import Share
from gristmill.flows.clean.recipe import STEPS, parse_recipe
from gristmill.flows.cli import run
from gristmill.flows.project.describe import SECTION_NAMES, Setting, describe, settings_of, step_names, toml
from gristmill.flows.project.sections import read_sections
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings

OWN = '''
import gristmill as gm


class Shouty(gm.Filter):
    """Drops documents that shout (Ada 2026). More follows."""

    # Of all
    # characters.
    max_exclamations: float = gm.share(0.02)

    def measure(self, doc):
        return {"exclamations": doc.text.count("!") / max(1, len(doc.text))}

    def rules(self):
        return {"exclamations_too_high": gm.Rule("exclamations", ">", self.max_exclamations)}
'''


class Inner(Settings):
    rate: float = Field(0.5, gt=0, lt=1)  # of change


class Sample(Settings):
    """Settings of a test."""

    needed: int = Field(ge=1, le=9)
    share: Share | None = 0.25  # of the lines; None: the rule is off
    words: list[str] = ["a", "b"]
    kind: Literal["x", "y"] = "x"
    # Comment above,
    # on two lines.
    table: dict[str, Annotated[float, Field(ge=0)]] = {}
    flag: bool = False
    anything: Any = None
    inner: Inner = Inner()


def test_types_defaults_and_comments_are_read_from_the_class():
    assert list(settings_of(Sample)) == [
        Setting("needed", "whole number from 1 to 9", "required", ""),
        Setting("share", 'number from 0 to 1 or "off"', "0.25", 'of the lines; "off": the rule is off'),
        Setting("words", "list of text", '["a", "b"]', ""),
        Setting("kind", '"x" or "y"', '"x"', ""),
        Setting("table", "table of number ≥ 0", "{}", "Comment above, on two lines."),
        Setting("flag", "true or false", "false", ""),
        Setting("anything", "any value", '"off"', ""),
        Setting("inner.rate", "number > 0, < 1", "0.5", "of change"),
    ]


def test_every_step_has_a_purpose_and_its_settings_with_their_defaults():
    names = step_names()
    assert list(STEPS) == list(names)[: len(STEPS)] and all(len(purpose) > 20 for purpose in names.values())
    for name, kind in STEPS.items():
        found = describe(name)
        assert found.purpose and found.source
        assert {each.name for each in found.settings} == set(kind.model_fields)
        for each in found.settings:
            default = kind.model_fields[each.name].get_default(call_default_factory=True)
            assert each.type and each.default in ("required", toml(default))


def test_published_rules_name_their_paper():
    for name, paper in {
        "gopher": "2112.11446",
        "repetition": "2112.11446",
        "importance": "Xie",
        "c4": "Raffel",
    }.items():
        assert paper in describe(name).source + describe(name).purpose


@pytest.mark.parametrize("name", SECTION_NAMES)
def test_a_setting_of_a_section_is_one_that_a_recipe_takes(name):
    """Each default, written out as the description says, is accepted by the recipe."""
    import tomllib

    kept = [each for each in describe(name).settings if each.default != "required"]
    kept = [each for each in kept if name != "tokenizer" or each.name != "special"]
    lines = {each.name: f"{each.name} = {each.default}" for each in kept}
    table = tomllib.loads("\n".join(lines.values()))
    if name == "export":
        table["formats"] = ["nanogpt"]
    bpe = {"bpe": table if name == "tokenizer" else {"vocab_size": 300}}
    recipe = parse_recipe({"tokenizer": bpe, "tokens": {}} | ({name: table} if name != "tokenizer" else {}), "test")
    read_sections(recipe, "test")


def test_a_class_of_a_user_is_described_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN)
    assert run(["steps", "mine.py:Shouty", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["purpose"] == "Drops documents that shout (Ada 2026)"
    wanted = {"type": "number from 0 to 1", "default": "0.02", "about": "Of all characters."}
    assert {"name": "max_exclamations", **wanted} in found["settings"]


def test_the_command_lists_and_describes(capsys):
    assert run(["steps"]) == 0
    listed = capsys.readouterr().out
    assert all(f"\n{name} " in f"\n{listed}" for name in STEPS) and "pretrain" in listed
    assert run(["steps", "gopher"]) == 0
    shown = capsys.readouterr().out
    assert "min_words = 50" in shown and "2112.11446" in shown and "dolma" in shown


def test_an_unknown_name_has_a_suggestion(capsys):
    with pytest.raises(RecipeError, match=r"no step 'gofer'; did you mean 'gopher'"):
        describe("gofer")
    with pytest.raises(RecipeError, match=r"no step 'pretran'; did you mean 'pretrain'"):
        describe("pretran")
    assert run(["steps", "nowhere.py:X"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
