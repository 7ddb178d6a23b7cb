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
    partitions, found = rows * BAND_ROW_BYTES // memory + 1, Numbers()
    files = [scratch / f"buckets-{partition}.npz" for partition in range(partitions)]
    for partition, path in enumerate(files):
        offsets, members = with_corpus_documents(*read_buckets(paths, partition, partitions), n_documents)
        np.savez(path, offsets=offsets, members=members)
        found.add(members)
    return found.distinct(), files


class Numbers:
    """Growing set of integers. Memory: 16 bytes per different number, at most."""

    def __init__(self):
        self.known, self.new, self.n_new = np.zeros(0, np.int64), [], 0

    def add(self, numbers: np.ndarray) -> None:
        """Add int64 numbers, in any order."""
        self.new.append(np.unique(numbers))
        self.n_new += self.new[-1].size
        if self.n_new > self.known.size:  # so that each number is sorted a few times, not once for each call
            self._join()

    def distinct(self) -> np.ndarray:
        """Return the different numbers, ascending: int64[n]."""
        self._join()
        return self.known

    def _join(self) -> None:
        self.known, self.new, self.n_new = np.unique(np.concatenate((self.known, *self.new))), [], 0


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
