"""Plots as numbers for the templates, which draw them as SVG.

Horizontal positions are percentages, so that a plot fills the width and its text keeps its size; heights are pixels.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.storage.histogram import Bins, bins

BINS = 40  # in a histogram
HEIGHT = 84  # pixels of the bars
STEPS = (1, 2, 2.5, 5, 10)  # between ticks of an axis, times a power of ten


class HistogramBar(NamedTuple):
    """Bar of one range of values: position, sizes, counts and label."""

    x: float
    width: float
    height: float  # of all documents
    broken_height: float  # of documents that violate the rule
    label: str  # the range
    documents: int
    broken: int
    middle: float  # of the range


class Histogram(NamedTuple):
    """Histogram; without values it has an axis and no bars."""

    axis: Bins
    bars: list[HistogramBar]
    lines: list[float]  # positions of the cuts
    ticks: list[tuple[float, str]]
    levels: list[tuple[float, str]]  # heights of round numbers of documents


def histogram(
    values: np.ndarray, broken: np.ndarray, cuts: Sequence[float], whole: bool, count: int = BINS
) -> Histogram:
    """Draw all values, and the values of documents that violate a rule; ``cuts`` are the rule's thresholds."""
    values = values[np.isfinite(values)]
    axis = bins(values, cuts, whole, count)
    if not values.size:
        return Histogram(axis, [], [], [], [])
    counts, bad = axis.rows(values), axis.rows(broken)
    at, heights = 100 * axis.at(axis.edges), _log_heights(counts, counts.max())
    labels = _labels(axis, values)
    middle = (axis.edges[:-1] + axis.edges[1:] - whole) / 2
    columns = (at[:-1], np.diff(at), heights, _log_heights(bad, counts.max()), labels, counts, bad, middle)
    drawn = map(HistogramBar, *(column if column is labels else column.tolist() for column in columns))
    return Histogram(axis, [*drawn], (100 * axis.at(cuts)).tolist(), _ticks(axis), _levels(counts.max()))


def _log_heights(counts: np.ndarray, most: int) -> np.ndarray:
    """Scale counts logarithmically, since rules concern the few documents at the ends."""
    return HEIGHT * np.log10(1 + counts) / np.log10(1 + most)


def _labels(axis: Bins, values: np.ndarray) -> list[str]:
    """Return the label of each range."""
    ends = [number(edge) for edge in axis.edges.tolist()]
    labels = ends[:-1] if axis.single else [f"{low} to {high}" for low, high in pairwise(ends)]
    if values.min() < axis.edges[0]:
        labels[0] = f"under {ends[1]}"
    if values.max() > axis.edges[-1]:
        labels[-1] = f"{ends[-2]} and more"
    return labels


def _ticks(axis: Bins) -> list[tuple[float, str]]:
    """Return a few round values with their positions, none too close to an end for its label."""
    low, high = axis.edges[0], axis.edges[-1]
    values = [10.0**k for k in range(-6, 13)] if axis.by_ratio else round_values(low, high, 4)
    values = [value for value in values if low <= value < high and (not axis.whole or value == int(value))]
    half = 0.5 if axis.single else 0  # the label is below the middle of the bar
    places = [(100 * axis.at(value + half).item(), number(value)) for value in values]
    return [(place, name) for place, name in places if 2 < place < 96]


def _levels(most: int) -> list[tuple[float, str]]:
    """Return powers of ten with their heights, as many as their labels allow."""
    every = 1 + int(np.log10(1 + most) // 3)
    levels = [(HEIGHT - _log_heights(10**k, most), 10**k) for k in range(0, 13, every)]
    return [(y.item(), f"{n:,}") for y, n in levels if y >= 0]


def round_values(low: float, high: float, most: int) -> list[float]:
    """Return up to ``most`` + 1 round values between two others.

    >>> round_values(0, 0.93, 4)
    [0.0, 0.25, 0.5, 0.75]
    """
    if not high > low:
        return [float(low)]
    size = 10.0 ** np.floor(np.log10((high - low) / most))
    step = next(size * s for s in STEPS if (high - low) / (size * s) <= most)
    first = int(np.ceil(low / step - 1e-9))
    return [float(round(k * step, 12)) for k in range(first, int(np.floor(high / step + 1e-9)) + 1)]


def number(value: float) -> str:
    """Format a value with three significant digits, and without decimals from 1000 on.

    >>> number(12000), number(0.25), number(3.0)
    ('12,000', '0.25', '3')
    """
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


class Line(NamedTuple):
    """Curve: its name, its points in percent of the plot, and the tooltip of each."""

    name: str
    points: list[tuple[float, float]]
    tips: list[str]


class Chart(NamedTuple):
    """Curves with the ticks of their axes."""

    """Curves with the ticks of their axes."""

    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


def chart(series: Sequence[tuple[str, Sequence[float], Sequence[float]]], across: str) -> Chart:
    """Draw curves of (name, xs, ys) in one plot; ``across`` names the horizontal axis."""
    xs, ys = (np.concatenate([np.asarray(one[k], float) for one in series]) for k in (1, 2))
    left, right = xs.min(), max(xs.max(), xs.min() + 1e-9)
    low, high = ys.min(), ys.max()
    low, high = low - 0.05 * (high - low or 1), high + 0.05 * (high - low or 1)
    lines = []
    for name, x, y in series:
        x, y = np.asarray(x, float), np.asarray(y, float)
        points = zip(
            ((x - left) / (right - left) * 100).tolist(), ((high - y) / (high - low) * 100).tolist(), strict=True
        )
        tips = [f"{name}: {b:.4g} at {across} {number(a)}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
        lines.append(Line(name, list(points), tips))
    x_ticks = [((v - left) / (right - left) * 100, number(v)) for v in round_values(left, right, 5)]
    y_ticks = [((high - v) / (high - low) * 100, number(v)) for v in round_values(low, high, 4)]
    return Chart(lines, x_ticks, y_ticks)
