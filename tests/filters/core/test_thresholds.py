"""Settings of every rule set: one stem for setting, measure and rule, values in range, minima below maxima."""

import re

import pytest

from gristmill.filters.classifier.filter import Classifier
from gristmill.filters.core.batch import Batch
from gristmill.filters.join.step import Join
from gristmill.filters.registry import FILTERS, VARIANT_KINDS
from gristmill.filters.rules.c4 import C4
from gristmill.filters.rules.gopher import Gopher
from gristmill.filters.rules.keywords import Keywords
from gristmill.filters.rules.noise import Noise
from gristmill.pipelines.ragged import Ragged

KINDS = [*(kind for kind in FILTERS.values() if kind is not Join), *VARIANT_KINDS]  # a join's rules are of its columns
RULE_SETS = [kind for kind in KINDS if "variant" in kind.model_fields or kind in (Noise, Keywords)]
# Rules that compare another measure than the one of their name: with the value of a percentile, or of a random draw.
OTHER_MEASURES = {
    ("language", "probability_too_low"): "allowed_probability",
    ("perplexity", "percentile_too_low"): "perplexity",
    ("perplexity", "percentile_too_high"): "perplexity",
    ("classifier", "percentile_too_low"): "score",
    ("classifier", "pareto_draw_too_low"): "max_pareto_alpha",
}
ABOVE_ONE = {
    "max_hash_ratio",
    "max_ellipsis_ratio",
    "max_list_ratio",
    "max_density",
    "min_word_length",
    "max_word_length",
}
POSITIVE = {(C4, "min_run"), (C4, "max_word_length")}


def name(kind: type) -> str:
    return kind.__name__


def make(kind: type):
    return Classifier.model_construct(model="", min_score=0.5) if kind is Classifier else kind()


def numeric_settings(kind: type) -> dict[str, type]:
    """Return int or float for each numeric setting, by its default or by its name where that is None."""
    fields = {key: field.annotation for key, field in kind.model_fields.items()}
    kinds = {key: next((one for one in (float, int) if one.__name__ in str(of)), None) for key, of in fields.items()}
    return {key: of for key, of in kinds.items() if of and key.startswith(("min_", "max_", "short_"))}


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_setting_measure_and_rule_share_one_stem(kind):
    for rule_name, rule in make(kind).rules().items():
        stem, end = rule_name.split("_too_")
        assert end == ("low" if "<" in rule.breaks else "high")
        assert rule.measure == OTHER_MEASURES.get((kind.NAME, rule_name), stem)
        setting = "pareto_alpha" if stem == "pareto_draw" else f"{'min' if end == 'low' else 'max'}_{stem}"
        assert setting in kind.model_fields


@pytest.mark.parametrize("kind", RULE_SETS, ids=name)
def test_each_threshold_has_a_rule_and_a_measure(kind):
    settings = kind()
    thresholds = {
        f"{'min' if '<' in rule.breaks else 'max'}_{rule.measure}": rule for rule in settings.rules().values()
    }
    assert all(getattr(settings, key) == rule.threshold for key, rule in thresholds.items())
    assert numeric_settings(kind).keys() <= thresholds.keys() | set(kind.MEASURED)
    columns = settings.measure(Batch(Ragged.from_strings(["A text.", ""]))).columns
    assert {rule.measure for rule in thresholds.values()} <= set(columns)


SETTINGS = [(kind, key, of) for kind in RULE_SETS for key, of in numeric_settings(kind).items()]


@pytest.mark.parametrize(("kind", "key", "of"), SETTINGS, ids=[f"{kind.__name__}-{key}" for kind, key, _ in SETTINGS])
def test_a_value_out_of_range_is_refused(kind, key, of):
    least = int((kind, key) in POSITIVE)
    pair = re.sub("^m(in|ax)", lambda bound: "max" if bound[1] == "in" else "min", key)
    others = {"use_profiles": False, **({pair: None} if pair in kind.RULES else {})}
    assert getattr(kind(**others, **{key: of(least)}), key) == least
    with pytest.raises(ValueError, match=key):
        kind(**others, **{key: of(least - 1)})
    if of is float:
        assert getattr(kind(**others, **{key: 1.0}), key) == 1
        for value in (float("nan"), float("inf"), *([] if key in ABOVE_ONE else [1.001])):
            with pytest.raises(ValueError, match=key):
                kind(**others, **{key: value})


PAIRS = [(kind, key) for kind, key, _ in SETTINGS if key.startswith("min_") and f"max_{key[4:]}" in kind.RULES]


@pytest.mark.parametrize(("kind", "low"), PAIRS, ids=[f"{kind.__name__}-{low}" for kind, low in PAIRS])
def test_a_minimum_above_its_maximum_is_refused_with_both_names(kind, low):
    high = f"max_{low[4:]}"
    assert getattr(kind(**{low: 30, high: 30}), low) == 30
    with pytest.raises(ValueError, match=rf"{low} is 31(\.0)?, above {high} 30"):
        kind(**{low: 31, high: 30})


def test_both_kinds_of_mistakes_of_one_recipe():
    with pytest.raises(ValueError, match="2 validation errors"):
        Gopher(min_words=-5, max_bullet_lines=7.0)


def test_a_minimum_of_a_profile_above_a_maximum_of_the_recipe_is_refused():
    assert Gopher(min_words=5, max_words=20).for_profile("zh").min_words == 20
    with pytest.raises(ValueError, match="profile 'ja' of gopher: min_words is 20, above max_words 19"):
        Gopher(min_words=5, max_words=19)
    assert Gopher(min_words=5, max_words=19, use_profiles=False).max_words == 19
