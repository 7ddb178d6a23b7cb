"""Count the words of a corpus once, for any number of vocabularies: what trainers learn from.

A word is a piece as a split cuts it (tokenizers_lab/split). The table is sorted by the words' bytes, so it depends on
the corpus and the split alone: not on shards, their order or the workers. It is saved as Parquet and read again.
"""

import heapq
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.kernels.gather import gather_rows
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import atomic_write, to_path
from gristmill.tokenizers_lab.count.hash_table import (
    SLOT,
    count_pieces,
    first_eight,
    merge_sorted,
    move,
    sort_ties,
    unload,
)
from gristmill.tokenizers_lab.pretokenize import DROPS_SPACE, pretokenize

MEMORY_BYTES = 1 << 30
FIRST_SLOTS = 1 << 16
BLOCK_ROWS = 1 << 16  # words in a row group
SCHEMA = pa.schema([("piece", pa.large_binary()), ("count", pa.int64())])


class WordCounts(NamedTuple):
    """Unique words and how often each occurs: sorted by bytes, counts above 0."""

    words: Ragged
    counts: np.ndarray  # int64[m]

    @classmethod
    def of(cls, counts: dict[str | bytes, int]) -> "WordCounts":
        """From a dict, in its order: for small tables and tests."""
        return cls(Ragged.from_strings([*counts]), np.array([*counts.values()], np.int64))

    def save(self, path: str | Path | UPath, split: str) -> None:
        """Write the table and the split's name as Parquet (``piece`` binary, ``count`` int64), whole or not at all."""
        words = self.words.to_text().view(pa.large_binary())
        table = pa.table([words, pa.array(self.counts)], SCHEMA.with_metadata({"split": split}))
        with atomic_write(to_path(path)) as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=False, row_group_size=BLOCK_ROWS)

    @classmethod
    def load(cls, path: str | Path | UPath) -> tuple["WordCounts", str]:
        """A saved table and its split. Raises WorkError where the file is none or is damaged."""
        try:
            with to_path(path).open("rb") as file:
                table = pq.read_table(pa.PythonFile(file, mode="r"), use_threads=False)
            split = (table.schema.metadata or {})[b"split"].decode()
            words = table["piece"].combine_chunks().cast(pa.large_binary())
            counts = table["count"].to_numpy().astype(np.int64)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise WorkError(f"{path} is no table of word counts ({error}); count the corpus again") from error
        counts.flags.writeable = False
        return cls(Ragged.from_text(words.view(pa.large_string())), counts), split


class Counter:
    """Counts the words of text as it comes; above ``memory_bytes`` it writes what it has as a sorted run to disk.

    The runs are merged at the end, so the result must fit into memory, as it must for training.
    """

    def __init__(self, split: str, memory_bytes: int = MEMORY_BYTES):
        self.split, self.memory_bytes = split, memory_bytes
        self.runs: list[Path] = []
        self.scratch: tempfile.TemporaryDirectory | None = None
        self._clear()

    def add(self, text: Ragged) -> None:
        """Count every document of a batch."""
        _, ends = pretokenize(text, self.split)
        drops, done = self.split in DROPS_SPACE, 0
        while True:
            done, self.taken, self.pooled = count_pieces(
                ends, text.data, done, drops, self.table, self.taken, self.pool, self.pooled
            )
            if done >= ends.size - 1:
                return
            self._make_room(int(ends[done + 1] - ends[done]))

    def finish(self) -> WordCounts:
        """The table of all that was added."""
        tables = [self._sorted(), *(WordCounts.load(run)[0] for run in self.runs)]
        if self.scratch:
            self.scratch.cleanup()
        return merge(tables)

    def _clear(self) -> None:
        self.table, self.pool = np.zeros(FIRST_SLOTS, SLOT), np.empty(FIRST_SLOTS, np.uint8)
        self.taken = self.pooled = 0

    def _make_room(self, size: int) -> None:
        """For a word of ``size`` bytes: twice the table or the pool, or a run on disk and an empty table."""
        full = self.taken >= self.table.size // 10 * 7
        wanted = (self.table.nbytes * 3 if full else self.table.nbytes) + self.pool.nbytes * 2
        if self.taken and wanted > self.memory_bytes:
            self._spill()
        elif full:
            larger = np.zeros(self.table.size * 2, SLOT)
            move(self.table, larger)
            self.table = larger
        else:
            larger = np.empty(self.pool.size * 2 + size + 8, np.uint8)
            larger[: self.pooled] = self.pool[: self.pooled]
            self.pool = larger

    def _spill(self) -> None:
        self.scratch = self.scratch or tempfile.TemporaryDirectory(prefix="gristmill-counts-")
        self.runs.append(Path(self.scratch.name) / f"{len(self.runs):05d}.parquet")
        self._sorted().save(self.runs[-1], self.split)
        self._clear()

    def _sorted(self) -> WordCounts:
        return sort_words(*unload(self.table, self.taken, self.pool))


def count_words(texts: Iterable[Ragged], split: str, memory_bytes: int = MEMORY_BYTES) -> WordCounts:
    """The words of all batches of text."""
    counter = Counter(split, memory_bytes)
    for text in texts:
        counter.add(text)
    return counter.finish()


def sort_words(offsets: np.ndarray, data: np.ndarray, counts: np.ndarray) -> WordCounts:
    """Unsorted unique words as a table. 0.2 s for a million words, where Arrow's sort takes 0.65."""
    keys = np.empty(counts.size, np.uint64)
    first_eight(offsets, data, keys)
    order = np.argsort(keys)
    sort_ties(offsets, data, keys, order)
    counts = counts[order]
    counts.flags.writeable = False
    return WordCounts(gather_rows(Ragged(offsets, data), order), counts)


def merge(tables: Iterable[WordCounts]) -> WordCounts:
    """One table of several, the two smallest first. None at all give an empty table."""
    heap = [(table.counts.size, number, table) for number, table in enumerate(tables)]
    heapq.heapify(heap)
    while len(heap) > 1:
        _, number, a = heapq.heappop(heap)
        _, _, b = heapq.heappop(heap)
        offsets, data, counts = merge_sorted(*a.words, a.counts, *b.words, b.counts)
        counts.flags.writeable = False
        heapq.heappush(heap, (counts.size, number, WordCounts(Ragged.of(offsets, data), counts)))
    return heap[0][2] if heap else WordCounts.of({})
