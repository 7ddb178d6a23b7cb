import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.near.verify import ShingleSets, intersections
from gristmill.pipelines.ragged import Ragged

sets = st.lists(st.sets(st.integers(0, 12), max_size=12), min_size=1, max_size=6)


@given(sets=sets, threshold=st.sampled_from([0.0, 0.5, 0.8]), memory=st.integers(1, 500))
def test_similarity_answers_as_python_sets(tmp_path_factory, sets, threshold, memory):
    stored = ShingleSets(tmp_path_factory.mktemp("sets") / "sets")
    for some in (sets[:2], sets[2:]):
        offsets = np.concatenate(([0], np.cumsum([len(s) for s in some]))).astype(np.int64)
        stored.append(Ragged.from_arrays(offsets, np.array([x for s in some for x in sorted(s)], np.uint64)))
    left, right = (a.ravel() for a in np.meshgrid(np.arange(len(sets)), np.arange(len(sets))))
    similarity, containment = stored.compare(left, right, threshold, memory)
    for a, b, jaccard, inside in zip(left, right, similarity, containment, strict=True):
        a, b = sets[a], sets[b]
        truth = len(a & b) / max(len(a | b), 1)
        if truth >= threshold:
            assert jaccard == truth and inside == len(a & b) / max(len(a), 1)
        else:
            assert jaccard < threshold


@pytest.mark.parametrize(("shared", "alike"), [(7, False), (8, True)])
def test_exactly_at_the_threshold_is_alike(tmp_path, shared, alike):
    stored = ShingleSets(tmp_path / "sets")
    stored.append(
        Ragged.from_arrays(np.array([0, 10, 10 + shared]), np.r_[np.arange(10), np.arange(shared)].astype(np.uint64))
    )
    similarity, containment = stored.compare(np.array([1]), np.array([0]), 0.8, 1000)
    assert bool(similarity[0] >= 0.8) is alike and containment[0] == 1.0


@pytest.mark.parametrize(("threshold", "common"), [(0.1, 2), (0.9, 0)])
def test_sets_of_sizes_that_cannot_be_alike_are_not_compared(threshold, common):
    sets = np.array([2, 3, *range(2, 12)], np.uint64)
    one, other = np.array([0]), np.array([1])
    assert intersections(np.array([0, 2, 12]), sets, one, other, threshold).tolist() == [common]
