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
