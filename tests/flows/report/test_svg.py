"""Pictures as numbers: every value is in a bar, edges lie on thresholds, nothing leaves the picture."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.flows.report.format import cell, format_bytes, percent
from gristmill.flows.report.rules import Looks
from gristmill.flows.report.svg import HEIGHT, chart, histogram, number, round_values
from gristmill.pipelines.storage.histogram import bins

values = st.one_of(
    st.lists(st.integers(-5, 100_000), min_size=1, max_size=60),
    st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=60),
    st.lists(st.floats(0, 1, allow_subnormal=False), min_size=1, max_size=60),
)


@given(values, st.lists(st.floats(-10, 1000, allow_subnormal=False), max_size=2).map(sorted))
@example([0.0], [])
@example([5, 5, 5], [5.0])
@example([0.5] * 99 + [1e6], [0.1])
@example([1.0, 2.2250738585072014e-308], [3.6e-293])
def test_every_value_is_in_a_bar(values, thresholds):
    whole = all(isinstance(value, int) for value in values)
    array = np.array(values, float)
    broken = array[array > thresholds[-1]] if thresholds else array[:0]
    drawn = histogram(array, broken, thresholds, whole)
    assert sum(bar.documents for bar in drawn.bars) == len(values)
    assert sum(bar.broken for bar in drawn.bars) == broken.size
    for bar in drawn.bars:
        assert -1e-6 <= bar.x <= bar.x + bar.width <= 100 + 1e-6
        assert 0 <= bar.broken_height <= bar.height <= HEIGHT + 1e-9
        assert (bar.height > 0) == (bar.documents > 0)
    assert all(0 <= x <= 100 for x in drawn.lines)
    assert all(0 <= y <= HEIGHT for y, _ in drawn.levels)


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(0, 70).map(float), max_size=50), st.none() | st.floats(-10, 1e5))
@example([60.0], 0.5)  # whole numbers, a threshold below the first
def test_the_axis_holds_the_threshold(values, threshold):
    array, cuts = np.array(values, float), [] if threshold is None else [threshold]
    axis = bins(array, cuts, bool((array == np.round(array)).all()), count=60)
    assert axis.rows(array).sum() == len(values) and (np.diff(axis.edges) > 0).all()
    assert axis.at(axis.edges[[0, -1]]).tolist() == [0, 1]
    assert all(axis.edges[0] <= cut <= axis.edges[-1] for cut in cuts)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80), st.floats(0.01, 0.99))
def test_bars_end_at_the_threshold(values, threshold):
    """So that all on one side of the line break the rule, and none on the other."""
    array = np.array(values)
    drawn = histogram(array, array[array < threshold], [threshold], False)
    (line,) = drawn.lines
    left = [bar for bar in drawn.bars if bar.x + bar.width <= line + 1e-6]
    assert sum(bar.documents for bar in left) == (array < threshold).sum() == sum(bar.broken for bar in left)


def test_few_whole_numbers_have_a_bar_each():
    drawn = histogram(np.array([0, 1, 1, 3.0]), np.array([0.0]), [1], True)
    bars = [(bar.label, bar.documents, bar.broken) for bar in drawn.bars]
    assert bars[:4] == [("0", 1, 1), ("1", 2, 0), ("2", 0, 0), ("3", 1, 0)]
    assert drawn.lines == [drawn.bars[1].x]


def test_no_range_lies_between_two_whole_numbers():
    drawn = histogram(np.array([1, 2, 3, 400, 5000.0] * 9), np.zeros(0), [3], True)
    assert [bar.documents for bar in drawn.bars if bar.documents] == [9] * 5
    assert all(bar.documents for bar in drawn.bars[:3])


@pytest.mark.parametrize(
    ("breaks", "threshold", "whole", "cut"),
    [
        ("<", 3, True, 3),
        ("<=", 3, True, 4),
        (">", 3, True, 4),
        (">=", 3, True, 3),
        (">", 0.5, True, 1),
        (">", 0.5, False, 0.5),
        (">", None, True, None),
    ],
)
def test_a_cut_is_the_least_value_beyond_the_threshold(breaks, threshold, whole, cut):
    assert Looks("words", breaks, threshold, []).cut(whole) == cut


def test_values_that_are_no_numbers_are_left_out():
    assert histogram(np.array([np.nan, np.inf]), np.zeros(0), [1.0], False).bars == []
    assert sum(bar.documents for bar in histogram(np.array([np.nan, 0.5]), np.zeros(0), [1.0], False).bars) == 1


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(1, 8))
def test_round_values_lie_within(low, width, most):
    found = round_values(low, low + width, most)
    assert len(found) <= most + 1
    assert all(low - 1e-6 * width <= value <= low + width * (1 + 1e-6) for value in found)


def test_a_chart_holds_all_its_points():
    drawn = chart([("a", [1, 2, 3], [5.0, 4.0, 4.5]), ("b", [3], [4.2])], "step")
    assert [len(line.points) for line in drawn.lines] == [3, 1]
    assert all(0 <= x <= 100 and 0 <= y <= 100 for line in drawn.lines for x, y in line.points)
    assert drawn.lines[1].tips == ["b: 4.2 at step 3"]


def test_a_chart_of_one_point_is_drawn():
    assert chart([("a", [1], [5.0])], "step").lines[0].points


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (number(12000), "12,000"),
        (number(-0.25), "−0.25"),
        (number(3.0), "3"),
        (percent(774, 1000), "77.4%"),
        (percent(1, 100_000), "<0.1%"),
        (percent(0, 0), "0%"),
        (format_bytes(98_934_903), "98.9 MB"),
        (format_bytes(999), "999 bytes"),
        (cell("a|b <i>`\n"), "a\\|b &lt;i>\\`\\\\n"),
    ],
)
def test_numbers_and_text_are_put_for_people(said, expected):
    assert said == expected
