"""Spread by the choice of documents: part means, variance components, and the coverage of intervals."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.flows.impact.documents.variance import part_means, recenter, variance_components
from gristmill.pretrain.impact.significance import compare


@given(st.integers(1, 9), st.integers(1, 12))
def test_the_runs_of_a_part_count_as_one(parts, runs):
    values = np.arange(runs * 2.0).reshape(runs, 2)
    found = part_means(values, parts)
    assert found.tolist() == [values[k::parts].mean(0).tolist() for k in range(min(parts, runs))]
    assert parts < runs or found.tolist() == values.tolist()


@pytest.mark.parametrize(("documents", "rest"), [(0.0, 1.0), (1.0, 0.5), (0.3, 0.3)])
def test_variance_components_come_back(documents, rest):
    rng = np.random.default_rng(3)
    drawn = rng.normal(0, documents, (1, 4000)) + rng.normal(0, rest, (3, 4000)) + [[1.0], [2.0], [3.0]]
    assert variance_components(drawn) == pytest.approx((documents, rest), abs=0.05)
    assert variance_components(np.array([[1.0, 2.0], [2.0, 1.0]]))[0] == 0.0  # never below zero


def test_intervals_cover_the_luck_of_documents():
    """Of 2,000 equal pairs of arms, 99 in 100 intervals of part means hold zero, as stated; of the runs, 77."""
    hits = {"parts": 0, "runs": 0}
    for i in range(2000):
        rng, arms = np.random.default_rng(i), []
        for _ in range(2):
            arms.append(np.tile(rng.normal(0, 1, 3), 2) + rng.normal(0, 1, 6))  # 3 parts, 2 runs of each
        for name, parts in (("parts", 3), ("runs", 6)):
            low, high = compare(*(part_means(arm, parts).tolist() for arm in arms), 0.02).welch
            hits[name] += low <= 0 <= high
    assert hits["parts"] >= 1950 and hits["runs"] < 1930


@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6).map(np.array))
def test_recentered_runs_have_the_mean_of_one_kind_and_the_spread_of_another(spread):
    found = recenter(spread, np.array([1.0, 2.0]))
    assert found.mean() == pytest.approx(1.5) and found.var() == pytest.approx(spread.var())
