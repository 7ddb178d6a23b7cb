"""Cut-offs from data: where they lie, what they leave alone, and both sides of the line they draw."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.rules.fineweb import FineWeb
from gristmill.filters.rules.gopher import Gopher
from gristmill.filters.rules.repetition import Repetition
from gristmill.filters.thresholds.confidence import BINS, below, histogram, sure_probability
from gristmill.filters.thresholds.cuts import RULES, TAIL, Tail, cut, find_cuts, power, settings_to_find, share_removed

HUNDRED = np.arange(101) / 100  # median 0.5, edges of a tenth at 0.1 and 0.9


@pytest.mark.parametrize(
    ("setting", "values", "tail", "threshold"),
    [
        ("max_top_2_gram", HUNDRED, Tail(0.1, 1.0), 0.9),
        ("max_top_2_gram", HUNDRED / 10, Tail(0.1, 3.0), 0.17),  # 0.05 + 3 * 0.04
        ("max_top_2_gram", HUNDRED, Tail(0.1, 3.0), 1.0),  # a share
        ("max_list_ratio", HUNDRED, Tail(0.1, 3.0), 1.7),
        ("min_alpha_words", HUNDRED, Tail(0.1, 1.0), 0.1),
        ("min_alpha_words", HUNDRED, Tail(0.1, 3.0), 0.0),  # never negative
        ("max_word_length", 4.001 + HUNDRED, Tail(0.1, 1.0), 4.91),  # up, to two decimals
        ("min_word_length", 4.009 + HUNDRED, Tail(0.1, 1.0), 4.1),  # down
        ("min_stop_words", np.arange(10, 31), Tail(0.1, 1.0), 12),
        ("min_stop_words", np.array([7]), TAIL, 7),
        ("max_dup_lines", np.zeros(50), TAIL, 0.0),
    ],
)
def test_a_threshold_lies_beyond_the_edge(setting, values, tail, threshold):
    found = cut(setting, values, tail)
    assert found == pytest.approx(threshold) and isinstance(found, int) is (setting == "min_stop_words")


@given(
    st.lists(st.integers(0, 10**6).map(lambda n: n / 10**6), min_size=1, max_size=40),
    st.sampled_from(["min_alpha_words", "max_top_2_gram"]),
)
def test_a_threshold_removes_at_most_the_tail(values, setting):
    frame = pl.DataFrame({setting[4:]: values})
    removed = share_removed(setting, cut(setting, np.array(values)), frame)
    assert removed <= TAIL.share + 1 / len(values)


@pytest.mark.parametrize(
    ("setting", "threshold", "share"),
    [("max_top_2_gram", 0.5, 1 / 3), ("max_top_2_gram", 0.4999, 2 / 3), ("min_top_2_gram", 0.5, 1 / 3)],
)
def test_a_document_at_a_threshold_stays(setting, threshold, share):
    assert share_removed(setting, threshold, pl.DataFrame({"top_2_gram": [0.25, 0.5, 0.75]})) == pytest.approx(share)


def measures(step, value: float) -> pl.DataFrame:
    """Equal documents: every threshold is this value."""
    return pl.DataFrame({setting[4:]: [value] * 3 for setting in RULES[step.NAME]})


@pytest.mark.parametrize(
    ("step", "value", "found"),
    [
        (Repetition(), 0.0, {}),
        (Repetition(max_dup_8_grams=0.125, max_dup_9_grams=0.2), 0.125, {"max_dup_10_grams"}),
        (Repetition(), 0.125, {"max_dup_8_grams", "max_dup_9_grams", "max_dup_10_grams"}),
        (Repetition(profiles={"sw": {"max_dup_9_grams": 0.5}}), 0.125, {"max_dup_8_grams", "max_dup_10_grams"}),
        (Repetition(max_dup_8_grams=None), 0.125, {"max_dup_9_grams", "max_dup_10_grams"}),
        (Repetition(use_profiles=False), 0.125, set()),
        (FineWeb(), 0.125, {"max_char_dup_ratio"}),
        (FineWeb(), 0.11, {"min_line_punct_ratio", "max_char_dup_ratio"}),
        (FineWeb(min_line_punct_ratio=None), 0.11, {"max_char_dup_ratio"}),
        (Gopher(), 1.0, {"min_word_length", "max_word_length", "min_stop_word_ratio"}),
        (Gopher(), 0.5, {"min_word_length", "max_word_length", "min_stop_word_ratio", "min_alpha_words"}),
        (Gopher(min_word_length=None, max_word_length=None), 1.0, {"min_stop_word_ratio"}),
    ],
)
def test_rules_become_looser_but_those_on_words(step, value, found):
    """Rules that the recipe has switched off stay off."""
    assert set(find_cuts(step, "sw", measures(step, value))) == set(found)


def test_a_rule_that_the_shipped_profile_switches_off_stays_off():
    """The count of stop words is off for a language without a list; for German it may fall."""
    frame = measures(Gopher(), 1.0)
    assert "min_stop_words" not in find_cuts(Gopher(), "sw", frame)
    assert find_cuts(Gopher(), "de", frame)["min_stop_words"] == 1
    assert "min_stop_words" in settings_to_find(Gopher())


@pytest.mark.parametrize(("noise", "looser"), [(2, False), (3, True)])
def test_a_threshold_that_removes_two_percent_stays(noise, looser):
    values = np.array([0.0] * (100 - noise) + [0.9] * noise)
    frame = measures(Repetition(), 0.0).clear().vstack(pl.DataFrame({key[4:]: values for key in Repetition.RULES}))
    tail = Tail(0.01, 1.0)
    assert ("max_dup_5_grams" in find_cuts(Repetition(), "sw", frame, tail)) is looser


@pytest.mark.parametrize(("noise", "looser"), [(10, False), (11, True)])
def test_the_least_ratio_of_stop_words_stays_up_to_a_tenth(noise, looser):
    values = np.array([0.5] * (100 - noise) + [0.0] * noise)
    frame = pl.DataFrame({key[4:]: values if key == "min_stop_word_ratio" else np.ones(100) for key in RULES["gopher"]})
    found = find_cuts(Gopher(), "de", frame, Tail(0.05, 1.0))
    assert found.get("min_stop_word_ratio") == (0.0 if looser else None)
    ratio = 0.0 if looser else 0.01
    assert power(Gopher(), "de", frame, Tail(0.05, 1.0)) == ratio / len(Gopher().stop_words_of("de"))


@pytest.mark.parametrize(
    ("probabilities", "sure"),
    [([0.9955] * 3, 0.9), ([0.1], 0.3), ([0.5005] * 4, 0.5), ([0.4005, 0.6005, 0.6005, 0.8005], 0.45)],
)
def test_a_label_is_sure_a_deviation_below_the_median(probabilities, sure):
    assert sure_probability(histogram(np.array(probabilities))) == sure


@pytest.mark.parametrize(("threshold", "share"), [(0.5, 0.25), (0.51, 0.5), (0.0, 0.0), (1.0, 0.75)])
def test_the_share_below_a_probability(threshold, share):
    counts = histogram(np.array([0.4999, 0.5, 0.99, 1.0]))
    assert counts.sum() == 4 and counts.size == BINS
    assert below(counts, threshold) == (share if threshold < 1 else 1.0)
