import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.near.greedy import GreedySelection
from tests.reference import greedy as reference


def as_arrays(buckets):
    offsets = np.concatenate(([0], np.cumsum([len(bucket) for bucket in buckets]))).astype(np.int64)
    return offsets, np.array([member for bucket in buckets for member in sorted(bucket)], np.int32)


def decide(documents, partitions, alike, max_comparisons=1000, n_indexed=0, n_keepers=None):
    greedy = GreedySelection(documents, max_comparisons, n_indexed, n_keepers)
    arrays = [as_arrays(buckets) for buckets in partitions]
    greedy.run(lambda: arrays, lambda a, b: np.array([alike(*pair) for pair in zip(a, b, strict=True)], np.bool_))
    return greedy


@st.composite
def graphs(draw):
    documents = draw(st.integers(1, 25))
    members = st.sets(st.integers(0, documents - 1), min_size=2) if documents > 1 else st.nothing()
    partitions = draw(st.lists(st.lists(members, max_size=4), max_size=3)) if documents > 1 else []
    pair = st.tuples(st.integers(0, documents - 1), st.integers(0, documents - 1))
    edges = draw(st.sets(pair, max_size=60))
    return documents, partitions, {(max(a, b), min(a, b)) for a, b in edges if a != b}


@given(graphs(), st.randoms())
def test_the_choice_is_the_one_by_one_choice(graph, random):
    documents, partitions, edges = graph
    buckets = [bucket for partition in partitions for bucket in partition]
    greedy = decide(documents, partitions, lambda a, b: (a, b) in edges)
    stay = reference.kept(documents, buckets, lambda a, b: (a, b) in edges)
    assert np.flatnonzero(greedy.kept_by == np.arange(documents)).tolist() == stay
    for document, keeper in enumerate(greedy.kept_by.tolist()):
        if document != keeper:
            assert keeper in stay and (document, keeper) in edges
        assert greedy.cluster[document] <= keeper
    random.shuffle(buckets)
    again = decide(documents, [buckets], lambda a, b: (a, b) in edges)
    assert (again.kept_by == greedy.kept_by).all() and (again.cluster == greedy.cluster).all()


@given(graphs(), st.integers(0, 25), st.booleans())
def test_old_documents_stay_and_may_be_the_only_ones_that_keep_others_out(graph, n_indexed, one_way):
    documents, partitions, edges = graph
    n_indexed, buckets = min(n_indexed, documents), [bucket for partition in partitions for bucket in partition]
    n_keepers = n_indexed if one_way else None
    greedy = decide(documents, partitions, lambda a, b: (a, b) in edges, n_indexed=n_indexed, n_keepers=n_keepers)
    stay = reference.kept(documents, buckets, lambda a, b: (a, b) in edges, n_indexed, n_keepers)
    assert np.flatnonzero(greedy.kept_by == np.arange(documents)).tolist() == stay
    assert stay[:n_indexed] == list(range(n_indexed))
    assert all((d, k) in edges for d, k in enumerate(greedy.kept_by) if d != k)


@given(graphs())
def test_a_limit_on_trials_never_removes_without_reason(graph):
    documents, partitions, edges = graph
    greedy = decide(documents, partitions, lambda a, b: (a, b) in edges, max_comparisons=1)
    for document, keeper in enumerate(greedy.kept_by.tolist()):
        if document != keeper:
            assert (document, keeper) in edges and greedy.kept_by[keeper] == keeper


def test_a_bucket_of_copies_takes_one_comparison_each():
    greedy = decide(20_000, [[range(20_000)]], lambda a, b: True)
    assert greedy.compared == 19_999 and (greedy.kept_by == 0).all() and (greedy.cluster == 0).all()


@pytest.mark.parametrize(
    ("max_comparisons", "compared"), [(1, 1), (2, 3), (3, 3), (4, 7), (10, 15), (31, 31), (32, 63), (63, 63), (64, 95)]
)
def test_a_bucket_of_unlike_documents_is_cut_at_the_limit(max_comparisons, compared):
    """Rounds compare 1, 2, 4, 8, 16, 32, 32 … more; none begins where the limit is reached."""
    greedy = decide(120, [[range(120)]], lambda a, b: False, max_comparisons=max_comparisons)
    assert (greedy.kept_by == np.arange(120)).all()
    assert np.flatnonzero(greedy.limit_reached).tolist() == list(range(compared + 1, 120))
    assert greedy.compared == sum(min(document, compared) for document in range(120))
