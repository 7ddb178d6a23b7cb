"""Index of a finished run in memory: a few numbers per document, so that counts are arithmetic on arrays.

It holds each document's source, language, profile, sizes, number of violations and first violated rule, and for each
rule the documents that violate it: about 30 bytes per document and 4 per violation. A measure is read on first use, 8
bytes per document, and the last COLUMNS_KEPT are cached. Text is never held.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import NamedTuple, cast

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.filters.core.filter import GUESS, LANGUAGE, Filter, own_profiles, provider
from gristmill.filters.core.profiles import NO_PROFILE, profile_of
from gristmill.filters.langid.labels import UNKNOWN
from gristmill.flows.runs.finished import FinishedRun
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import SOURCE
from gristmill.pipelines.storage.shards import group_rows

COLUMNS_KEPT = 24  # measures to cache: 192 MB for a million documents
CODED = pa.dictionary(pa.int32(), pa.large_string())
Reason = tuple[str, str]  # step, rule


class Names(NamedTuple):
    """Column of strings as codes: document i has ``names[codes[i]]``."""

    names: list[str]
    codes: np.ndarray  # int32[n]

    @classmethod
    def from_shards(cls, columns: list[pa.DictionaryArray]) -> "Names":
        """Join the columns of all shards, each as `_coded` returns it."""
        coded = pa.chunked_array(columns, CODED).unify_dictionaries()
        names = coded.chunk(0).dictionary.to_pylist() if columns else []
        return cls(names, np.concatenate([np.empty(0, np.int32), *(c.indices.to_numpy() for c in coded.chunks)]))


class RunIndex(FinishedRun):
    """Run with its index. A document's place is its number, 0 to n-1, in the order of shards and rows."""

    def __init__(self, work: UPath):
        """Read the index; raise WorkError if the run is unfinished or has no recipe."""
        super().__init__(work)
        self.filters = {name: step for name, step in self.recipe.steps.items() if isinstance(step, Filter)}
        self._columns: OrderedDict[Reason, np.ndarray] = OrderedDict()
        self._lock = Lock()
        self._read_ledger()
        self._read_languages()

    def _read_ledger(self) -> None:
        names = ["step", "rule", "bytes", "clean_bytes", SOURCE, "violations"]
        shards = self.over_parts(lambda part: _ledger(self.ledger(part, names)))
        self.starts = np.concatenate(([0], np.cumsum([len(shard.breaks) for shard in shards], dtype=np.int64)))
        self.documents = int(self.starts[-1])
        groups = self.over_parts(lambda part: group_rows(self.folder / "documents" / f"{part}.parquet"))
        self.groups = np.cumsum(np.array([rows for part in groups for rows in part], np.int64))  # where each ends
        self.bytes, self.clean_bytes = (
            np.concatenate([np.empty(0, np.int64), *(getattr(shard, name) for shard in shards)])
            for name in ("bytes", "clean_bytes")
        )
        self.source = Names.from_shards([shard.source for shard in shards])
        self.breaks = np.concatenate([np.empty(0, np.uint16), *(shard.breaks for shard in shards)])
        found: dict[Reason, list[np.ndarray]] = {}
        for start, shard in zip(self.starts, shards, strict=False):
            for rule, rows in shard.rows.items():
                found.setdefault(rule, []).append(rows + np.int32(start))
        order = {name: i for i, name in enumerate(self.recipe.steps)}
        self.broken: dict[Reason, np.ndarray] = {  # documents that violate each rule, removed by it or not
            rule: np.concatenate(found[rule]) for rule in sorted(found, key=lambda rule: (order[rule[0]], rule[1]))
        }
        self.rules = [*self.broken]
        code = {rule: i for i, rule in enumerate(self.rules)}
        self.first = np.full(self.documents, -1, np.int16)  # index into ``rules`` of the removing one; -1 if kept
        for start, shard in zip(self.starts, shards, strict=False):
            for rule, rows in shard.first.items():
                self.first[rows + start] = code[rule]

    def _read_languages(self) -> None:
        n = self.documents
        self.language, self.profile = Names([""], np.zeros(n, np.int32)), Names([NO_PROFILE], np.zeros(n, np.int32))
        step = provider(self.recipe.steps, LANGUAGE)
        if step is None or not n:
            return
        labels = self.over_parts(lambda part: [*map(_coded, self._labels(part))])
        self.language, sure = (Names.from_shards([*columns]) for columns in zip(*labels, strict=True))
        names, codes = np.unique(
            profile_of(np.array(sure.names), own_profiles(self.recipe.steps)).astype(str), return_inverse=True
        )
        self.profile = Names(names.tolist(), codes.astype(np.int32)[sure.codes])

    def _labels(self, part: str) -> tuple[pl.Series, pl.Series]:
        """Return the languages of a shard's documents to show, with guesses for the unsure ones, and the sure ones."""
        sure, guess = cast(pl.Series, self.languages(part)), provider(self.recipe.steps, GUESS)
        if guess is None:
            return sure, sure
        column = self.recipe.steps[guess].PROVIDES[GUESS]
        return sure.zip_with(sure != UNKNOWN, self.measures(guess, part, [column])[column]), sure

    @property
    def kept(self) -> np.ndarray:
        return self.breaks == 0

    def over_parts(self, work: Callable[[str], object]) -> list:
        """Return ``work(part)`` for each shard, in order."""
        return on_all_cores(work, self.parts)

    def column(self, step: str, measure: str) -> np.ndarray:
        """Return one measure of all documents, float64[n]."""
        key = step, measure
        with self._lock:  # one reader: a slider sends its next request before the first response
            if key not in self._columns:
                read = self.over_parts(lambda part: self.measures(step, part, [measure])[measure].cast(pl.Float64))
                self._columns[key] = np.concatenate([np.empty(0), *(values.to_numpy() for values in read)])
            self._columns.move_to_end(key)
            while len(self._columns) > COLUMNS_KEPT:
                self._columns.popitem(last=False)
            return self._columns[key]

    def strings(self, step: str, measure: str) -> pl.Series:
        """Return a measure of strings for all documents, such as the language."""
        return pl.concat(self.over_parts(lambda part: self.measures(step, part, [measure])[measure]))

    def place(self, part: str, row: int) -> int:
        """Return a document's place; raise WorkError if it does not exist."""
        if part not in self.parts:
            raise WorkError(f"{self.folder} has no shard {part!r}")
        i = self.parts.index(part)
        if not 0 <= row < self.starts[i + 1] - self.starts[i]:
            raise WorkError(f"{part} has {self.starts[i + 1] - self.starts[i]:,} documents, found row {row}")
        return int(self.starts[i]) + row

    def units(self, places: np.ndarray) -> list["IndexUnit"]:
        """Split ascending places at the row groups of the documents' shards, which are decoded as a whole."""
        of = np.searchsorted(self.groups, places, side="right")
        cuts = np.split(places, np.flatnonzero(np.diff(of)) + 1) if places.size else []
        shards = [int(np.searchsorted(self.starts, cut[0], side="right")) - 1 for cut in cuts]
        return [IndexUnit(self.parts[i], int(self.starts[i]), cut) for i, cut in zip(shards, cuts, strict=True)]


class IndexUnit(NamedTuple):
    """Documents of one row group."""

    part: str
    start: int  # place of the first document of the shard
    places: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        return self.places - self.start


def on_all_cores(work: Callable, items: list) -> list:
    """Return ``work(item)`` for each item, in order; threads help, since Arrow releases the GIL while it decodes."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [*pool.map(work, items)]


class _Shard(NamedTuple):
    source: pa.DictionaryArray
    bytes: np.ndarray
    clean_bytes: np.ndarray
    breaks: np.ndarray  # uint16[rows]: number of violations
    rows: dict[Reason, np.ndarray]  # int32: rows that violate each rule
    first: dict[Reason, np.ndarray]  # int32: rows that each rule removed


def _ledger(frame: pl.DataFrame) -> _Shard:
    reasons = frame["violations"]
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
