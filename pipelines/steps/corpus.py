"""Corpus as steps see it that need all of it: documents numbered through all shards."""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.steps.spans import apply_spans, spans_of_rows
from gristmill.pipelines.storage.shards import (
    count_rows,
    group_rows,
    groups_of,
    list_shards,
    read_group,
    read_shard,
    shard_schema,
)

KeepMask = Callable[[str, int], np.ndarray]  # (shard, rows) -> bool[rows]: documents that the steps before kept


class Corpus:
    """Shards of documents and of one step's measures, a mask of the documents to look at, and their text.

    Documents are numbered through the sorted shards; ``first`` and ``rows`` have each shard's first number and size.
    Documents of indices have the highest numbers.
    """

    def __init__(
        self,
        documents: UPath,
        measures: UPath,
        parts: list[str],
        keep_mask: KeepMask,
        rewritten: Sequence[UPath] = (),
        stage_folder: UPath | None = None,
    ):
        self.documents, self.measures, self.parts, self.keep_mask = documents, measures, sorted(parts), keep_mask
        self.stage_folder = stage_folder or measures.parent  # holds the folders of the step's stages
        self.index_shards: list[str] = []  # all their documents are kept
        self.rewritten = list(rewritten)  # folders of spans, in the order they were cut
        self.paths = {part: (documents / f"{part}.parquet", measures / f"{part}.parquet") for part in self.parts}
        self._number()

    def with_indices(self, indices: list[tuple[UPath, UPath]]) -> "Corpus":
        """Return this corpus followed by indices, which are folders of documents and of measures.

        Raises WorkError if an index has other columns of measures than the corpus.
        """
        joined = copy.copy(self)
        for k, (documents, measures) in enumerate(indices):
            self._check_columns(measures)
            shards = {f"{k}/{path.stem}": (path, measures / path.name) for path in list_shards(documents)}
            joined.paths, joined.index_shards = joined.paths | shards, joined.index_shards + list(shards)
        own = self.keep_mask
        joined.keep_mask = lambda part, rows: (
            np.ones(rows, np.bool_) if part in joined.index_shards else own(part, rows)
        )
        joined._number()
        return joined

    def _check_columns(self, measures: UPath) -> None:
        """Raise WorkError if a folder's shards have other columns of measures than the corpus."""
        for own in self.parts[:1]:
            expected = {field.name: str(field.type) for field in shard_schema(self.paths[own][1])}
            for path in list_shards(measures):
                found = {field.name: str(field.type) for field in shard_schema(path)}
                if found != expected:
                    raise WorkError(f"{path}: found the columns {found}, expected {expected}; make the index anew")

    def shard(self, part: str) -> "Corpus":
        """Return the corpus of one shard, documents numbered as before: all that a job over it has to be sent."""
        one = copy.copy(self)
        one.parts, one.index_shards, one.paths = [part], [], {part: self.paths[part]}
        one.first, one.rows = {part: self.first[part]}, {part: self.rows[part]}
        return one

    def _number(self) -> None:
        rows = [count_rows(self.paths[part][0]) for part in self.shards]
        self.first = dict(zip(self.shards, np.concatenate(([0], np.cumsum(rows)))[:-1].tolist(), strict=True))
        self.rows = dict(zip(self.shards, rows, strict=True))

    @property
    def shards(self) -> list[str]:
        """Names of the corpus's own shards, then of those of indices."""
        return self.parts + self.index_shards

    @property
    def n_documents(self) -> int:
        """Number of documents to decide on; documents of indices have this number and above."""
        return sum(self.rows[part] for part in self.parts)

    def measured(self, part: str, columns: list[str]) -> pa.Table:
        """Read columns of a shard's measures."""
        return read_shard(self.paths[part][1], columns)

    def rows_of(self, part: str, numbers: np.ndarray) -> np.ndarray:
        """Return the rows of a shard's documents among ascending document numbers."""
        begin, end = np.searchsorted(numbers, (self.first[part], self.first[part] + self.rows[part]))
        return numbers[begin:end] - self.first[part]

    def columns(self, part: str, names: list[str], rows: np.ndarray) -> pl.DataFrame:
        """Read columns of some of a shard's documents."""
        return pl.DataFrame(read_shard(self.paths[part][0], names).take(rows))

    def texts(self, part: str, rows: np.ndarray) -> Iterator[Ragged]:
        """Yield the text of ascending rows, as the steps before left it, by row group."""
        for read in self.text_readers(part, rows):
            yield read()

    def text_readers(self, part: str, rows: np.ndarray) -> Iterator[Callable[[], Ragged]]:
        """Yield for each row group a function that reads its text: threads may call it."""
        spans = [] if part in self.index_shards else [read_shard(f / f"{part}.parquet") for f in self.rewritten]
        for group, first, mine in groups_of(group_rows(self.paths[part][0]), rows):
            yield partial(self._text, part, group, mine, spans, first)

    def _text(self, part: str, group: int, rows: np.ndarray, spans: list[pa.Table], first: int) -> Ragged:
        text = read_group(self.paths[part][0], group, [TEXT])[TEXT]
        if rows.size == len(text):
            return apply_spans(Ragged.from_text(text), spans, first)
        taken = Ragged.from_text(text.take(pa.array(rows)))
        return apply_spans(taken, [spans_of_rows(each, first + rows) for each in spans], 0)
