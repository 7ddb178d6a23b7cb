"""Exact deduplication: keep one of the documents with equal text.

Texts are equal if their canonical forms (pipelines/steps/canonical.py) agree after each run of white space is one
space, both ends trimmed (by option, also lower-cased). They are compared by a 128-bit hash: among 10^10
different texts, two collide with probability below 10^-18 (birthday bound n^2 / 2^129).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.dedup.exact.normalize import hash_normalized
from gristmill.dedup.index import IndexedStep
from gristmill.dedup.keep_order import rank_documents
from gristmill.dedup.spill import Spill
from gristmill.pipelines.steps.canonical import canonical
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import ShardVerdict, duplicate_verdict

RULE = "exact_duplicate"
PARTITION_ROWS = 4_000_000  # documents grouped at a time: 40 bytes each, 160 MB
HASHED = np.dtype([("number", np.int64), ("high", np.uint64), ("low", np.uint64)])


class Exact(IndexedStep):
    """Step that keeps, of documents with equal text, the first by (source priority, quality, length, id)."""

    NAME: ClassVar[str] = "exact"
    MEASURED: ClassVar[tuple[str, ...]] = ("lowercase", "by")

    lowercase: bool = False  # ignore case, too
    by: Literal["text", "prompt"] = "text"  # prompt: the text as it was read up to the first answer (input.records)
    source_priority: list[str] = []  # sources in the order they are kept from; all others follow, as equals
    quality_column: str | None = None  # numeric column of the documents: the highest value is kept

    def measure(self, batch) -> pl.DataFrame:
        """Return each document's hash as two uint64, and its bytes. All blank documents have the same hash."""
        text = batch.canonical if self.by == "text" else canonical(batch.prompts)
        high, low = hash_normalized(*text, self.lowercase)
        return pl.DataFrame({"high": high, "low": low, "bytes": np.diff(batch.text.offsets)})

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield each shard's verdict: duplicates break ``exact_duplicate`` with similarity and threshold 1."""
        found = find_duplicates(self, corpus.with_indices(self.indices()), scratch)
        for part, first in corpus.first.items():
            begin, end = np.searchsorted(found["number"], (first, first + corpus.rows[part]))
            mine = found[begin:end].with_columns(row=pl.col("number") - first)
            yield duplicate_verdict(part, corpus.rows[part], mine, RULE, 1.0)


def find_duplicates(settings: Exact, corpus: Corpus, scratch: Path) -> pl.DataFrame:
    """Return one row for each document to drop, by number: number, duplicate_of (an id), in_index, similarity.

    Memory: 40 bytes per document for PARTITION_ROWS documents, and hash, number and id of each duplicate.
    """
    same = find_same(corpus, scratch)
    order_by = settings.source_priority, settings.quality_column
    keep_order = rank_documents(corpus, same["number"].to_numpy(), scratch, *order_by)
    ranked = same[keep_order.order]
    joined = ranked.with_columns(pl.first("number").over("high", "low").alias("kept"))
    in_index = pl.col("kept") >= corpus.n_documents
    dropped = (pl.col("number") != pl.col("kept")) | pl.lit(settings.drop == "all")
    dropped = dropped & (pl.col("number") < corpus.n_documents) & (in_index | pl.lit(not settings.only_against))
    found = joined.filter(dropped).sort("number").select("number", "kept", in_index.alias("in_index"))
    names = keep_order.names(found["kept"].to_numpy()).alias("duplicate_of")
    return found.select("number", names, "in_index", pl.lit(1.0).alias("similarity"))


def find_same(corpus: Corpus, scratch: Path) -> pl.DataFrame:
    """Return number (ascending) and hash (high, low) of each document that shares its hash with another.

    One of the documents with a hash is in the corpus itself. ``scratch`` takes 24 bytes for each document.
    """
    spill = Spill(scratch / "hashes", HASHED, sum(corpus.rows.values()) // PARTITION_ROWS + 1)
    for shard, part in enumerate(corpus.shards):
        measured = corpus.measured(part, ["high", "low"])
        mine = np.flatnonzero(corpus.keep_mask(part, measured.num_rows))
        rows = np.empty(mine.size, HASHED)
        rows["number"] = corpus.first[part] + mine
        for name in ("high", "low"):
            rows[name] = measured[name].to_numpy()[mine]
        spill.write(shard, rows, rows["high"])
    found = [_same(spill.read(partition), corpus.n_documents) for partition in range(spill.partitions)]
    spill.remove()
    return pl.concat(found).sort("number")


def _same(rows: np.ndarray, n_documents: int) -> pl.DataFrame:
    frame = pl.DataFrame({name: rows[name] for name in ("number", "high", "low")})
    same = frame.filter(pl.struct("high", "low").is_duplicated())
    return same.filter(pl.col("number").min().over("high", "low") < n_documents)
