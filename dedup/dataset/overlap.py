"""Overlap: how much of each source the other sources contain too, as exact or near copies.

Exact copies differ in white space only (dedup/exact/exact.py). Near copies are in one cluster
(dedup/near/near_duplicates.py). A document of source A counts for the pair (A, B) if B has a copy of it, and for
(A, A) if A has another copy.

Memory: 40 bytes for each document that has a copy.
"""

from pathlib import Path

import numpy as np
import polars as pl

from gristmill.dedup.exact.exact import find_same
from gristmill.dedup.near.near_duplicates import NearDuplicates, find_near_duplicates
from gristmill.dedup.near.shingle_letters import letters
from gristmill.dedup.near.shingles import scan_words
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import SOURCE
from gristmill.pipelines.steps.corpus import Corpus

EXACT, NEAR = KINDS = ("exact", "near")
TOTALS = {"source": pl.String, "documents": pl.Int64, "bytes": pl.Int64}
SHARED = {"kind": pl.String, "source": pl.String, "other": pl.String, "documents": pl.Int64} | {
    "bytes": pl.Int64, "words": pl.Int64, "share": pl.Float64
}  # fmt: skip


def totals(corpus: Corpus) -> pl.DataFrame:
    """Return the documents and bytes of each source, in alphabetical order: columns TOTALS."""
    frames = [pl.DataFrame(schema=TOTALS)]
    for part in corpus.parts:
        frame = _sized(corpus, part, np.arange(corpus.rows[part]))
        frames.append(frame.group_by("source").agg(pl.len().cast(pl.Int64).alias("documents"), pl.sum("bytes")))
    return pl.concat(frames).group_by("source").agg(pl.sum("documents", "bytes")).sort("source")


def overlap(exact: Corpus, near: Corpus, settings: NearDuplicates, scratch: Path) -> pl.DataFrame:
    """Return, per kind and pair of sources, how much of ``source`` is in ``other`` too: columns SHARED.

    ``share`` is a share of the source's bytes. ``exact`` and ``near`` are one corpus with the measures of each step.
    """
    same = find_same(exact, scratch).select("number", pl.struct("high", "low").rank("dense").alias("group"))
    found, _ = find_near_duplicates(settings, near, scratch)
    first = pl.DataFrame(
        {"part": list(near.first), "first": list(near.first.values())}, {"part": pl.String, "first": pl.Int64}
    )
    alike = found.join(first, on="part").select(
        (pl.col("first") + pl.col("row")).alias("number"), pl.col("cluster").rank("dense").alias("group")
    )
    sizes = _members(exact, np.union1d(same["number"], alike["number"]))
    whole = totals(exact).select("source", pl.col("bytes").clip(1).alias("whole"))
    shared = [_pairs(groups.join(sizes, on="number"), kind) for kind, groups in zip(KINDS, (same, alike), strict=True)]
    every = pl.concat(shared).join(whole, on="source").with_columns(share=pl.col("bytes") / pl.col("whole"))
    return every.sort("kind", "source", "other").select(SHARED.keys())


def _pairs(members: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Sum the members (group, source, bytes, words) that each pair of sources shares."""
    held = members.group_by("group", pl.col("source").alias("other")).len("copies")
    pairs = members.join(held, on="group").filter((pl.col("source") != pl.col("other")) | (pl.col("copies") > 1))
    sums = pl.len().cast(pl.Int64).alias("documents"), pl.sum("bytes", "words")
    return pairs.group_by("source", "other").agg(*sums).with_columns(kind=pl.lit(kind))


def _members(corpus: Corpus, numbers: np.ndarray) -> pl.DataFrame:
    """Return number, source, bytes and words of documents."""
    frames = [pl.DataFrame(schema={"number": pl.Int64, "source": pl.String, "bytes": pl.Int64, "words": pl.Int64})]
    for part in corpus.parts:
        rows = corpus.rows_of(part, numbers)
        words = np.concatenate([np.zeros(0, np.int64), *(count_words(text) for text in corpus.texts(part, rows))])
        frame = _sized(corpus, part, rows).with_columns(number=pl.Series(corpus.first[part] + rows), words=words)
        frames.append(frame.select(frames[0].columns))
    return pl.concat(frames)


def _sized(corpus: Corpus, part: str, rows: np.ndarray) -> pl.DataFrame:
    sizes = corpus.measured(part, ["bytes"])["bytes"].to_numpy()[rows]
    return corpus.columns(part, [SOURCE], rows).select(pl.col(SOURCE).cast(pl.String).alias("source"), bytes=sizes)


def count_words(text: Ragged) -> np.ndarray:
    """Count the runs of letters, digits and underscores in each document: int64[n]."""
    return _count_words(*text, letters())


@allocating_kernel
def _count_words(offsets, data, table):
    words, tokens = np.zeros(offsets.size - 1, np.int64), np.empty(1024, np.uint64)
    for i in range(words.size):
        at = offsets[i]
        while at < offsets[i + 1]:
            at, filled = scan_words(data, at, offsets[i + 1], table, tokens, 0)
            words[i] += filled
    return words
