from typing import ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.decide import decide
from gristmill.filters.core.filter import Filter, Rule
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings


class Length(Filter):
    """A rule set small enough to check by eye."""

    NAME: ClassVar[str] = "length"
    RULES: ClassVar[tuple[str, ...]] = ("min_words", "max_words")

    min_words: int | None = 2
    max_words: int | None = 4
    max_odd: float | None = 0.5

    def rules(self):
        odd = Rule("odd", ">=", self.max_odd, "label", {"xx": 0.9})
        return {**super().rules(), odd.name: odd}


def measured(*rows):
    return pl.DataFrame(rows, {"words": pl.Int64, "odd": pl.Float64, "label": pl.String}, orient="row")


def names(broken):
    return [[reason["rule"] for reason in reasons] for reasons in broken.to_list()]


@pytest.mark.parametrize(
    ("row", "broken"),
    [
        ((1, 0.0, "en"), ["words_too_low"]),
        ((2, 0.0, "en"), []),
        ((4, 0.0, "en"), []),
        ((5, 0.0, "en"), ["words_too_high"]),
        ((3, 0.49, "en"), []),
        ((3, 0.5, "en"), ["odd_too_high"]),
        ((3, 0.5, "xx"), []),  # a label with a threshold of its own
        ((3, 0.9, "xx"), ["odd_too_high"]),
        ((9, 0.9, "en"), ["words_too_high", "odd_too_high"]),  # every broken rule, in their order
    ],
)
def test_each_rule_on_both_sides_of_its_line(row, broken):
    assert names(decide(Length(), measured(row), np.array([""], object))) == [broken]


def test_a_reason_holds_value_and_threshold():
    (reasons,) = decide(Length(), measured((1, 0.75, "en")), np.array([""], object)).to_list()
    assert reasons == [
        {"rule": "words_too_low", "value": 1.0, "threshold": 2.0},
        {"rule": "odd_too_high", "value": 0.75, "threshold": 0.5},
    ]


def test_a_profile_has_thresholds_of_its_own_and_may_switch_a_rule_off():
    rules = Length(profiles={"zh": {"min_words": 5, "max_words": "off"}}, use_profiles=False)
    rows = measured((4, 0.0, "en"), (4, 0.0, "zh"), (9, 0.0, "en"), (9, 0.0, "zh"))
    broken = names(decide(rules, rows, np.array(["en", "zh", "en", "zh"], object)))
    assert broken == [[], ["words_too_low"], ["words_too_high"], []]


def test_a_threshold_of_the_recipe_holds_in_profiles_that_do_not_set_it():
    rules = Length(min_words=3, profiles={"zh": {"max_words": 9}}, use_profiles=False)
    assert rules.for_profile("zh") == Length(min_words=3, max_words=9, use_profiles=False)


def test_no_documents_no_decisions():
    assert decide(Length(), measured(), np.array([], object)).to_list() == []


def test_a_profile_with_an_unknown_setting_is_an_error_of_one_line():
    with pytest.raises(RecipeError, match="profile 'zh' of length: no setting 'min_word'; did you mean 'min_words'"):
        read_settings(Length, {"profiles": {"zh": {"min_word": 1}}}, "recipe")


rows = st.tuples(st.integers(0, 6), st.sampled_from([0.0, 0.4, 0.5, 0.95]), st.sampled_from(["en", "xx"]))
documents = st.lists(st.tuples(rows, st.sampled_from(["", "zh"])), max_size=8)
RULES = Length(profiles={"zh": {"min_words": 4}}, use_profiles=False)


def decided(documents):
    return decide(
        RULES, measured(*(row for row, _ in documents)), np.array([p for _, p in documents], object)
    ).to_list()


@given(documents, documents)
def test_documents_do_not_see_their_neighbors(left, right):
    assert decided(left + right) == decided(left) + decided(right)
