"""Pictures as numbers for the templates, which draw them as SVG: across in percent, so that a bar is as wide as the
screen lets it be and its text stays as large as all other text; down in pixels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

BARS = 40  # of a histogram
HEIGHT = 84  # pixels of the bars
WIDE = 100  # ratio of the largest to the smallest usual value from which ranges grow by ratio
USUAL = (0.005, 0.995)  # quantiles; what is beyond them is counted in the bars at the ends
STEPS = (1, 2, 2.5, 5, 10)  # of axes, times a power of ten


class Bar(NamedTuple):
    """One range of values: place and sizes, and what it says."""

    x: float
    width: float
    height: float  # of all documents
    broken_height: float  # of those that break the rule
    label: str  # the range
    documents: int
    broken: int


class Histogram(NamedTuple):
    bars: list[Bar]
    line: float | None  # where the threshold is
    ticks: list[tuple[float, str]]
    levels: list[tuple[float, str]]  # heights that numbers of documents have: the scale is logarithmic


def histogram(values: np.ndarray, broken: np.ndarray, threshold: float | None, whole: bool) -> Histogram:
    """How values are spread, and those among them that break a rule.

    Ranges are even, or grow by ratio where values do; an edge lies on the threshold. Heights are logarithms of counts,
    since a rule is about the few documents at the end of the many.
    """
    values = values[np.isfinite(values)]
    if not values.size:
        return Histogram([], None, [], [])
    edges, scale = _edges(values, threshold, whole)
    counts, bad = (np.histogram(v.clip(edges[0], edges[-1]), edges)[0] for v in (values, broken))
    tall = np.log10(1 + counts.max())
    heights, bad_heights = (HEIGHT * np.log10(1 + n) / tall for n in (counts, bad))
    at = (scale(edges) - scale(edges[:1])) / (scale(edges[-1:]) - scale(edges[:1])) * 100
    labels = _labels(edges, whole, values.min() < edges[0], values.max() > edges[-1])
    columns = (at[:-1], np.diff(at), heights, bad_heights, labels, counts, bad)
    bars = [Bar(*(c if isinstance(c, str) else c.item() for c in bar)) for bar in zip(*columns, strict=True)]
    levels = [(HEIGHT - HEIGHT * np.log10(1 + n) / tall, f"{n:,}") for n in (1, 10, 100, 1000, 10**4, 10**5, 10**6)]
    place = None if threshold is None else np.interp(threshold, edges, at).item()
    return Histogram(bars, place, _ticks(edges, at, whole), [(y.item(), n) for y, n in levels if y > 0])


def _edges(values: np.ndarray, threshold: float | None, whole: bool):
    """Of the ranges, and the scale they lie on."""
    low, high = np.quantile(values, USUAL)
    positive = values[values > 0]
    least = np.quantile(positive, USUAL[0]) if positive.size > 0.9 * values.size and values.min() >= 0 else 0
    if threshold is not None:
        low, high = min(low, threshold), max(high, threshold)
        least = min(least, threshold) if threshold > 0 else 0
    if whole and high - low < BARS:
        return np.arange(np.floor(low), np.ceil(high) + 2), lambda edges: edges
    if least > 0 and high / least >= WIDE:
        edges, scale = np.geomspace(least, high, BARS + 1), np.log
    else:
        high = high if high > low else low + 1
        edges, scale = np.linspace(low, high, BARS + 1), lambda edges: edges
    if threshold is not None and edges[0] < threshold < edges[-1]:
        edges[1:-1][np.abs(edges[1:-1] - threshold).argmin()] = threshold
    return edges, scale


def _labels(edges: np.ndarray, whole: bool, below: bool, above: bool) -> list[str]:
    """What each range holds, in words."""
    if whole and (np.diff(edges) == 1).all():
        labels = [number(low) for low in edges[:-1]]
    else:
        labels = [f"{number(low)} to {number(high)}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    if below:
        labels[0] = f"under {number(edges[1])}"
    if above:
        labels[-1] = f"{number(edges[-2])} and more"
    return labels


def _ticks(edges: np.ndarray, at: np.ndarray, whole: bool) -> list[tuple[float, str]]:
    """A few round values and where they are, none too near an end for its number to be read."""
    even = at.size < 3 or abs(at[1] - at[0]) < 1e-9 or np.allclose(np.diff(edges[2:-2]), np.diff(edges)[3:4])
    values = round_values(edges[0], edges[-1], 4) if even else [10.0**k for k in range(-6, 13)]
    half = 0.5 if whole and (np.diff(edges) == 1).all() else 0  # a number stands below the middle of its bar
    places = [(np.interp(value + half, edges, at).item(), value) for value in values if edges[0] <= value < edges[-1]]
    return [(place, number(value)) for place, value in places if 2 < place < 98]


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
    return [round(k * step, 12) for k in range(first, int(np.floor(high / step + 1e-9)) + 1)]


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
