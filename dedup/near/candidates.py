"""Candidates: documents (or passages) that share an LSH bucket with another, and their buckets in files.

Memory: the band rows of one partition, and 8 bytes per candidate.
"""

from pathlib import Path

import numpy as np
from upath import UPath

from gristmill.dedup.near.greedy import Buckets
from gristmill.dedup.near.lsh import read_buckets

BAND_ROW_BYTES = 64  # memory of a band row while its partition is sorted


def find_candidates(
    paths: list[UPath], rows: int, memory: int, scratch: Path, n_documents: int | None = None
) -> tuple[np.ndarray, list[Path]]:
    """Reduce ``rows`` band rows to the candidates' numbers, ascending, and the files of their buckets.

    Buckets without a number below ``n_documents`` are left out: all their documents belong to indices.
    """
    partitions, candidates = rows * BAND_ROW_BYTES // memory + 1, np.zeros(0, np.int64)
    files = [scratch / f"buckets-{partition}.npz" for partition in range(partitions)]
    for partition, path in enumerate(files):
        offsets, members = with_corpus_documents(*read_buckets(paths, partition, partitions), n_documents)
        np.savez(path, offsets=offsets, members=members)
        candidates = np.union1d(candidates, members)
    return candidates, files


def with_corpus_documents(offsets: np.ndarray, members: np.ndarray, n_documents: int | None) -> Buckets:
    """Return the buckets whose first (lowest) member is below ``n_documents``."""
    if n_documents is None:
        return offsets, members
    mine = members[offsets[:-1]] < n_documents
    sizes = np.diff(offsets)
    return np.concatenate(([0], np.cumsum(sizes[mine]))), members[np.repeat(mine, sizes)]


def renumber(files: list[Path], candidates: np.ndarray, ranks: np.ndarray) -> None:
    """Rewrite all buckets in place: numbers become the candidates' ``ranks`` (int32), ascending in each bucket."""
    for path in files:
        offsets, numbers = load(path)
        members = ranks[np.searchsorted(candidates, numbers)]
        bucket = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
        np.savez(path, offsets=offsets, members=members[np.lexsort((members, bucket))])


def load(path: Path) -> Buckets:
    """Read the buckets of one partition."""
    with np.load(path) as arrays:
        return arrays["offsets"], arrays["members"]
