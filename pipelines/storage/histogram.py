"""How values are spread: numbers in ranges, strings by value, lists by their length.

``bins`` cuts the axis for every histogram; `gristmill inspect` draws it as text, the report and the explorer as SVG.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl

from gristmill.pipelines.storage.inspect import Table, only, readable

BINS, FEWEST = 20, 12  # FEWEST: of whole numbers beside a threshold
MANY, LONG = 10_000, 200  # different strings, characters: beyond either, their lengths say more than their values
USUAL = (0.01, 0.99)  # quantiles: the axis holds the values between them
LOG_SCALE_RATIO = 100  # ratio of the largest to the smallest usual value from which ranges grow by ratio
MOSTLY = 0.9  # share of the values that must be above zero for that
ROOM = 0.15  # of the axis, beyond a threshold


class Bins(NamedTuple):
    """Ranges of values side by side. Each holds its lower end and not its upper one; the last holds both."""

    edges: np.ndarray  # float64[n + 1], rising
    by_ratio: bool  # the axis goes by the logarithm
    whole: bool  # of whole numbers

    @property
    def single(self) -> bool:
        """True if each bin is one whole number."""
        return self.whole and bool((np.diff(self.edges) == 1).all())

    def rows(self, values: np.ndarray) -> np.ndarray:
        """Return how many values lie in each bin, int64[n]. The first and the last hold all that lies beyond them."""
        return np.histogram(values.clip(self.edges[0], self.edges[-1]), self.edges)[0]

    def at(self, values):
        """Return where values lie on the axis, 0 to 1."""
        scale = np.log if self.by_ratio else np.asarray
        low, high = scale(self.edges[0]), scale(self.edges[-1])
        return (scale(np.clip(values, self.edges[0], self.edges[-1])) - low) / (high - low)


def bins(values: np.ndarray, cuts: Sequence[float], whole: bool, count: int = BINS) -> Bins:
    """Cut an axis for finite values: up to ``count`` bins, equally wide, or growing by ratio where values do.

    ``cuts``, rising, are where thresholds part the values: each is the end of a bin, with room beyond it where there
    are values. Few whole numbers have a bin each. No values make one bin, of 0 to 1 and the cuts.
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
        if most >= LOG_SCALE_RATIO * least:
            edges = _snapped(np.geomspace(least, most, count + 1), cuts)
            if whole:  # no bin lies between two whole numbers
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
    narrow = high - low <= 1e-12 * max(1, abs(low), abs(high))  # too narrow for ends that differ
    return Bins(_snapped(np.linspace(low, low + 1 if narrow else high, count + 1), cuts), False, whole)


def _with_room(values: np.ndarray, first: float, last: float, least: float, most: float) -> tuple[float, float]:
    """Least and most, moved by a ratio where a cut is one of them and there are values beyond it."""
    ratio = (np.log(most) - np.log(least)) * ROOM
    least = np.exp(np.log(least) - ratio) if first <= least and values.min() < first else least
    return least, np.exp(np.log(most) + ratio) if last >= most else most


def _snapped(edges: np.ndarray, cuts: Sequence[float]) -> np.ndarray:
    """The inner edge next to each cut moved onto it."""
    for cut in cuts:
        inner = edges[1:-1]
        if edges[0] < cut < edges[-1]:
            inner[np.abs(inner - cut).argmin()] = cut
    return edges


def histogram(table: Table, column: str) -> dict:
    """Bars of one column, ``{"value": v, "rows": n}`` or ``{"from": a, "to": b, "rows": n}``.

    ``violations.rule`` is a field of a struct, or of every struct in a list. ``of`` says what was counted: the "value",
    the "characters" of long strings, or the "items" of lists. Nulls, NaN and infinities are ``missing``; what the
    bars leave out is ``others``.
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
    """The column, or a field within it, as a frame of one column ``value``; complaints name what was asked for."""
    schema = table.rows.collect_schema()
    if column in schema:
        return table.rows.select(value=pl.col(column))
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
    """Are the strings too many or too long to be shown one by one?"""
    text = pl.col("value")
    asked = value.select(different=text.approx_n_unique(), longest=text.str.len_chars().max())
    different, longest = asked.collect(engine="streaming").row(0)
    return different > MANY or (longest or 0) > LONG


def _counts(value: pl.LazyFrame) -> dict:
    """The most frequent values, equal counts in order of the values."""
    counts = value.group_by(pl.col("value").cast(pl.String)).agg(rows=pl.len()).collect(engine="streaming")
    known = counts.drop_nulls().sort(["rows", "value"], descending=[True, False])
    bars, rows = known.head(BINS).to_dicts(), int(counts["rows"].sum())
    missing = rows - int(known["rows"].sum())
    return {"rows": rows, "missing": missing, "others": rows - missing - sum(bar["rows"] for bar in bars), "bars": bars}


def _numbers(value: pl.LazyFrame, whole: bool) -> dict:
    """Few whole numbers one by one, others in ranges; what lies beyond the axis has a range of its own on each side."""
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
