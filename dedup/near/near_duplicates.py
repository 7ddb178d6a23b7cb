"""Near-duplicate documents: of documents with similar shingle sets, the first in keep order stays.

1. Measure each shard: MinHash signatures. Map: band rows. Reduce: buckets of candidates (dedup/near/lsh.py).
   This is a stage: only it asks which documents the steps before kept, so the decision stays while the buckets do.
2. Of the candidates only: write their shingle sets to a file and number them in keep order. Code, tables and formulas
   are compared with their marks, too, and their length is without comments (dedup/near/marks.py).
3. Select greedily (dedup/near/greedy.py); report for each dropped document the kept one and their similarity.

Documents that share no band with another, nearly all of a corpus, cost their band rows only.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field
from upath import UPath

from gristmill.dedup.index import IndexedStep
from gristmill.dedup.keep_order import rank_documents
from gristmill.dedup.near.candidates import Numbers, find_candidates, load, renumber
from gristmill.dedup.near.clusters import REPORT, Clusters
from gristmill.dedup.near.compare import CandidateSets, candidate_sets
from gristmill.dedup.near.greedy import GreedySelection
from gristmill.dedup.near.lsh import optimal_bands, write_bands
from gristmill.dedup.near.minhash import minhash_signatures
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.corpus_step import (
    ShardVerdict,
    StageTask,
    duplicate_verdict,
    scratch_beside,
)
from gristmill.pipelines.steps.step import Output, Written
from gristmill.pipelines.steps.threads import map_threads
from gristmill.pipelines.storage.shards import read_shard, write_measures

BUCKETS, MEMBERS = "buckets", "members"  # stage, and the column of its files
RULE = "near_duplicate"


class NearDuplicates(IndexedStep):
    """Step that drops documents similar to an earlier kept one, in the order (source priority, quality, length, id)."""

    NAME: ClassVar[str] = "near_duplicates"
    MEASURED: ClassVar[tuple[str, ...]] = ("num_perm", "shingle_size", "shingle_size_unspaced")
    STAGES: ClassVar[dict[str, tuple[str, ...]]] = {
        BUCKETS: ("threshold", "num_perm", "recall", "against", "memory_mb")
    }
    DECIDES_BY_STAGES: ClassVar[bool] = True
    REPORTS: ClassVar[tuple[str, ...]] = ("clusters",)

    threshold: float = Field(0.8, gt=0, le=1)  # Jaccard similarity of shingle sets
    shingle_size: int = Field(5, ge=1, le=64)  # words
    shingle_size_unspaced: int = Field(8, ge=1, le=64)  # characters, in text of scripts without spaces
    num_perm: int = Field(128, ge=16, le=1024)  # permutations of a signature
    recall: float = Field(0.995, gt=0, lt=1)  # of candidates, for a pair exactly at the threshold
    source_priority: list[str] = []  # sources in the order they are kept from; all others follow, as equals
    quality_column: str | None = None  # numeric column of the documents: the highest value is kept
    max_comparisons: int = Field(1000, ge=1)  # with unlike documents of one bucket, before a document is kept
    memory_mb: int = Field(256, ge=64)

    @property
    def bands(self) -> tuple[int, int]:
        return optimal_bands(self.threshold, self.num_perm, self.recall)

    @property
    def memory(self) -> int:
        return self.memory_mb << 20

    def measure(self, batch) -> pl.DataFrame:
        """Return each document's signature and its shingles (0: it can have no duplicate)."""
        signatures, shingles = minhash_signatures(
            batch.canonical, self.num_perm, self.shingle_size, self.shingle_size_unspaced
        )
        signature = pl.Series(signatures, dtype=pl.Array(pl.UInt32, self.num_perm))
        return pl.DataFrame({"signature": signature, "shingles": shingles})

    def stage(self, name: str, corpus: Corpus) -> Iterable[StageTask]:
        """Yield the task that writes the buckets of candidates, which is one for all shards."""
        yield StageTask({name: ""}, write_buckets, (self, corpus))

    def decide(self, corpus: Corpus, scratch: Path) -> Iterator[ShardVerdict]:
        """Yield each shard's verdict: near-duplicates break ``near_duplicate`` with their similarity.

        The report ``clusters`` has the columns of REPORT for every document that is like another.
        """
        files = copy_buckets(corpus.stage_folder / BUCKETS, scratch)
        clusters, _ = select_documents(self, corpus.with_indices(self.indices()), files, scratch)
        for part in corpus.parts:
            found = clusters.of_part(part)
            dropped = found.filter(pl.col("duplicate_of").is_not_null())
            verdict = duplicate_verdict(part, corpus.rows[part], dropped, RULE, self.threshold)
            yield verdict._replace(reports={"clusters": found.drop("row")})
        shutil.rmtree(scratch)


def write_buckets(settings: NearDuplicates, corpus: Corpus, outputs: tuple[Output, ...]) -> list[Written]:
    """Write the buckets of candidates as lists of numbers: a file for each partition of the band hashes."""
    names, buckets = list[str](), 0
    with scratch_beside(corpus.stage_folder) as scratch:
        for file in find_buckets(settings, corpus.with_indices(settings.indices()), scratch):
            path, members = outputs[0].folder / f"part-{len(names):05}.parquet", Ragged.from_arrays(*load(file))
            write_measures(path, [pa.table({MEMBERS: members.to_lists()})])
            names.append(path.name)
            buckets += members.rows
    return [Written(names, {"buckets": buckets})]


def copy_buckets(folder: UPath, scratch: Path) -> list[Path]:
    """Copy the buckets of a stage to files in ``scratch``, a local folder that is emptied first; return their paths."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    files = list[Path]()
    for path in sorted(folder.glob("part-*.parquet")):
        offsets, members = Ragged.from_lists(read_shard(path)[MEMBERS])
        files.append(scratch / f"buckets-{len(files)}.npz")
        np.savez(files[-1], offsets=offsets, members=members)
    return files


def find_buckets(settings: NearDuplicates, corpus: Corpus, scratch: Path) -> list[Path]:
    """Return the files of the buckets of candidates, in ``scratch``, a local folder that is emptied first.

    It takes 16 bytes for each document and band.
    """
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    paths = [scratch / f"bands-{k}.npy" for k in range(len(corpus.shards))]
    band_rows = sum(map_threads(lambda one: map_bands(settings, corpus, *one), zip(corpus.shards, paths, strict=True)))
    return find_candidates(list(map(UPath, paths)), band_rows, settings.memory, scratch, corpus.n_documents)[1]


def find_near_duplicates(settings: NearDuplicates, corpus: Corpus, scratch: Path) -> tuple[pl.DataFrame, dict]:
    """Return every document of a cluster of two or more (part and REPORT; dropped ones have duplicate_of), and counts.

    ``scratch`` is a folder on a local disk, emptied first.
    """
    clusters, counts = select_documents(settings, corpus, find_buckets(settings, corpus, scratch), scratch)
    frames = [clusters.of_part(part).insert_column(0, pl.lit(part).alias("part")) for part in corpus.shards]
    shutil.rmtree(scratch)
    return pl.concat([pl.DataFrame(schema={"part": pl.String, **REPORT}), *frames]), counts


def select_documents(
    settings: NearDuplicates, corpus: Corpus, files: list[Path], scratch: Path
) -> tuple[Clusters, dict]:
    """Select the documents to keep among those in the buckets of ``files``; return their clusters, and counts.

    The files lie in ``scratch``. The clusters need the folder, which takes 8 bytes for each shingle of a candidate, and
    the candidates' ids.
    """
    numbers = Numbers()
    for file in files:
        numbers.add(load(file)[1])
    candidates = numbers.distinct()
    sets = CandidateSets(scratch, settings.threshold, settings.memory // 4)
    texts = (text for part in corpus.shards for text in corpus.text_readers(part, corpus.rows_of(part, candidates)))

    def read_sets(text: Callable[[], Ragged]) -> tuple:
        return candidate_sets(text(), settings.shingle_size, settings.shingle_size_unspaced)

    live = [np.zeros(0, np.int64)]  # bytes without comments
    for *found, bytes in map_threads(read_sets, texts):
        sets.append(*found)
        live.append(bytes)
    order_by = settings.source_priority, settings.quality_column
    keep_order = rank_documents(corpus, candidates, scratch, *order_by, np.concatenate(live))
    order = keep_order.order
    renumber(files, candidates, keep_order.ranks.astype(np.int32))
    n_indexed = int((candidates >= corpus.n_documents).sum())
    n_keepers = n_indexed if settings.only_against else None
    greedy = GreedySelection(order.size, settings.max_comparisons, n_indexed, n_keepers)
    greedy.run(lambda: map(load, files), lambda left, right: sets.are_alike(order[left], order[right]))
    clusters = Clusters(corpus, keep_order, sets, greedy, settings.drop == "all")
    counts = {
        "candidates": order.size,
        "compared": greedy.compared,
        "limit_reached": int(greedy.limit_reached.sum()),
    }
    return clusters, counts | {"cluster_bytes": clusters.nbytes}


def map_bands(settings: NearDuplicates, corpus: Corpus, part: str, path: Path) -> int:
    """Write the band rows of one shard's documents and return their number."""
    shingles = corpus.measured(part, ["shingles"])["shingles"].to_numpy()
    rows = np.flatnonzero(corpus.keep_mask(part, shingles.size) & (shingles > 0))
    signatures = np.empty((0, settings.num_perm), np.uint32)
    if rows.size:
        column = corpus.measured(part, ["signature"])["signature"].combine_chunks()
        signatures = column.flatten().to_numpy().reshape(-1, settings.num_perm)[rows]
    write_bands(UPath(path), signatures, corpus.first[part] + rows, *settings.bands)
    return rows.size * settings.bands[0]
