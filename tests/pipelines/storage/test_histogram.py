"""Bins of a histogram with thresholds."""

import numpy as np
import pytest

from gristmill.pipelines.storage.histogram import ROOM, USUAL, bins

TAIL = np.repeat(np.geomspace(1, 4096, 13).astype(int), 20)  # whole numbers over three powers of ten


@pytest.mark.parametrize(
    ("values", "cuts", "whole", "by_ratio"),
    [
        (TAIL, [], True, True),
        (TAIL, [1], True, True),
        (TAIL, [0.5], True, False),
        (TAIL, [0.5], False, True),
        (TAIL, [0.0], False, False),
        (np.append(TAIL, -1), [], False, False),
    ],
)
def test_the_axis_is_logarithmic_if_all_cuts_lie_above_its_least_value(values, cuts, whole, by_ratio):
    assert bins(values, cuts, whole).by_ratio == by_ratio


@pytest.mark.parametrize("cut", [0.01, 64])
def test_a_logarithmic_axis_begins_at_its_least_cut_or_usual_value(cut):
    least = np.quantile(TAIL, USUAL[0])
    edges = bins(TAIL, [cut], False).edges
    assert edges[0] <= min(cut, least) * 1.001 and cut in edges and edges[-1] >= np.quantile(TAIL, USUAL[1])


def test_the_room_beyond_a_cut_is_a_share_of_the_axis():
    values = np.linspace(-10, 10, 100)
    assert bins(values, [50.0], False).edges[-1] == 50 + ROOM * (50 - np.quantile(values, USUAL[0]))


def test_a_cut_beyond_all_values_lies_inside_the_axis():
    edges = bins(np.linspace(-10, 10, 100), [50.0], False).edges
    assert edges[0] < -9 and edges[-1] > 50 and 50.0 in edges


def test_values_beyond_a_cut_get_room_and_no_more_than_they_need():
    values = np.linspace(-10, 10, 1000)
    edges = bins(values, [-9.999, 9.999], False).edges
    assert edges[0] == values.min() and edges[-1] == values.max()
    assert {-9.999, 9.999} <= set(edges[1:-1])


def test_a_cut_is_an_inner_edge_and_moves_only_the_nearest_one():
    values = np.linspace(-1, 1, 1000)
    plain, cut = bins(values, [], False).edges, bins(values, [0.013], False).edges
    assert len(plain) == len(cut) and 0.013 in cut[1:-1]
    assert np.count_nonzero(np.isin(cut, np.linspace(cut[0], cut[-1], len(cut)))) >= len(cut) - 1


def test_bins_count_all_values_the_ends_included():
    found = bins(TAIL, [5], True)
    assert found.rows(TAIL).sum() == TAIL.size
    assert found.rows(np.array([-1, 10**9])).tolist() == [1, *[0] * (len(found.edges) - 3), 1]
