"""Recipes are found by path and by name, from any folder."""

import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter
from gristmill.filters.core.measure import measure_documents
from gristmill.filters.core.profiles import profile_of
from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.recipe_files import as_changes, find_recipe, make_change, read_toml, shipped_recipes
from gristmill.flows.impact.recipe import read_impact
from gristmill.pipelines.errors import RecipeError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_shipped_recipe_has_a_name():
    assert {"clean-corpus", "fineweb", "impact-small", "short-text"} <= set(shipped_recipes())
    assert read_recipe("clean-corpus").name == "clean-corpus"
    assert read_impact("impact-small", paths=("raw.jsonl",)).name == "impact-small"


def test_the_recipe_for_short_text_keeps_a_post_of_any_language():
    recipe = read_recipe("short-text", paths=("posts.jsonl",))
    table = pa.table(
        {"id": ["a", "b", "c"], "text": ["Just saw the river mill, lovely place", "水车在河边转动，真好看啊", "ok"]}
    )
    chain = {name: step for name, step in recipe.steps.items() if isinstance(step, Filter)}
    frames = measure_documents(chain, table)
    profile = profile_of(frames["code"]["label"].to_numpy())
    broken = [decide(step, frames[name], profile).list.len().to_numpy() for name, step in chain.items()]
    assert (sum(broken) > 0).tolist() == [False, False, True]


def test_a_file_wins_and_a_folder_does_not(elsewhere):
    (elsewhere / "fineweb").mkdir()
    assert find_recipe("fineweb") == shipped_recipes()["fineweb"]
    (elsewhere / "clean-corpus").write_text('name = "mine"\n')
    assert read_recipe("clean-corpus").name == "mine"
    assert find_recipe("clean-corpus", elsewhere) == elsewhere / "clean-corpus"


def test_an_unknown_name_says_which_there_are_and_that_a_path_may_be_given():
    with pytest.raises(RecipeError, match=r"clean-corps; .*path.* shipped recipe: did you mean 'clean-corpus'"):
        read_recipe("clean-corps")


HOSTILE = {
    "unclosed": b"steps = [",
    "not UTF-8": b"\xff",
    "UTF-16": "[steps.exact]".encode("utf-16"),
    "binary": bytes(range(256)),
    "deep list": b"a = " + b"[" * 10_000 + b"]" * 10_000,
    "deep table": b"a = " + b"{a = " * 10_000 + b"1" + b"}" * 10_000,
    "deep key": b".".join([b"a"] * 10_000) + b" = 1",
    "33 tables": b".".join([b"a"] * 33) + b" = 1",
    "5,000 digits": b"a = " + b"9" * 5_000,
    "5,000 hexadecimal digits": b"a = 0x" + b"f" * 5_000,
    "65 bits": b"a = [{b = -18446744073709551616}]",
    "too large": b"#" * 10_000_001,
    "input is no table": b"input = 3",
    "steps are no table": b"steps = 3",
    "use is no name": b"[steps.x]\nuse = [1]",
    "variant is no name": b"[steps.gopher]\nvariant = [1]",
    "a value of a million characters": b"[steps.gopher]\nmin_words = '" + b"x" * 1_000_000 + b"'",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_is_no_recipe_is_named(elsewhere, content):
    (elsewhere / "odd.toml").write_bytes(content)
    with pytest.raises(RecipeError, match=r"odd\.toml") as error:
        read_recipe("odd.toml", paths=("x",))
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("place", [".", "/dev/null/x", "x" * 300])
def test_a_path_that_is_no_file_is_a_mistake(place):
    with pytest.raises((RecipeError, OSError)):
        read_recipe(place)


def test_a_recipe_may_begin_with_a_byte_order_mark_and_hold_numbers_of_64_bits(elsewhere):
    (elsewhere / "marked.toml").write_bytes(b"\xef\xbb\xbf" + b".".join([b"a"] * 32) + b" = 18446744073709551615")
    assert read_toml(elsewhere / "marked.toml")["a"]


@pytest.mark.parametrize(
    "change",
    [
        "gopher.min_words=" + "9" * 5_000,
        "gopher.min_words=0x" + "f" * 5_000,
        "gopher.min_words=" + "[" * 10_000,
        "gopher.min_words=18446744073709551616",
        "gopher" + ".a" * 33 + "=1",
        "gopher=1",
        "=",
        "",
        ".=1",
        "input.paths.x=1",
        "x" * 100_000 + ".a=1",
    ],
)
def test_a_change_that_cannot_be_made_is_a_mistake(change):
    with pytest.raises(RecipeError) as error:
        read_recipe("clean-corpus", (change,))
    assert len(str(error.value)) < 600


def test_the_command_lists_recipes_and_prints_one(gristmill, elsewhere):
    listed = gristmill("recipes", cwd=elsewhere)
    for command in ("clean fineweb", "impact run impact-small", "run corpus-to-model"):
        assert f"gristmill {command} " in listed.stdout
    assert gristmill("recipes", "fineweb").stdout == shipped_recipes()["fineweb"].read_text("utf-8")
    assert "clean-corpus" in gristmill("recipes", "nope").stderr


PLAIN = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(VALUES)
def test_a_value_of_python_is_set_as_it_is(value):
    known = {"step": {}}
    (change,) = as_changes({"step.setting": value})
    make_change(known, change)
    assert known["step"]["setting"] == value and type(known["step"]["setting"]) is type(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, '"off"'), ((1, 2), "[1, 2]"), (Path("a"), '"a"'), (np.int64(3), "3"), (np.float32(0.5), "0.5")],
)
def test_a_value_of_a_library_is_written_as_toml(value, written):
    assert as_changes({"step.setting": value}) == (f"step.setting={written}",)
    assert tomllib.loads(f"setting = {written}")


@pytest.mark.parametrize("value", [object(), b"bytes", 1 << 70, "\ud800"])
def test_a_value_that_no_setting_has_is_refused(value):
    with pytest.raises(RecipeError, match="cannot set"):
        as_changes({"step.setting": value})


@pytest.mark.parametrize("change", ["gopher.min_words", "gopher=3", "goper.min_words=3"])
def test_a_change_names_a_setting_of_a_step_and_its_value(change):
    with pytest.raises(RecipeError, match=f"cannot set '{change}': expected STEP.SETTING=VALUE"):
        make_change({"gopher": {}}, change)
