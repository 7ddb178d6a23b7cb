"""Files of language profiles, as a recipe names them: each step gets the settings of its filter."""

import pytest
from corpora import write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe, read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.runs.check import check_documents
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.errors import RecipeError

SWAHILI = """
languages = ["sw"]
stop_words = ["na", "ya"]

[language]
min_probability = 0.5

[gopher]
min_word_length = 2.5

[fineweb]
max_list_ratio = 0.2
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "sw.toml").write_text(SWAHILI)
    return tmp_path / "profiles"


def steps(profiles, **tables):
    return parse_recipe({"profiles": profiles, "steps": tables}, "test").steps


@pytest.mark.parametrize("profiles", ["profiles", ["profiles"], "profiles/sw.toml"])
def test_each_step_gets_the_settings_of_its_filter(profiles):
    found = steps(profiles, tongue={"use": "language"}, gopher={}, repetition={}, fineweb={})
    assert found["tongue"].profiles == {"sw": {"min_probability": 0.5}}
    assert found["gopher"].profiles == {"sw": {"stop_words": ["na", "ya"], "min_word_length": 2.5}}
    assert found["fineweb"].profiles == {"sw": {"max_list_ratio": 0.2}}
    assert found["repetition"].profiles == {}


def test_the_recipe_takes_precedence():
    mine = {"sw": {"min_word_length": 1.0}, "zh": {"min_words": 9}}
    found = steps("profiles", gopher={"profiles": mine})["gopher"].profiles
    assert found == {"sw": {"stop_words": ["na", "ya"], "min_word_length": 1.0}, "zh": {"min_words": 9}}


@pytest.mark.parametrize("changes", [(), ("gopher.min_word_length=off",)])
def test_a_rule_that_the_recipe_switches_off_stays_off(changes):
    gopher = {} if changes else {"min_word_length": "off"}
    table = {"profiles": "profiles", "steps": {"gopher": gopher}}
    assert parse_recipe(table, "test", changes).steps["gopher"].for_profile("sw").min_word_length is None


def test_a_step_without_profiles_gets_none():
    assert steps("profiles", gopher={"variant": "dolma"}, fineweb={"use_profiles": False})["fineweb"].profiles == {}


def test_a_run_needs_no_file(folder):
    """What a run writes as its recipe has the settings, and no name of a file."""
    recipe = read_recipe("clean-corpus", ("gopher.profiles.sw.min_words=7",), ("raw",), ("profiles",))
    (folder / "sw.toml").unlink()
    assert "profiles" not in recipe.table()
    again = parse_recipe(recipe.table(), "recipe.json")
    assert again == recipe and again.steps["gopher"].for_profile("sw").min_words == 7
    assert again.steps["gopher"].for_profile("sw").min_word_length == 2.5


def test_one_file_may_be_the_profile_of_several_languages(folder):
    (folder / "sw.toml").write_text(SWAHILI.replace('["sw"]', '["sw", "swc"]'))
    assert [*steps("profiles", gopher={})["gopher"].profiles] == ["sw", "swc"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", r'sw.toml: expected languages = \["sw"\], labels of the language step, found None'),
        ("languages = []", "found \\[\\]"),
        ('languages = ["swa"]', r"found \['swa'\]"),
        ("languages = [1]", r"found \[1\]"),
        ('languages = ["sw"]\n[gophr]', "sw.toml: no filter 'gophr'; did you mean 'gopher'"),
        ('languages = ["sw"]\ngopher = 1', r"sw.toml \[gopher\]: expected a table"),
        ('languages = ["sw"]\n[gopher]\nmin_word = 1', r"sw.toml \[gopher\]: no setting 'min_word'; did you mean"),
        ('languages = ["sw"]\n[language]\nmin_probability = 2.0', r"sw.toml \[language\]: min_probability"),
        (
            'languages = ["sw"]\n[language]\nmax_bytes = 64',
            r"sw.toml \[language\]: profile 'sw' has max_bytes, which has one",
        ),
        ("languages = [", "sw.toml is not TOML"),
    ],
)
def test_a_file_that_is_no_profile_is_named(folder, text, complaint):
    (folder / "sw.toml").write_text(text)
    with pytest.raises(RecipeError, match=complaint):
        steps("profiles", gopher={})


def test_two_profiles_of_one_language_are_a_mistake(folder):
    (folder / "other.toml").write_text(SWAHILI)
    with pytest.raises(RecipeError, match=r"sw\.toml: another file of the recipe is a profile of 'sw'"):
        steps("profiles", gopher={})


@pytest.mark.parametrize(
    ("profiles", "complaint"), [(3, "found 3"), ([3], "found"), ("nowhere", "nowhere"), (["empty"], "no .*toml")]
)
def test_a_place_without_profiles_is_a_mistake(tmp_path, profiles, complaint):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RecipeError, match=complaint):
        steps(profiles, gopher={})


def test_run_recount_explorer_and_check_agree_on_an_own_profile(tmp_path):
    """Ten Swahili words are too few for the profile of any language, and enough for their own."""
    text = "Watu wote wamezaliwa huru, hadhi na haki zao ni sawa."
    raw = write_jsonl(tmp_path / "raw.jsonl", [{"id": "sw", "text": text}, {"id": "en", "text": "The mill turns."}])
    tables = {"language": {"confident_probability": 0.0}, "gopher": {"min_alpha_words": "off", "min_words": 50}}
    for profiles, kept in (({}, 0), ({"sw": {"min_words": 10}}, 1), ({"sw": {"min_words": 11}}, 0)):
        work = UPath(tmp_path / f"work-{len(profiles)}-{kept}")
        tables["gopher"]["profiles"] = profiles
        recipe = parse_recipe({"input": {"paths": [str(raw)]}, "steps": tables}, "test")
        assert clean(recipe, work)["clean"] == kept
        was, recounted = what_if(work, ())
        assert was["steps"]["gopher"]["rules"] == recounted["steps"]["gopher"]["rules"]
        index = RunIndex(work)
        assert int(index.kept.sum()) == kept and int(Thresholds(index).moved(()).after.sum()) == kept
        assert sum(not each["violations"] for each in check_documents(recipe, (str(raw),))) == kept
    assert what_if(work, ("gopher.profiles.sw.min_words=10",))[1]["clean"] == 1
    with pytest.raises(RecipeError, match="gopher: the setting needs new measures"):
        what_if(work, ('gopher.profiles.sw.stop_words=["na"]',))
