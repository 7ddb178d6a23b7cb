from math import nextafter

import pytest
from bounds import edges
from pydantic import ValidationError

from gristmill.dedup.contamination.step import Contamination
from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.dedup.passages.repeated import RepeatedPassages
from gristmill.dedup.substrings.exact_substrings import Substrings

STEPS = (Exact, NearDuplicates, RepeatedPassages, Substrings, Contamination)


@pytest.mark.parametrize(
    ("step", "name", "allowed", "refused"), [(step, *edge) for step in STEPS for edge in edges(step)]
)
def test_each_setting_is_allowed_up_to_its_bound_and_no_further(step, name, allowed, refused):
    assert getattr(step(**{name: allowed}), name) == allowed
    with pytest.raises(ValidationError, match=name):
        step(**{name: refused})


def test_bounds_are_those_of_today():
    """A changed bound refuses a recipe that went, or lets one go that cannot."""
    bounds = {step: [(name, allowed) for name, allowed, _ in edges(step)] for step in STEPS}
    above_0, below_1 = nextafter(0, 1), nextafter(1, 0)
    assert bounds == {
        Exact: [],
        NearDuplicates: [
            *[("threshold", above_0), ("threshold", 1), ("shingle_size", 1), ("shingle_size", 64)],
            *[("shingle_size_unspaced", 1), ("shingle_size_unspaced", 64), ("num_perm", 16), ("num_perm", 1024)],
            *[("recall", above_0), ("recall", below_1), ("max_comparisons", 1), ("memory_mb", 64)],
        ],
        RepeatedPassages: [
            *[("window", 1), ("near_threshold", 0.5), ("near_threshold", 1), ("near_shingle_size", 1)],
            *[("near_shingle_size", 64), ("near_min_letters", 1), ("min_copies", 2), ("min_bytes", 0)],
            *[("min_words_left", 0), ("min_passages_left", 0), ("report_top", 0), ("memory_mb", 64)],
        ],
        Substrings: [("length", 2), ("min_tokens_left", 0), ("memory_mb", 1)],
        Contamination: [
            *[("ngram", 2), ("ngram", 64), ("min_words", 1), ("threshold", above_0), ("threshold", 1)],
            *[("max_documents", above_0), ("max_documents", 1), ("min_words_left", 0)],
        ],
    }


@pytest.mark.parametrize(("near_threshold", "window", "goes"), [(None, 2, True), (0.9, 1, True), (0.9, 2, False)])
def test_near_passages_are_compared_one_by_one(near_threshold, window, goes):
    if goes:
        assert RepeatedPassages(near_threshold=near_threshold, window=window).window == window
    else:
        with pytest.raises(ValidationError, match="needs window = 1, found 2"):
            RepeatedPassages(near_threshold=near_threshold, window=window)


@pytest.mark.parametrize(
    ("step", "values"),
    [
        (RepeatedPassages, {"unit": "word"}),
        (Substrings, {"unit": "line"}),
        (Substrings, {"action": "mark"}),
        (Contamination, {"action": "mark"}),
        (Exact, {"source_priority": "books"}),
    ],
)
def test_unknown_words_are_refused(step, values):
    with pytest.raises(ValidationError):
        step(**values)


def test_results_of_the_defaults_are_those_of_today():
    """A changed default changes what every recipe without it removes."""
    near, passages = NearDuplicates(), RepeatedPassages()
    assert (near.threshold, near.shingle_size, near.shingle_size_unspaced) == (0.8, 5, 8)
    assert (near.num_perm, near.recall, near.max_comparisons, near.memory) == (128, 0.995, 1000, 1 << 28)
    assert (passages.unit, passages.window, passages.min_copies, passages.min_bytes) == ("line", 1, 2, 20)
    assert (passages.near_threshold, passages.near_shingle_size, passages.near_min_letters) == (None, 5, 20)
    assert (passages.min_words_left, passages.min_passages_left, passages.report_top) == (0, 1, 100)
    substrings = Substrings()
    assert (substrings.unit, substrings.length, substrings.min_tokens_left) == ("word", 50, 1)
    assert substrings.memory_mb == 1024
    items = Contamination()
    assert (items.ngram, items.min_words, items.threshold, items.max_documents) == (6, 3, 0.35, 0.0005)
    assert items.min_words_left == 10 and near.memory_mb == passages.memory_mb == 256
