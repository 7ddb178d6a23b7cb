"""Near-duplicate documents: of those whose shingle sets are alike, the first by a total order stays.

Measure a shard: signatures. Map: band rows. Reduce: buckets of candidates. Then, over the candidates alone: number
them in the order they are kept, write their shingle sets, choose greedily (dedup/near/greedy.py), and say for each
removed document which kept one it is alike to and how much. Documents that share no band with another, nearly all
of a corpus, cost nothing beyond their band rows.
"""

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
from pydantic import Field
from upath import UPath

from gristmill.dedup.index import IndexedStep
from gristmill.dedup.keep_order import rank_documents
from gristmill.dedup.near.candidates import find_candidates, load, renumber
from gristmill.dedup.near.greedy import GreedySelection
from gristmill.dedup.near.lsh import optimal_bands, write_bands
from gristmill.dedup.near.minhash import minhash_signatures
from gristmill.dedup.near.shingles import shingle_sets
from gristmill.dedup.near.verify import ShingleSets
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import ShardVerdict, duplicates_by_shard
from gristmill.pipelines.steps.threads import map_threads

RULE = "near_duplicate"
REPORT = {"part": pl.String, "row": pl.Int64, ID: pl.String, "cluster": pl.String, "cluster_size": pl.Int64} | {
    "duplicate_of": pl.String, "similarity": pl.Float64, "containment": pl.Float64
}  # fmt: skip


class NearDuplicates(IndexedStep):
    """A document goes if one that stays comes before it by (source priority, quality, length, id) and is alike."""

    NAME: ClassVar[str] = "near_duplicates"
    MEASURED: ClassVar[tuple[str, ...]] = ("num_perm", "shingle_size", "shingle_size_unspaced")
    REPORTS: ClassVar[tuple[str, ...]] = ("clusters",)

    threshold: float = Field(0.8, gt=0, le=1)  # Jaccard similarity of shingle sets
    shingle_size: int = Field(5, ge=1, le=64)
    shingle_size_unspaced: int = Field(8, ge=1, le=64)  # for text without spaces
    num_perm: int = Field(128, ge=16, le=1024)  # in a signature
    recall: float = Field(0.995, gt=0, lt=1)  # of candidates, for a pair just at the threshold
    source_priority: list[str] = []  # sources to keep from first; others follow, all alike
    quality_column: str | None = None  # a numeric column of the documents: of two, the one with more stays
    max_comparisons: int = Field(1000, ge=1)  # unlike documents to meet in one bucket before no more is tried there
    memory_mb: int = Field(1024, ge=64)

    @property
    def bands(self) -> tuple[int, int]:
        return optimal_bands(self.threshold, self.num_perm, self.recall)

    @property
    def memory(self) -> int:
        return self.memory_mb << 20

    def measure(self, batch) -> pl.DataFrame:
        """Signature, shingles (0: the document can have no duplicate) and length of the text in bytes."""
        signatures, shingles = minhash_signatures(
            batch.text, self.num_perm, self.shingle_size, self.shingle_size_unspaced
        )
        return pl.DataFrame(
            {
                "signature": pl.Series(signatures, dtype=pl.Array(pl.UInt32, self.num_perm)),
                "shingles": shingles,
                "bytes": np.diff(batch.text.offsets),
            }
        )

    def judge(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """A near-duplicate breaks ``near_duplicate`` with its similarity to the document that stays.

        Reports the clusters: each document that is alike to another, with the cluster's first document and its size.
        """
        found, _ = find_near_duplicates(self, corpus.beside(self.indices()), scratch)
        gone = found.filter(pl.col("duplicate_of").is_not_null())
        for judged in duplicates_by_shard(gone, corpus, RULE, self.threshold):
            clusters = found.filter(part=judged.part).drop("part", "row")
            yield judged._replace(reports={"clusters": clusters})

    def shingles(self, text: Ragged) -> Ragged:
        return shingle_sets(text, self.shingle_size, self.shingle_size_unspaced)


def find_near_duplicates(settings: NearDuplicates, corpus: Corpus, scratch: Path) -> tuple[pl.DataFrame, dict]:
    """Every document of a cluster of two or more (columns FOUND, removed ones with duplicate_of), and counts.

    ``scratch`` is a folder on a local disk; it is emptied first. Its size: 16 bytes for each document and band,
    8 for each shingle of a candidate.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    paths = [scratch / f"bands-{k}.npy" for k in range(len(corpus.every))]
    band_rows = sum(map_threads(lambda one: map_bands(settings, corpus, *one), zip(corpus.every, paths, strict=True)))
    candidates, files = find_candidates(list(map(UPath, paths)), band_rows, settings.memory, scratch, corpus.own)
    ranked = rank_documents(corpus, candidates, settings.source_priority, settings.quality_column)
    ranked.write_parquet(scratch / "ranked.parquet")
    place = ranked["place"].to_numpy().astype(np.int32)  # of each candidate by rank, among them in the corpus's order
    ranks = np.empty(place.size, np.int32)
    ranks[place] = np.arange(place.size, dtype=np.int32)
    renumber(files, candidates, ranks)
    del ranks
    n_indexed = int(ranked["indexed"].sum())
    del ranked
    sets = ShingleSets(scratch / "shingles.u64")
    pieces = (piece for part in corpus.every for piece in corpus.pieces(part, corpus.rows_of(part, candidates)))
    for found in map_threads(lambda piece: settings.shingles(piece()), pieces):
        sets.append(found)
    del candidates
    greedy = GreedySelection(
        place.size, settings.max_comparisons, n_indexed, n_indexed if settings.only_against else place.size
    )
    compare = partial(sets.compare, threshold=settings.threshold, memory=settings.memory // 4)
    greedy.run(
        lambda: map(load, files),
        lambda left, right: compare(place[left], place[right])[0] >= settings.threshold,
    )
    found = _describe(greedy, pl.read_parquet(scratch / "ranked.parquet"), lambda a, b: compare(place[a], place[b]))
    shutil.rmtree(scratch)
    counts = {"candidates": place.size, "compared": greedy.compared, "limit_reached": int(greedy.limit_reached.sum())}
    return found, counts | {"cluster_bytes": greedy.bytes + place.nbytes + sets.offsets.nbytes}


def map_bands(settings: NearDuplicates, corpus: Corpus, part: str, path: Path) -> int:
    """Write the band rows of one shard's documents and say how many."""
    table = corpus.measured(part, ["signature", "shingles"])
    signatures = table["signature"].combine_chunks().flatten().to_numpy().reshape(-1, settings.num_perm)
    mine = np.flatnonzero(corpus.stays(part, table.num_rows) & (table["shingles"].to_numpy() > 0))
    write_bands(UPath(path), signatures[mine], corpus.first[part] + mine, *settings.bands)
    return mine.size * settings.bands[0]


def _describe(greedy: GreedySelection, ranked: pl.DataFrame, compare: Callable) -> pl.DataFrame:
    """The clusters of two and more, members in the order they are kept."""
    sizes = np.bincount(greedy.cluster, minlength=greedy.cluster.size)
    removed = np.flatnonzero(greedy.kept_by != np.arange(greedy.kept_by.size))
    similarity, containment = compare(removed, greedy.kept_by[removed])
    ids = ranked[ID]
    gone = pl.DataFrame(
        {
            "rank": removed,
            "duplicate_of": ids.gather(greedy.kept_by[removed]),
            "similarity": similarity,
            "containment": containment,
        }
    )
    frame = ranked.with_columns(
        pl.int_range(pl.len()).alias("rank"),
        pl.Series("cluster_size", sizes[greedy.cluster]),
        ids.gather(greedy.cluster).alias("cluster"),
    )
    return (
        frame.filter(pl.col("cluster_size") > 1)
        .join(gone, on="rank", how="left", maintain_order="left")
        .select(*REPORT)
    )
