"""A finished run in memory: a few numbers a document, so that any question of counts is arithmetic on arrays.

Held for each document are its source, language, profile, sizes, how many rules it broke and which was first, and for
each rule the rows that broke it: about 30 bytes, and 4 more a broken rule. A measure is read when it is first asked
for, a column of 8 bytes a document, and the last few stay. Text is never held.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.filters.core.filter import GUESS, LANGUAGE, Filter, provider
from gristmill.filters.core.profiles import NO_PROFILE, profile_of
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import SOURCE
from gristmill.pipelines.storage.shards import group_rows

COLUMNS_KEPT = 24  # of measures: 192 MB for a million documents
CODED = pa.dictionary(pa.int32(), pa.large_string())
Reason = tuple[str, str]  # step, rule


class Names(NamedTuple):
    """A column of strings as codes: document i has ``names[codes[i]]``."""

    names: list[str]
    codes: np.ndarray  # int32[n]

    @classmethod
    def of(cls, columns: list[pa.DictionaryArray]) -> "Names":
        """From the column of each shard, as `_coded` gives it."""
        coded = pa.chunked_array(columns, CODED).unify_dictionaries()
        names = coded.chunk(0).dictionary.to_pylist() if columns else []
        return cls(names, np.concatenate([np.empty(0, np.int32), *(c.indices.to_numpy() for c in coded.chunks)]))


class RunIndex(FinishedRun):
    """The run with its index. Documents are known by their place: 0 … n-1, in the order of shards and rows."""

    def __init__(self, work: UPath):
        """Raises WorkError where the run is unfinished, or was made by no recipe."""
        super().__init__(work)
        self.filters = {name: step for name, step in self.recipe.steps.items() if isinstance(step, Filter)}
        self._columns, self._lock = OrderedDict(), Lock()
        self._read_ledger()
        self._read_languages()

    def _read_ledger(self) -> None:
        names = ["step", "rule", "bytes", "clean_bytes", SOURCE, "reasons"]
        shards = self.over_parts(lambda part: _ledger(self.ledger(part, names)))
        self.starts = np.concatenate(([0], np.cumsum([len(shard.breaks) for shard in shards], dtype=np.int64)))
        self.documents = int(self.starts[-1])
        groups = self.over_parts(lambda part: group_rows(self.folder / "documents" / f"{part}.parquet"))
        self.groups = np.cumsum(np.array([rows for part in groups for rows in part], np.int64))  # where each ends
        self.bytes, self.clean_bytes = (
            np.concatenate([np.empty(0, np.int64), *(getattr(shard, name) for shard in shards)])
            for name in ("bytes", "clean_bytes")
        )
        self.source = Names.of([shard.source for shard in shards])
        self.breaks = np.concatenate([np.empty(0, np.uint16), *(shard.breaks for shard in shards)])
        found = {}
        for start, shard in zip(self.starts, shards, strict=False):
            for rule, rows in shard.rows.items():
                found.setdefault(rule, []).append(rows + np.int32(start))
        order = {name: i for i, name in enumerate(self.recipe.steps)}
        self.broken: dict[Reason, np.ndarray] = {  # the documents that broke each rule, removed by it or not
            rule: np.concatenate(found[rule]) for rule in sorted(found, key=lambda rule: (order[rule[0]], rule[1]))
        }
        self.rules = [*self.broken]
        code = {rule: i for i, rule in enumerate(self.rules)}
        self.first = np.full(self.documents, -1, np.int16)  # of ``rules``: the one that removed it; -1 for kept
        for start, shard in zip(self.starts, shards, strict=False):
            for rule, rows in shard.first.items():
                self.first[rows + start] = code[rule]

    def _read_languages(self) -> None:
        n = self.documents
        self.language, self.profile = Names([""], np.zeros(n, np.int32)), Names([NO_PROFILE], np.zeros(n, np.int32))
        step = provider(self.recipe.steps, LANGUAGE)
        if step is None or not n:
            return
        says = self.recipe.steps[step].PROVIDES
        names = [says.get(GUESS, says[LANGUAGE]), says[LANGUAGE]]
        labels = self.over_parts(lambda part: [*map(_coded, self.measures(step, part, names))])
        self.language, sure = (Names.of([*columns]) for columns in zip(*labels, strict=True))
        names, codes = np.unique(profile_of(np.array(sure.names)).astype(str), return_inverse=True)
        self.profile = Names(names.tolist(), codes.astype(np.int32)[sure.codes])

    @property
    def kept(self) -> np.ndarray:
        return self.breaks == 0

    def over_parts(self, work: Callable[[str], object]) -> list:
        """``work`` of each shard's name, in order."""
        return on_all_cores(work, self.parts)

    def column(self, step: str, measure: str) -> np.ndarray:
        """One measure of every document, float64[n]."""
        key = step, measure
        with self._lock:  # one reader: a slider asks again before the first answer is there
            if key not in self._columns:
                read = self.over_parts(lambda part: self.measures(step, part, [measure])[measure].cast(pl.Float64))
                self._columns[key] = np.concatenate([np.empty(0), *(values.to_numpy() for values in read)])
            self._columns.move_to_end(key)
            while len(self._columns) > COLUMNS_KEPT:
                self._columns.popitem(last=False)
            return self._columns[key]

    def strings(self, step: str, measure: str) -> pl.Series:
        """A measure that is no number: the language a document has, the model that spoke of it."""
        return pl.concat(self.over_parts(lambda part: self.measures(step, part, [measure])[measure]))

    def place(self, part: str, row: int) -> int:
        """Raises WorkError where there is no such document."""
        if part not in self.parts:
            raise WorkError(f"there is no shard {part!r} in {self.folder}")
        i = self.parts.index(part)
        if not 0 <= row < self.starts[i + 1] - self.starts[i]:
            raise WorkError(f"{part} has {self.starts[i + 1] - self.starts[i]:,} documents, none is number {row}")
        return int(self.starts[i]) + row

    def units(self, places: np.ndarray) -> list["IndexUnit"]:
        """Places in rising order, cut where a row group of the documents ends: what is decoded together."""
        of = np.searchsorted(self.groups, places, side="right")
        cuts = np.split(places, np.flatnonzero(np.diff(of)) + 1) if places.size else []
        shards = [int(np.searchsorted(self.starts, cut[0], side="right")) - 1 for cut in cuts]
        return [IndexUnit(self.parts[i], int(self.starts[i]), cut) for i, cut in zip(shards, cuts, strict=True)]


class IndexUnit(NamedTuple):
    """Some documents of one row group."""

    part: str
    start: int  # place of the shard's first document
    places: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        return self.places - self.start


def on_all_cores(work: Callable, items: list) -> list:
    """``work`` of each item, in order, in threads: Arrow lets the others run while it decodes."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [*pool.map(work, items)]


class _Shard(NamedTuple):
    source: pa.DictionaryArray
    bytes: np.ndarray
    clean_bytes: np.ndarray
    breaks: np.ndarray  # uint16[rows]: how many rules each broke
    rows: dict[Reason, np.ndarray]  # int32: the rows that broke each rule
    first: dict[Reason, np.ndarray]  # those that it removed


def _ledger(frame: pl.DataFrame) -> _Shard:
    reasons = frame["reasons"]
    counts = reasons.list.len().to_numpy().astype(np.uint16)
    every = reasons.explode(empty_as_null=False).struct.unnest()
    rows = np.repeat(np.arange(counts.size, dtype=np.int32), counts)
    first = np.flatnonzero(counts).astype(np.int32)
    return _Shard(
        _coded(frame[SOURCE]),
        frame["bytes"].to_numpy(),
        frame["clean_bytes"].to_numpy(),
        counts,
        _by_rule(every.select("step", "rule"), rows),
        _by_rule(frame.select("step", "rule").filter(pl.Series(counts > 0)), first),
    )


def _coded(column: pl.Series) -> pa.DictionaryArray:
    return column.fill_null("").to_arrow().cast(pa.large_string()).dictionary_encode()


def _by_rule(rules: pl.DataFrame, rows: np.ndarray) -> dict[Reason, np.ndarray]:
    grouped = rules.with_columns(row=rows).group_by("step", "rule").agg("row")
    return {(step, rule): np.sort(found.to_numpy()) for step, rule, found in zip(*grouped, strict=True)}
