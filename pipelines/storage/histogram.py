"""How the values of a column are spread: numbers in ranges, strings by value, lists by their length."""

import numpy as np
import polars as pl

from gristmill.pipelines.storage.inspect import Table, only, readable

BINS = 20
MANY, LONG = 10_000, 200  # different strings, characters: beyond either, their lengths say more than their values
LOG_SCALE_RATIO = 100  # ratio of the 99th to the 1st percentile from which ranges grow by ratio


def histogram(table: Table, column: str) -> dict:
    """Bars of one column, ``{"value": v, "rows": n}`` or ``{"from": a, "to": b, "rows": n}``.

    ``broken.rule`` is a field of a struct, or of every struct in a list. ``of`` says what was counted: the "value",
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
        found = _ranges(value, kind.is_integer()) if kind.is_numeric() else _counts(value)
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
    return {"rows": rows, "missing": missing, "others": rows - missing - _total(bars), "bars": bars}


def _ranges(value: pl.LazyFrame, whole: bool) -> dict:
    """Few whole numbers one by one; else ranges between the 1st and 99th percentile and one on each side."""
    numbers = value.select(pl.col("value").cast(pl.Float64)).collect(engine="streaming")["value"].to_numpy()
    finite = numbers[np.isfinite(numbers)]
    bars = []
    if finite.size and whole and np.ptp(finite) < BINS:
        values, start = np.bincount((finite - finite.min()).astype(int)), int(finite.min())
        bars = [{"value": start + i, "rows": int(n)} for i, n in enumerate(values)]
    elif finite.size:
        rows, edges = np.histogram(finite, _edges(finite))
        bars = [
            {"from": low, "to": high, "rows": n}
            for low, high, n in zip(edges[:-1].tolist(), edges[1:].tolist(), rows.tolist(), strict=True)
        ]
    return {"rows": numbers.size, "missing": numbers.size - finite.size, "others": 0, "bars": bars}


def _edges(values: np.ndarray) -> np.ndarray:
    """BARS ranges from least to most: equal steps, or equal ratios where the values span more than WIDE."""
    least, low, high, most = np.quantile(values, [0, 0.01, 0.99, 1], method="nearest")
    low, high = (least, most) if low == high else (low, high)
    steps = np.geomspace if low > 0 and high / low >= LOG_SCALE_RATIO else np.linspace
    edges = np.unique([least, *steps(low, high, BINS - 1).clip(least, most), most])
    return edges if edges.size > 1 else np.array([least, least])


def _total(bars: list[dict]) -> int:
    return sum(bar["rows"] for bar in bars)
