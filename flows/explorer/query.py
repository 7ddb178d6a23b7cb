"""Queries: documents by state, reason, source and language from the index, and by text from the shards.

A page begins after the last place of the page before it (a key, not a row count), so the thousandth page costs as much
as the first. A search reads text for up to SEARCH_SECONDS, then returns the place where the next one continues.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.flows.explorer.index import IndexUnit, RunIndex, on_all_cores
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.storage.shards import read_rows

PAGE = 40  # documents
SEARCH_SECONDS = 1.0
HEAD = 280  # characters of a text to show in a list
ALL, KEPT, REMOVED, NEWLY_REMOVED, NEWLY_KEPT = "all", "kept", "removed", "newly-removed", "newly-kept"
STATES = {
    ALL: "All",
    KEPT: "Kept",
    REMOVED: "Removed",
    NEWLY_REMOVED: "Would go",
    NEWLY_KEPT: "Would come back",
}


@dataclass(frozen=True)
class Query:
    """Filters of a query; an empty string means no filter."""

    state: str = ALL
    reason: str = ""  # step.rule or step: documents that it removed
    violates: str = ""  # step.rule: documents that violate it, removed or not
    source: str = ""
    language: str = ""
    text: str = ""  # substring of the text or the id, ignoring case
    changes: tuple[str, ...] = ()  # moved thresholds
    addresses: str = ""  # "shown": e-mail addresses are not masked


class Row(NamedTuple):
    """Document in a list."""

    place: int
    part: str
    row: int
    id: str
    head: str  # more than HEAD characters
    source: str
    language: str
    bytes: int
    reason: str  # "" if kept
    value: float | None
    threshold: float | None


class Page(NamedTuple):
    """Page of a list."""

    rows: list[Row]
    after: int | None  # key of the next page, None for the last page
    searched: int  # shards searched, if the search ran out of time; else 0


def select_rows(index: RunIndex, thresholds: Thresholds, query: Query) -> np.ndarray:
    """Return bool[n], the documents that match all filters except the text."""
    kept = index.kept
    chosen = {
        ALL: lambda: np.ones(index.documents, bool),
        KEPT: lambda: kept,
        REMOVED: lambda: ~kept,
        NEWLY_REMOVED: lambda: kept & ~thresholds.moved(query.changes).after,
        NEWLY_KEPT: lambda: ~kept & thresholds.moved(query.changes).after,
    }[query.state]()
    if query.reason:
        codes = [i for i, (step, rule) in enumerate(index.rules) if query.reason in (step, f"{step}.{rule}")]
        chosen = chosen & np.isin(index.first, codes)
    if query.violates:
        violating = np.zeros(index.documents, bool)
        for (step, rule), places in index.broken.items():
            violating[places] |= query.violates == f"{step}.{rule}"
        chosen = chosen & violating
    for asked, column in (query.source, index.source), (query.language, index.language):
        if asked:
            chosen = chosen & (column.codes == (column.names.index(asked) if asked in column.names else -1))
    return chosen


def find_page(index: RunIndex, thresholds: Thresholds, query: Query, after: int = -1, size: int = PAGE) -> Page:
    """Return up to ``size`` matching documents after the place ``after``."""
    places = after + 1 + np.flatnonzero(select_rows(index, thresholds, query)[after + 1 :])
    if query.text:
        return search(index, places, query.text, size)
    more = int(places[size - 1]) if places.size > size else None
    return Page(rows(index, places[:size]), more, 0)


def sample_rows(index: RunIndex, thresholds: Thresholds, query: Query, size: int) -> list[Row]:
    """Return up to ``size`` matching documents at equal distances."""
    places = np.flatnonzero(select_rows(index, thresholds, query))
    return rows(index, places[np.unique(np.linspace(0, places.size - 1, min(size, places.size)).astype(int))])


def search(index: RunIndex, places: np.ndarray, needle: str, size: int) -> Page:
    """Return the first ``size`` of ``places`` whose text or id contains ``needle``."""
    units, cores, until = index.units(places), os.cpu_count() or 1, time.monotonic() + SEARCH_SECONDS
    pattern, found = f"(?i){pl.escape_regex(needle)}", []
    for i in range(0, len(units), cores):
        some = units[i : i + cores]
        for places in on_all_cores(lambda unit: _holding(index, unit, pattern), some):
            found += places.tolist()
        if len(found) > size:
            return Page(rows(index, np.array(found[:size])), found[size - 1], 0)
        if time.monotonic() > until and i + cores < len(units):
            searched = index.parts.index(some[-1].part) + 1
            return Page(rows(index, np.array(found, np.int64)), int(some[-1].places[-1]), searched)
    return Page(rows(index, np.array(found, np.int64)), None, 0)


def _holding(index: RunIndex, unit: IndexUnit, pattern: str) -> np.ndarray:
    texts = pl.DataFrame(read_rows(index.folder / "documents" / f"{unit.part}.parquet", unit.rows, [ID, TEXT]))
    return unit.places[
        (texts[TEXT].str.contains(pattern) | texts[ID].str.contains(pattern)).fill_null(False).to_numpy()
    ]


def rows(index: RunIndex, places: np.ndarray) -> list[Row]:
    """Return the rows of a list; the documents' shards are read by row groups."""
    return [row for rows in on_all_cores(lambda unit: [*_rows(index, unit)], index.units(places)) for row in rows]


def _rows(index: RunIndex, unit: IndexUnit) -> Iterator[Row]:
    documents = read_rows(index.folder / "documents" / f"{unit.part}.parquet", unit.rows, [ID, TEXT])
    ledger = read_rows(index.folder / "ledger" / f"{unit.part}.parquet", unit.rows, ["value", "threshold"]).to_pylist()
    heads, ids, source, language = _heads(documents[TEXT]), documents[ID].to_pylist(), index.source, index.language
    for place, id, head, why in zip(unit.places.tolist(), ids, heads, ledger, strict=True):
        first = index.first[place]
        reason = "" if first < 0 else ".".join(index.rules[first])
        about = source.names[source.codes[place]], language.names[language.codes[place]], int(index.bytes[place])
        yield Row(place, unit.part, place - unit.start, id, head, *about, reason, **why)


def _heads(text: pa.ChunkedArray) -> list[str]:
    """Return the beginning of each text, with white space as single spaces; the list shows HEAD characters of it."""
    return [" ".join((head or "").split()) for head in pl.Series(text).str.slice(0, 4 * HEAD).to_list()]
