"""Histograms: numbers in ranges, strings by value, lists by their length.

``bins`` divides the axis of every histogram; `gristmill inspect` draws text, the report and the explorer draw SVG.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from polars.selectors import by_name

from gristmill.pipelines.storage.inspect import Table, only, readable

BINS, FEWEST = 20, 12  # FEWEST: least number of bins of whole numbers with a threshold
MANY, LONG = 10_000, 200  # distinct strings, characters per string; beyond either, lengths are counted
USUAL = (0.01, 0.99)  # quantiles between which values lie on the axis
LOG_SCALE_RATIO = 100  # least ratio of the USUAL quantiles for a logarithmic axis
MOSTLY = 0.9  # least share of positive values for a logarithmic axis
ROOM = 0.15  # share of the axis beyond a threshold


class Bins(NamedTuple):
    """Adjacent ranges of values. Each contains its lower edge but not its upper edge; the last contains both."""

    edges: np.ndarray  # float64[n + 1], rising
    by_ratio: bool  # the axis is logarithmic
    whole: bool  # of whole numbers

    @property
    def single(self) -> bool:
        """True if each bin is one whole number."""
        return self.whole and bool((np.diff(self.edges) == 1).all())

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Count the values in each bin, int64[n]. The first and the last bin include all values beyond them."""
        return np.histogram(values.clip(self.edges[0], self.edges[-1]), self.edges)[0]

    def at(self, values):
        """Return the positions of values on the axis, 0 to 1."""
        scale = np.log if self.by_ratio else np.asarray
        low, high = scale(self.edges[0]), scale(self.edges[-1])
        return (scale(np.clip(values, self.edges[0], self.edges[-1])) - low) / (high - low)


def bins(values: np.ndarray, cuts: Sequence[float], whole: bool, count: int = BINS) -> Bins:
    """Divide an axis of finite values into up to ``count`` bins of equal width; the axis may be logarithmic.

    ``cuts``, in ascending order, are thresholds. Each becomes an edge, with room beyond it if values lie there. Few
    whole numbers get one bin each. Without values there is one bin from 0 to 1, extended to the cuts.
    """
    if not values.size:
        return Bins(np.array([min([0.0, *cuts]), max([1.0, *cuts])]), False, whole)
    low, high = np.quantile(values, USUAL)
    positive = values[values > 0]
    above = min(cuts, default=1) >= 1 if whole else min(cuts, default=1) > 0
    by_ratio = above and positive.size > MOSTLY * values.size and values.min() >= 0
    least = np.quantile(positive, USUAL[0]) if by_ratio else 0
    first, last = (cuts[0], cuts[-1]) if cuts else (high, low)
    if by_ratio and (not whole or high >= count):
        least, most = _with_room(values, first, last, min(least, first), max(high, last, least))
        if most >= LOG_SCALE_RATIO * least and least >= np.finfo(float).tiny:  # smaller numbers have few digits
            edges = _snapped(np.geomspace(least, most, count + 1), cuts)
            if whole:  # edges are whole numbers too
                edges = np.unique(np.ceil([max(1, np.floor(least)), *edges[1:]]))
            return Bins(edges, True, whole)
    if cuts:
        room = ROOM * ((max(high, last) - min(low, first)) or 1)
        low, high = min(low, first - room if values.min() < first else first), max(high, last + room)
        low = max(low, min(values.min(), first))
        high = min(high, values.max()) if values.max() > last else high
    if whole and high - low < count:
        fewest = FEWEST if cuts else 1
        return Bins(np.arange(np.floor(low), max(np.ceil(high) + 2, np.floor(low) + fewest + 1)), False, True)
    narrow = high - low <= 1e-12 * max(1, abs(low), abs(high))  # too narrow for distinct edges
    return Bins(_snapped(np.linspace(low, low + 1 if narrow else high, count + 1), cuts), False, whole)


def _with_room(values: np.ndarray, first: float, last: float, least: float, most: float) -> tuple[float, float]:
    """Return least and most, moved outward by a ratio if a cut lies there and values lie beyond it."""
    ratio = (np.log(most) - np.log(least)) * ROOM
    least = np.exp(np.log(least) - ratio) if first <= least and values.min() < first else least
    return least, np.exp(np.log(most) + ratio) if last >= most else most


def _snapped(edges: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """Move the inner edge nearest to each cut onto it."""
    for cut in cuts:
        inner = edges[1:-1]
        if edges[0] < cut < edges[-1]:
            inner[np.abs(inner - cut).argmin()] = cut
    return edges


def histogram(table: Table, column: str) -> dict:
    """Count the rows per value or range of one column: bars ``{"value", "rows"}`` or ``{"from", "to", "rows"}``.

    ``violations.rule`` is a field of a struct, or of every struct in a list. ``of`` names the counted quantity:
    "value", "characters" of long strings, or "items" of lists. ``missing`` counts nulls, NaN and infinities;
    ``others`` counts rows outside the bars.
    """
    with readable(table.path):
        value = _values(table, column, column)
        kind, of = value.collect_schema()["value"], "value"
        if isinstance(kind, pl.List | pl.Array):
            to_list = pl.col("value").cast(pl.List(kind.inner))
            value, of = value.select(to_list.list.len()), "items"
        elif kind == pl.String and _are_texts(value):
            value, of = value.select(pl.col("value").str.len_chars()), "characters"
        kind = value.collect_schema()["value"]
        found = _numbers(value, kind.is_integer()) if kind.is_numeric() else _counts(value)
    return {"column": column, "of": of} | found


def _values(table: Table, column: str, asked: str) -> pl.LazyFrame:
    """Return the column, or a field in it, as a column ``value``; errors name the column ``asked`` by the user."""
    schema = table.rows.collect_schema()
    if column in schema:
        return table.rows.select(value=by_name(column))
    outer, dot, field = column.rpartition(".")
    if not dot:
        only(table, [asked], "--histogram")
    frame = _values(table, outer, asked)
    kind = frame.collect_schema()["value"]
    if isinstance(kind, pl.List):
        frame, kind = frame.explode("value", empty_as_null=False), kind.inner
    if not isinstance(kind, pl.Struct) or field not in {f.name for f in kind.fields}:
        only(table, [asked], "--histogram")
    return frame.select(value=pl.col("value").struct.field(field))


def _are_texts(value: pl.LazyFrame) -> bool:
    """True if there are too many strings, or too long ones, for a bar per value."""
    text = pl.col("value")
    asked = value.select(different=text.approx_n_unique(), longest=text.str.len_chars().max())
    different, longest = asked.collect(engine="streaming").row(0)
    return different > MANY or (longest or 0) > LONG


def _counts(value: pl.LazyFrame) -> dict:
    """Return the most frequent values; ties in order of the values."""
    counts = value.group_by(pl.col("value").cast(pl.String)).agg(rows=pl.len()).collect(engine="streaming")
    known = counts.drop_nulls().sort(["rows", "value"], descending=[True, False])
    bars, rows = known.head(BINS).to_dicts(), int(counts["rows"].sum())
    missing = rows - int(known["rows"].sum())
    return {"rows": rows, "missing": missing, "others": rows - missing - sum(bar["rows"] for bar in bars), "bars": bars}


def _numbers(value: pl.LazyFrame, whole: bool) -> dict:
    """Return a bar per value for few whole numbers, else ranges, with one more range beyond each end of the axis."""
    numbers = value.select(pl.col("value").cast(pl.Float64)).collect(engine="streaming")["value"].to_numpy()
    finite, bars = numbers[np.isfinite(numbers)], []
    if finite.size and finite.min() == finite.max():
        bars = [{"value": int(finite[0]) if whole else float(finite[0]), "rows": finite.size}]
    elif finite.size:
        axis = bins(finite, [], whole)
        edges = np.unique([*axis.edges, finite.min(), finite.max() + axis.single])
        ends, rows = pairwise(edges.tolist()), np.histogram(finite, edges)[0].tolist()
        bars = [
            {"value": int(low), "rows": n} if axis.single and high == low + 1 else {"from": low, "to": high, "rows": n}
            for (low, high), n in zip(ends, rows, strict=True)
        ]
    return {"rows": numbers.size, "missing": numbers.size - finite.size, "others": 0, "bars": bars}
