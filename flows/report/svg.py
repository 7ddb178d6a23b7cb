"""Pictures as numbers for the templates, which draw them as SVG: across in percent, so that a bar is as wide as the
screen lets it be and its text stays as large as all other text; down in pixels."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

BARS, FEWEST = 40, 12  # of a histogram
HEIGHT = 84  # pixels of the bars
WIDE = 100  # ratio of the largest to the smallest usual value from which ranges grow by ratio
MOSTLY = 0.9  # share of the values that must be above zero for that
ROOM = 0.15  # of the width, beyond a threshold
USUAL = (0.005, 0.995)  # quantiles; what is beyond them is counted in the bars at the ends
STEPS = (1, 2, 2.5, 5, 10)  # of axes, times a power of ten


class HistogramBar(NamedTuple):
    """One range of values: place and sizes, and what it says."""

    x: float
    width: float
    height: float  # of all documents
    broken_height: float  # of those that break the rule
    label: str  # the range
    documents: int
    broken: int


class Histogram(NamedTuple):
    bars: list[HistogramBar]
    lines: list[float]  # where the cuts are
    ticks: list[tuple[float, str]]
    levels: list[tuple[float, str]]  # heights that numbers of documents have


def histogram(values: np.ndarray, broken: np.ndarray, cuts: list[float], whole: bool) -> Histogram:
    """How values are spread, and those among them that break a rule.

    Ranges hold their lower end and not the upper one. They are even, or grow by ratio where values do; ``cuts``, where
    thresholds part the values, are ends of ranges. Heights are logarithms of counts, since a rule is about the few
    documents at the end of the many.
    """
    values = values[np.isfinite(values)]
    if not values.size:
        return Histogram([], [], [], [])
    edges, by_ratio = _edges(values, cuts, whole)
    counts, bad = (np.histogram(v.clip(edges[0], edges[-1]), edges)[0] for v in (values, broken))
    tall = np.log10(1 + counts.max())
    heights, bad_heights = (HEIGHT * np.log10(1 + n) / tall for n in (counts, bad))
    scale = np.log(edges) if by_ratio else edges
    at = (scale - scale[0]) / (scale[-1] - scale[0]) * 100
    labels = _labels(edges, whole, values.min() < edges[0], values.max() > edges[-1])
    columns = (column.tolist() for column in (at[:-1], np.diff(at), heights, bad_heights, counts, bad))
    x, width, height, bad_height, documents, bad_documents = columns
    bars = map(HistogramBar, x, width, height, bad_height, labels, documents, bad_documents)
    lines = np.interp(cuts, edges, at).tolist()
    return Histogram(list(bars), lines, _ticks(edges, at, by_ratio, whole), _levels(tall))


def _edges(values: np.ndarray, cuts: list[float], whole: bool) -> tuple[np.ndarray, bool]:
    """Ends of the ranges, and whether they grow by ratio. What lies beyond a cut has some room."""
    low, high = np.quantile(values, USUAL)
    positive = values[values > 0]
    by_ratio = positive.size > MOSTLY * values.size and values.min() >= 0 and min(cuts, default=1) > 0
    least = np.quantile(positive, USUAL[0]) if by_ratio else 0
    first, last = (min(cuts), max(cuts)) if cuts else (high, low)
    if by_ratio and (not whole or high >= BARS):
        least, most = _with_room(values, first, last, min(least, first), max(high, last, least))
        if most >= WIDE * least:
            edges = _snapped(np.geomspace(least, most, BARS + 1), cuts)
            return (np.unique(np.ceil(edges)) if whole else edges), True  # no range between two whole numbers
    if cuts:
        room = ROOM * ((max(high, last) - min(low, first)) or 1)
        low, high = min(low, first - room if values.min() < first else first), max(high, last + room)
        low = max(low, min(values.min(), first))
        high = min(high, values.max()) if values.max() > last else high
    if whole and high - low < BARS:
        return np.arange(np.floor(low), max(np.ceil(high) + 2, np.floor(low) + FEWEST + 1)), False
    return _snapped(np.linspace(low, high if high > low else low + 1, BARS + 1), cuts), False


def _with_room(values: np.ndarray, first: float, last: float, least: float, most: float) -> tuple[float, float]:
    """Least and most, moved by a ratio where a cut is one of them and there are values beyond it."""
    ratio = (np.log(most) - np.log(least)) * ROOM
    least = np.exp(np.log(least) - ratio) if first <= least and values.min() < first else least
    return least, np.exp(np.log(most) + ratio) if last >= most else most


def _snapped(edges: np.ndarray, cuts: list[float]) -> np.ndarray:
    """The inner edge next to each cut moved onto it."""
    for cut in cuts:
        inner = edges[1:-1]
        if edges[0] < cut < edges[-1]:
            inner[np.abs(inner - cut).argmin()] = cut
    return edges


def _labels(edges: np.ndarray, whole: bool, below: bool, above: bool) -> list[str]:
    """What each range holds, in words."""
    if whole and (np.diff(edges) == 1).all():
        labels = [number(low) for low in edges[:-1]]
    else:
        labels = [f"{number(low)} to {number(high)}" for low, high in pairwise(edges.tolist())]
    if below:
        labels[0] = f"under {number(edges[1])}"
    if above:
        labels[-1] = f"{number(edges[-2])} and more"
    return labels


def _ticks(edges: np.ndarray, at: np.ndarray, by_ratio: bool, whole: bool) -> list[tuple[float, str]]:
    """A few round values and where they are, none too near an end for its number to be read."""
    values = [10.0**k for k in range(-6, 13)] if by_ratio else round_values(edges[0], edges[-1], 4)
    half = 0.5 if whole and (np.diff(edges) == 1).all() else 0  # a number stands below the middle of its bar
    values = [value for value in values if not whole or value == int(value)]
    places = [(np.interp(value + half, edges, at).item(), value) for value in values if edges[0] <= value < edges[-1]]
    return [(place, number(value)) for place, value in places if 2 < place < 96]


def _levels(tall: float) -> list[tuple[float, str]]:
    """Powers of ten, as many as have room for their number."""
    every = 1 + int(tall // 3)
    levels = [(HEIGHT - HEIGHT * np.log10(1 + 10.0**k) / tall, 10**k) for k in range(0, 13, every)]
    return [(y.item(), f"{n:,}") for y, n in levels if y >= 0]


def round_values(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` and one round values between two others.

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
    """A value in as few digits as tell it from its neighbours.

    >>> number(12000), number(0.25), number(3.0)
    ('12,000', '0.25', '3')
    """
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    return f"{value:.3g}".replace("-", "−")


class Line(NamedTuple):
    """A curve: its name, its points in percent of the picture, and what each says."""

    name: str
    points: list[tuple[float, float]]
    tips: list[str]


class Chart(NamedTuple):
    lines: list[Line]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]


def chart(series: Sequence[tuple[str, Sequence[float], Sequence[float]]], across: str) -> Chart:
    """Curves of (name, xs, ys) in one picture; ``across`` names what runs to the right."""
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
