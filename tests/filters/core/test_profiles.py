"""Profiles of a language: shipped ones, and a recipe's own, which change single settings of the shipped ones."""

import numpy as np
import pytest

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.core.profiles import profile_of, shipped_profile
from gristmill.filters.langid.filter import Language
from gristmill.filters.rules.c4 import C4
from gristmill.filters.rules.gopher import Gopher
from gristmill.pipelines.ragged import Ragged

TEXT = "kinu husaga nafaka kwa mto na watu hufanya mkate"


@pytest.mark.parametrize(
    ("name", "shipped"),
    [("", ""), ("zh", "zh"), ("yue", "zh"), ("sw", "neutral"), ("und", "neutral"), ("code", "code"), ("neutral",) * 2],
)
def test_the_shipped_profile_behind_a_name(name, shipped):
    assert shipped_profile(name) == shipped


@pytest.mark.parametrize(
    ("own", "names"),
    [((), ["zh", "zh", "neutral"]), (("yue",), ["zh", "yue", "neutral"]), (("sw",), ["zh", "zh", "sw"])],
)
def test_a_label_names_its_own_profile(own, names):
    assert profile_of(np.array(["zh", "yue", "sw"]), own).tolist() == names


def test_an_own_profile_has_all_other_settings_from_the_shipped_one():
    gopher = Gopher(profiles={"yue": {"min_word_length": 0.9}, "zh": {"min_words": 30}, "sw": {"min_words": 5}})
    assert (gopher.for_profile("yue").min_word_length, gopher.for_profile("yue").min_words) == (0.9, 30)
    assert (gopher.for_profile("zh").min_word_length, gopher.for_profile("zh").min_words) == (None, 30)
    assert (gopher.for_profile("sw").min_stop_words, gopher.for_profile("sw").min_words) == (None, 5)
    assert gopher.for_profile("am").min_words == gopher.for_profile("neutral").min_words == 50


def test_a_rule_that_is_switched_off_is_off_in_every_language():
    """A shipped profile changes thresholds; only a profile of the recipe switches the rule on."""
    assert C4().for_profile("zh").min_sentences == 2
    for own, least in (({}, None), ({"zh": {"min_sentences": 4}}, 4), ({"yue": {"min_sentences": 4}}, None)):
        assert C4(min_sentences=None, profiles=own).for_profile("zh").min_sentences == least
    assert (
        C4(max_curly_brackets=None, profiles={"zh": {"max_curly_brackets": 0}}).for_profile("zh").max_curly_brackets
        == 0
    )


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        (Language, "max_bytes", 512),
        (Language, "languages", ["sw"]),
        (C4, "min_run", 2),
        (Gopher, "variant", "gristmill"),
        (Gopher, "profiles", {}),
        (Gopher, "use_profiles", False),
    ],
)
def test_a_profile_has_no_setting_without_effect(kind, setting, value):
    with pytest.raises(
        ValueError, match=f"profile 'sw' has {setting}, which has one value for all languages; remove it"
    ):
        kind(profiles={"sw": {setting: value}})


def rules_of(text: str, language: str, **settings) -> list[str]:
    gopher = Gopher(min_words=1, min_alpha_words=None, **settings)
    batch = Batch(Ragged.from_strings([text]), np.array([language]))
    broken = decide(gopher, gopher.measure(batch), gopher.profile_of(batch.language, 1))[0].to_list()
    return [rule["rule"] for rule in broken]


@pytest.mark.parametrize(("least", "rules"), [(2 / 9, []), (2 / 9 + 1e-9, ["stop_word_ratio_too_low"])])
def test_stop_words_of_a_profile_are_counted_in_documents_of_its_language(least, rules):
    """Two of nine words, 108 in all."""
    text = f"{TEXT} " * 12
    own = {"sw": {"stop_words": ["kwa", "na"], "min_stop_word_ratio": least, "max_word_length": 9.0}}
    assert rules_of(text, "sw", profiles=own) == rules
    assert rules_of(text, "am", profiles=own) == []


def test_stop_words_of_a_profile_change_the_measures():
    one, two = (Gopher(profiles={"sw": {"stop_words": words}}) for words in (["na"], ["kwa"]))
    assert one.measured_settings() != two.measured_settings() != Gopher().measured_settings()
    assert Gopher(profiles={"sw": {"min_words": 3}}).measured_settings() == Gopher().measured_settings()


def test_a_language_is_sure_from_the_confidence_of_its_profile_on():
    batch = Batch(Ragged.from_strings([TEXT]))
    label, probability = Language().measure(batch).row(0)[:2]
    for least, sure in ((probability, label), (probability + 1e-9, "und")):
        for language in (
            Language(confident_probability=least),
            Language(confident_probability=1.0, profiles={label: {"confident_probability": least}}),
            Language(confident_probability=least, profiles={"xh": {"confident_probability": 0.0}}),
        ):
            assert language.measure(batch)["confident_label"].to_list() == [sure]
            assert language.measured_settings() != Language().measured_settings()


@pytest.mark.parametrize(
    ("settings", "broken"),
    [
        ({"min_probability": 1.0}, True),
        ({"min_probability": 1.0, "profiles": {"own": {"min_probability": 0.0}}}, False),
        ({"min_probability": 0.0, "profiles": {"own": {"min_probability": 1.0}}}, True),
        ({"min_probability": 0.0, "profiles": {"xh": {"min_probability": 1.0}}}, False),
        ({"profiles": {"own": {"min_probability": 1.0}}, "min_probabilities": {"own": 0.0}}, False),
    ],
)
def test_a_profile_has_the_minimum_of_its_label(settings, broken):
    """It holds for the most probable language of a document, sure or not."""
    batch = Batch(Ragged.from_strings([TEXT]))
    label = Language().measure(batch)["label"][0]
    named = {key: {label if k == "own" else k: v for k, v in value.items()} if isinstance(value, dict) else value
             for key, value in settings.items()}  # fmt: skip
    language = Language(**named)
    for profile in (None, np.array([label])):
        rules = decide(language, language.measure(batch), language.profile_of(profile, 1))[0].to_list()
        assert [rule["rule"] for rule in rules] == ["probability_too_low"] * broken
