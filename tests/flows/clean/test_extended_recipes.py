"""Recipes that extend others: tables merge, arrays replace, steps keep their order, circles are mistakes."""

from pathlib import Path

import pytest

from gristmill.corpus import read_recipe as read_any
from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.recipe_files import read_table
from gristmill.pipelines.errors import RecipeError

BASE = """
name = "base"
words = "unicode"
[input]
paths = ["a.jsonl", "b.jsonl"]
text = "body"
[steps.c4]
min_sentences = 2
[steps.gopher]
min_words = 20
stop_words = ["the", "of"]
[steps.exact]
[tokenizer.small]
vocab_size = 300
[tokenizer.large]
vocab_size = 900
[tokens]
validation = 0.1
[report]
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.toml").write_text(BASE)
    return tmp_path


def extending(text, base="base.toml"):
    Path("mine.toml").write_text(f'extends = "{base}"\n{text}')
    return read_recipe("mine.toml")


def test_a_recipe_that_adds_nothing_is_the_one_it_extends():
    assert extending("") == read_recipe("base.toml")
    assert extending("", "clean-corpus") == read_recipe("clean-corpus")


def test_tables_merge_key_by_key_and_arrays_replace():
    recipe = extending("""
        name = "mine"
        [input]
        paths = ["c.jsonl"]
        [steps.gopher]
        stop_words = ["der"]
        min_stop_words = 1
        [tokens]
        seed = 7
    """)
    assert recipe.name == "mine"
    assert recipe.input[0].paths == ["c.jsonl"] and recipe.input[0].text == "body"
    gopher = recipe.steps["gopher"]
    assert (gopher.min_words, gopher.stop_words, gopher.min_stop_words) == (20, ["der"], 1)
    assert recipe.tokens == {"validation": 0.1, "seed": 7}


def test_new_steps_run_last_or_after_the_one_they_name():
    recipe = extending("""
        [steps.near_duplicates]
        [steps.exact]
        lowercase = true
        [steps.noise]
        after = "c4"
        [steps.short]
        use = "gopher"
        after = "noise"
        [steps.pii]
    """)
    assert list(recipe.steps) == ["c4", "noise", "short", "gopher", "exact", "near_duplicates", "pii"]
    assert recipe.steps["exact"].lowercase and recipe.steps["short"].NAME == "gopher"


def test_what_is_off_is_left_out():
    recipe = extending('report = "off"\nsteps.gopher = "off"\ntokenizer.small = "off"')
    assert list(recipe.steps) == ["c4", "exact"] and list(recipe.tokenizer) == ["large"]
    assert recipe.report is None and recipe.tokens is not None


def test_a_chain_of_recipes(elsewhere):
    (elsewhere / "inner").mkdir()
    (elsewhere / "inner" / "middle.toml").write_text('extends = "../base.toml"\n[steps.gopher]\nmin_words = 30\n')
    recipe = extending("[steps.c4]\nmin_sentences = 5", "inner/middle.toml")
    assert (recipe.steps["c4"].min_sentences, recipe.steps["gopher"].min_words) == (5, 30)


def test_code_lies_beside_the_recipe_that_names_it(elsewhere):
    code = "import gristmill as gm\nclass Odd(gm.Filter):\n    'Drops nothing.'\n    def measure(self, doc): return {}"
    (elsewhere / "inner").mkdir()
    (elsewhere / "inner" / "odd.py").write_text(code + "\n    def rules(self): return {}\n")
    (elsewhere / "inner" / "odd.toml").write_text('[steps.odd]\nuse = "odd.py:Odd"\n')
    assert list(extending("", "inner/odd.toml").steps) == ["odd"]


def test_changes_are_made_in_the_merged_recipe():
    Path("mine.toml").write_text('extends = "base.toml"')
    changes = ("gopher.min_words=33", "tokenizer.small.vocab_size=400", "tokens.seed=3", "input.text=c")
    recipe = read_recipe("mine.toml", changes, ("x.jsonl",))
    assert recipe.steps["gopher"].min_words == 33
    assert recipe.input[0].paths == ["x.jsonl"] and recipe.input[0].text == "c"
    assert recipe.tokenizer["small"] == {"vocab_size": 400} and recipe.tokens["seed"] == 3


def test_a_table_of_python_may_extend_a_recipe():
    recipe = read_any({"extends": "base.toml", "steps": {"gopher": {"min_words": 9}}})
    assert list(recipe.steps) == ["c4", "gopher", "exact"] and recipe.steps["gopher"].min_words == 9


def test_the_record_of_a_run_extends_nothing():
    recorded = extending("[steps.pii]").table()
    assert "extends" not in recorded and list(recorded["steps"]) == ["c4", "gopher", "exact", "pii"]
    assert recorded["tokens"] == {"validation": 0.1} and "pretrain" not in recorded


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('extends = "mine.toml"', r"mine\.toml: recipes extend each other in a circle.*: mine\.toml -> mine\.toml"),
        ('extends = "clean-corps"', r"mine\.toml extends: no recipe at clean-corps; .* did you mean 'clean-corpus'"),
        ("extends = 3", "mine.toml: extends names one recipe, by path or name, found 3"),
        ('extends = "base.toml"\nsteps.gofer = "off"', r"'gofer' is off, but .* lacks it; did you mean 'gopher'"),
        (
            'extends = "base.toml"\n[steps.pii]\nafter = "gofer"',
            r"\[steps\] pii: after 'gofer': no such step; did you mean 'gopher'",
        ),
        ('extends = "base.toml"\nsteps = 3', "steps must be tables"),
        ('extends = "base.toml"\n[steps.gopher]\nafter = "c4"', "no setting 'after'"),
        ('[steps.c4]\nafter = "c4"', "no setting 'after'"),
        ('extend = "base.toml"', "no setting 'extend'"),
        ("tokens = 3", "tokens: Input should be a valid dictionary, found 3"),
    ],
)
def test_a_mistake_is_one_line(text, expected):
    Path("mine.toml").write_text(text)
    with pytest.raises(RecipeError, match=expected) as error:
        read_recipe("mine.toml")
    assert len(str(error.value).splitlines()) == 1


def test_a_circle_of_two_and_a_long_chain_are_mistakes():
    Path("a.toml").write_text('extends = "b.toml"')
    Path("b.toml").write_text('extends = "a.toml"')
    with pytest.raises(RecipeError, match=r"circle.*a\.toml -> b\.toml -> a\.toml"):
        read_table(Path("a.toml"))
    for k in range(40):
        Path(f"{k}.toml").write_text(f'extends = "{k + 1}.toml"')
    Path("40.toml").write_text("")
    with pytest.raises(RecipeError, match="more than 32 deep"):
        read_table(Path("0.toml"))
    assert read_table(Path("10.toml")) == {}
