"""The corpus as steps that must see all of it see it: documents numbered through all shards."""

import copy
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import polars as pl
import pyarrow as pa
from upath import UPath

from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import TEXT
from gristmill.pipelines.steps.spans import apply_spans
from gristmill.pipelines.storage.shards import count_rows, group_rows, groups_of, list_shards, read_group, read_shard

KeepMasks = Callable[[str, int], np.ndarray]  # (part, rows) -> bool[rows]: which documents the steps before left


class Corpus:
    """Where the documents' shards lie, what was measured of them, which of them are looked at, and their text."""

    def __init__(
        self,
        documents: UPath,
        measures: UPath,
        parts: list[str],
        stays: KeepMasks,
        rewritten: Sequence[UPath] = (),
        made: UPath | None = None,
    ):
        self.documents, self.measures, self.parts, self.stays = documents, measures, sorted(parts), stays
        self.made = made or measures.parent  # the folder that holds those of the step's stages
        self.old: list[str] = []  # shards of other corpora, numbered behind the own: they stay, whatever is found
        self.rewritten = list(rewritten)  # folders of spans, in the order they were cut
        self.places = {part: (documents / f"{part}.parquet", measures / f"{part}.parquet") for part in self.parts}
        self._number()

    def beside(self, others: list[tuple[UPath, UPath]]) -> "Corpus":
        """This corpus with others, given by their folders of documents and measures, behind it."""
        joined = copy.copy(self)
        for k, (documents, measures) in enumerate(others):
            shards = {f"{k}/{path.stem}": (path, measures / path.name) for path in list_shards(documents)}
            joined.places, joined.old = joined.places | shards, joined.old + list(shards)
        joined.stays = lambda part, rows: np.ones(rows, np.bool_) if part in joined.old else self.stays(part, rows)
        joined._number()
        return joined

    def only(self, part: str) -> "Corpus":
        """One shard of it, its documents numbered as before: all that a job over that shard has to be sent."""
        one = copy.copy(self)
        one.parts, one.old = [part], []
        one.places = {part: self.places[part]}
        one.first, one.rows = {part: self.first[part]}, {part: self.rows[part]}
        return one

    def _number(self) -> None:
        rows = [count_rows(self._shard(part)) for part in self.every]
        self.first = dict(zip(self.every, np.concatenate(([0], np.cumsum(rows)))[:-1].tolist(), strict=True))
        self.rows = dict(zip(self.every, rows, strict=True))

    @property
    def every(self) -> list[str]:
        """The shards to look at: the own ones, then the old."""
        return self.parts + self.old

    @property
    def own(self) -> int:
        """How many documents are judged; old ones have this number and above."""
        return sum(self.rows[part] for part in self.parts)

    def _shard(self, part: str) -> UPath:
        return self.places[part][0]

    def measured(self, part: str, columns: list[str]) -> pa.Table:
        return read_shard(self.places[part][1], columns)

    def rows_of(self, part: str, numbers: np.ndarray) -> np.ndarray:
        """Which of the ascending document numbers lie in the part, as rows of it."""
        begin, end = np.searchsorted(numbers, (self.first[part], self.first[part] + self.rows[part]))
        return numbers[begin:end] - self.first[part]

    def columns(self, part: str, names: list[str], rows: np.ndarray) -> pl.DataFrame:
        return pl.DataFrame(read_shard(self._shard(part), names).take(rows))

    def texts(self, part: str, rows: np.ndarray) -> Iterator[Ragged]:
        """The text of ascending rows, as the steps before left it, by the row groups that hold them."""
        for piece in self.pieces(part, rows):
            yield piece()

    def pieces(self, part: str, rows: np.ndarray) -> Iterator[Callable[[], Ragged]]:
        """The same, each still to be read: threads may do it."""
        spans = [] if part in self.old else [read_shard(folder / f"{part}.parquet") for folder in self.rewritten]
        for group, first, mine in groups_of(group_rows(self._shard(part)), rows):
            yield partial(self._text, part, group, mine, spans, first)

    def _text(self, part: str, group: int, rows: np.ndarray, spans: list[pa.Table], first: int) -> Ragged:
        table = read_group(self._shard(part), group, [TEXT])
        if not spans:
            return Ragged.from_text(table[TEXT].take(rows))
        text = apply_spans(Ragged.from_text(table[TEXT]), spans, first)
        return Ragged.from_text(text.to_text().take(pa.array(rows)))
