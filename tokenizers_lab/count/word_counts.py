"""Count the words of a corpus once, for any number of vocabularies.

A word is a pre-token (tokenizers_lab/pretokenize). The table is sorted by the words' bytes, so it depends on the corpus
and the pre-tokenizer alone, not on shards, their order or the workers. It is saved as Parquet.
"""

import tempfile
from collections.abc import Iterable
from itertools import chain
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
    count_pretokens,
    first_eight,
    merge_sorted,
    move,
    sort_ties,
    unload,
)
from gristmill.tokenizers_lab.pretokenize import DROPS_SPACE, pretokenize

MEMORY_BYTES = 1 << 30
FIRST_SLOTS = 1 << 16
BLOCK_ROWS = 1 << 16  # words per row group
SCHEMA = pa.schema([("word", pa.large_binary()), ("count", pa.int64())])


class WordCounts(NamedTuple):
    """Unique words and their counts: sorted by bytes, counts above 0."""

    words: Ragged
    counts: np.ndarray  # int64[m]

    @classmethod
    def from_dict(cls, counts: dict[str, int]) -> "WordCounts":
        """Build a table from a dict, in its order."""
        return cls(Ragged.from_strings([*counts]), np.array([*counts.values()], np.int64))

    def save(self, path: Path | UPath, pretokenizer: str) -> None:
        """Write the table and its pre-tokenizer's name as Parquet (``word`` binary, ``count`` int64), atomically."""
        words = self.words.to_text().view(pa.large_binary())
        table = pa.table([words, pa.array(self.counts)], SCHEMA.with_metadata({"pretokenizer": pretokenizer}))
        with atomic_write(to_path(path)) as file:
            pq.write_table(table, file, compression="zstd", use_dictionary=False, row_group_size=BLOCK_ROWS)

    @classmethod
    def load(cls, path: Path | UPath) -> tuple["WordCounts", str]:
        """Return a saved table and its pre-tokenizer's name. Raises WorkError if the file is missing or damaged."""
        try:
            with to_path(path).open("rb") as file:
                table = pq.ParquetFile(file).read(use_threads=False)
            pretokenizer = (table.schema.metadata or {})[b"pretokenizer"].decode()
            words = table["word"].combine_chunks().cast(pa.large_binary())
            counts = table["count"].to_numpy().astype(np.int64)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise WorkError(f"{path} is not a table of word counts ({error}); count the corpus again") from error
        counts.flags.writeable = False
        return cls(Ragged.from_text(words.view(pa.large_string())), counts), pretokenizer


class WordCounter:
    """Counter of words in batches of text. Above ``memory_bytes`` it writes its table as a sorted run to disk.

    The runs are merged at the end, so the result must fit into memory, as it must for training.
    """

    table: np.ndarray  # SLOT
    pool: np.ndarray  # uint8: the bytes of long words
    taken: int  # entries of the table
    pooled: int  # bytes of the pool

    def __init__(self, pretokenizer: str, memory_bytes: int = MEMORY_BYTES):
        self.pretokenizer, self.memory_bytes = pretokenizer, memory_bytes
        self.runs: list[Path] = []
        self.scratch: tempfile.TemporaryDirectory | None = None
        self._clear()

    def add(self, text: Ragged) -> None:
        """Count the words of every document of a batch."""
        _, ends = pretokenize(text, self.pretokenizer)
        drops, done = self.pretokenizer in DROPS_SPACE, 0
        while True:
            done, self.taken, self.pooled = count_pretokens(
                ends, text.data, done, drops, self.table, self.taken, self.pool, self.pooled
            )
            if done >= ends.size - 1:
                return
            self._make_room(int(ends[done + 1] - ends[done]))

    def finish(self) -> WordCounts:
        """Return the table of all words that were added."""
        last = self._sorted()
        self._clear()
        merged = merge(chain((last,), (WordCounts.load(run)[0] for run in self.runs)))
        if self.scratch:
            self.scratch.cleanup()
        return merged

    def _clear(self) -> None:
        self.table, self.pool = np.zeros(FIRST_SLOTS, SLOT), np.empty(FIRST_SLOTS, np.uint8)
        self.taken = self.pooled = 0

    def _make_room(self, size: int) -> None:
        """Make room for a word of ``size`` bytes: double the table or the pool, or spill both to disk."""
        full = self.taken >= self.table.size // 10 * 7
        wanted = (self.table.nbytes * 3 if full else self.table.nbytes) + self.pool.nbytes * 2
        if self.taken and wanted > self.memory_bytes:
            self._spill()
        elif full:
            larger = np.zeros(self.table.size * 2, SLOT)
            move(self.table, larger)
            self.table = larger
        else:
            pool = np.empty(self.pool.size * 2 + size + 8, np.uint8)
            pool[: self.pooled] = self.pool[: self.pooled]
            self.pool = pool

    def _spill(self) -> None:
        self.scratch = self.scratch or tempfile.TemporaryDirectory(prefix="gristmill-counts-")
        self.runs.append(Path(self.scratch.name) / f"{len(self.runs):05d}.parquet")
        self._sorted().save(self.runs[-1], self.pretokenizer)
        self._clear()

    def _sorted(self) -> WordCounts:
        return sort_words(*unload(self.table, self.taken, self.pool))


def count_words(texts: Iterable[Ragged], pretokenizer: str, memory_bytes: int = MEMORY_BYTES) -> WordCounts:
    """Count the words of all batches of text."""
    counter = WordCounter(pretokenizer, memory_bytes)
    for text in texts:
        counter.add(text)
    return counter.finish()


def sort_words(offsets: np.ndarray, data: np.ndarray, counts: np.ndarray) -> WordCounts:
    """Sort unique words into a table: 0.2 s for a million words, where Arrow's sort takes 0.65 s."""
    keys = np.empty(counts.size, np.uint64)
    first_eight(offsets, data, keys)
    order = np.argsort(keys)
    sort_ties(offsets, data, keys, order)
    counts = counts[order]
    counts.flags.writeable = False
    return WordCounts(gather_rows(Ragged(offsets, data), order), counts)


def merge(tables: Iterable[WordCounts]) -> WordCounts:
    """Merge tables into one as they come: each table held is more than twice as large as the next.

    So memory is bounded by the result, whatever the number of tables, and each word is copied log2(tables) times at
    most. No tables give an empty table.
    """
    held: list[WordCounts] = []
    for table in tables:
        held.append(table)
        while len(held) > 1 and held[-2].counts.size <= 2 * held[-1].counts.size:
            held.append(_merged(held.pop(), held.pop()))
    while len(held) > 1:
        held.append(_merged(held.pop(), held.pop()))
    return held[0] if held else WordCounts.from_dict({})


def _merged(a: WordCounts, b: WordCounts) -> WordCounts:
    offsets, data, counts = merge_sorted(*a.words, a.counts, *b.words, b.counts)
    counts.flags.writeable = False
    return WordCounts(Ragged.from_arrays(offsets, data), counts)
