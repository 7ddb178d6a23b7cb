"""How a measure is spread over the documents, as a slider for its threshold needs it."""

from typing import NamedTuple

import numpy as np

BINS = 60
LOG_SCALE_RATIO = 50  # largest value from which the axis is one of logarithms
TAIL = 0.002  # share of the documents at either end that may lie beyond the axis


class Spread(NamedTuple):
    """Bars side by side; the first and the last hold all that lies beyond them."""

    logarithmic: bool  # the axis goes by log(1 + value)
    edges: list[float]  # one more than bars
    counts: list[int]
    step: float  # by which a slider moves

    def at(self, value: float) -> float:
        """Where a value lies on the axis: 0 to 1."""
        low, high, here = (np.log1p(v) if self.logarithmic else v for v in (self.edges[0], self.edges[-1], value))
        return float(np.clip((here - low) / (high - low), 0, 1))


def spread(values: np.ndarray, threshold: float | None) -> Spread:
    """Values float64[n], NaN left out. The axis holds the threshold, if there is one; no values make an axis 0 to 1."""
    values = values[np.isfinite(values)]
    ends = np.quantile(values, [TAIL, 1 - TAIL]) if values.size else np.array([0.0, 1.0])
    ends = np.append(ends, [] if threshold is None else threshold)
    low, high = min(0.0, float(ends.min())), float(ends.max())
    whole = bool(values.size and (values == np.round(values)).all())
    if high - low <= 1e-12 * max(1.0, abs(low), abs(high)):  # too narrow for bars with a difference between them
        high = low + 1
    logarithmic = False
    if whole and high - low < BINS:
        edges = np.arange(np.floor(low), np.ceil(high) + 2) - 0.5  # a bar for each number, in its middle
    elif logarithmic := low == 0 and high >= LOG_SCALE_RATIO:
        edges = np.expm1(np.linspace(0, np.log1p(high * 1.05), BINS + 1))
    else:
        edges = np.linspace(low, high + (high - low) * 0.05, BINS + 1)
    counts, _ = np.histogram(values.clip(edges[0], edges[-1]), edges)
    step = 1.0 if whole else 10 ** np.floor(np.log10((high - low) / 100))
    return Spread(logarithmic, edges.tolist(), counts.tolist(), float(step))
