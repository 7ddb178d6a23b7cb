"""Moved thresholds give what a run with them gives, and a recipe for it."""

import tomllib

import pytest

from gristmill.flows.clean.recipe import FILTERS, parse_recipe, read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.export import recipe_toml
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.pages import threshold_page
from gristmill.flows.explorer.query import Query
from gristmill.flows.explorer.thresholds import Thresholds, adjustable
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.storage.files import to_path

MOVES = [
    ("gopher.min_words=30",),
    ("gopher.min_words=80", "noise.max_markup=0.01", "c4.min_sentences=5"),
    ("gopher.profiles.de.min_words=100",),
    ("gopher.profiles.neutral.min_words=off", "gopher.max_words=60", "fineweb.min_line_punct_ratio=0.9"),
    ("fineweb.max_list_ratio=off", "c4.min_sentences=0", "language.min_probability=0.998"),
]


@pytest.mark.parametrize("asked", MOVES)
def test_a_moved_threshold_changes_what_a_run_would(tmp_path, works, rules, asked):
    thresholds = Thresholds(rules)
    changes = thresholds.read([*asked])
    outcome = thresholds.what_if(changes)
    _, told = what_if(rules.folder, changes)
    assert outcome["kept"][1] == told["clean"] and outcome["clean_bytes"][1] == told["bytes_clean"]
    (tmp_path / "explored.toml").write_text(recipe_toml(thresholds.recipe(changes), changes))
    clean(read_recipe(str(tmp_path / "explored.toml")), to_path(tmp_path / "work"))
    again = RunIndex(to_path(tmp_path / "work"))
    assert thresholds.moved(changes).after.tolist() == again.kept.tolist() != rules.kept.tolist()
    assert outcome["newly_removed"] == int((rules.kept & ~again.kept).sum())
    assert outcome["newly_kept"] == int((again.kept & ~rules.kept).sum())
    for name, (_, broken) in outcome["violations"].items():
        assert broken == len(again.broken.get(tuple(name.split(".")), ()))


def test_steps_over_the_corpus_are_counted_as_they_stand(whole):
    thresholds = Thresholds(whole)
    after = thresholds.moved(("gopher.min_words=1",)).after
    (exact,) = (places for rule, places in whole.broken.items() if rule == ("exact", "exact_duplicate"))
    assert exact.size and not after[exact].any()


def test_every_setting_that_is_compared_can_be_moved():
    for name, kind in FILTERS.items():
        step = kind.model_construct(model="none is read")
        for threshold in adjustable({name: step}).values():
            moved = step.model_copy(update={threshold.setting: 7})
            assert (
                moved.rules()[threshold.rule].threshold == 7 or 7 in moved.rules()[threshold.rule].thresholds.values()
            )
    assert len(adjustable({"gopher": FILTERS["gopher"]()})) == 12
    assert "perplexity.percentile_too_low" not in adjustable({"perplexity": FILTERS["perplexity"]()})
    chosen = FILTERS["classifier"].model_construct(model="none is read", min_score="auto")
    assert "classifier.score_too_low" in adjustable({"classifier": chosen})


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        (["gopher.min_words=30.0"], ("gopher.min_words=30",)),
        (["gopher.min_words=50"], ()),
        (["gopher.min_words=30", "gopher.min_words=50"], ()),
        (["gopher.max_words=off"], ()),
        (["noise.max_markup=.3", "gopher.min_words=off"], ("gopher.min_words=off", "noise.max_markup=0.3")),
    ],
)
def test_moves_are_read_in_one_form(rules, asked, read):
    assert Thresholds(rules).read(asked) == read


@pytest.mark.parametrize(
    "asked",
    ["gopher.min_words=1.5", "gopher.min_words=x", "gopher.min_words=nan", "gopher.stop_words=1", "x=1", "",
     "gopher.min_words=1\nname = 'y'", "gopher.profiles.xx.min_words=1", "fineweb.max_list_ratio=inf"],
)  # fmt: skip
def test_what_is_no_move_is_a_mistake(rules, asked):
    with pytest.raises(RecipeError):
        Thresholds(rules).read([asked])


def test_an_exported_recipe_is_the_moved_one(rules):
    table = {"steps": {"mine": {"use": "gopher", "variant": "paper", "min_words": 3, "max_words": "off"}}}
    table |= {"name": 'a "name"\n\x7f\u2028', "words": "spacy", "input": {"paths": ["a\\b", "\u00e9"]}}
    table["steps"]["fineweb"] = {"profiles": {"zh": {"max_list_ratio": "off"}}, "use_profiles": False}
    recipe = parse_recipe(table, "test")
    assert parse_recipe(tomllib.loads(recipe_toml(recipe, ("mine.min_words=3",))), "again") == recipe


def test_a_threshold_is_shown_for_a_profile_of_the_run_or_for_none(whole):
    shown = [
        threshold_page(whole, Thresholds(whole), Query(), "gopher.words_too_low", profile)["profile"]
        for profile in ("neutral", "nowhere", "")
    ]
    assert "neutral" in whole.profile.names and shown == ["neutral", "", ""]
