"""Rows of all shards on a local disk, by partition of a hash: each is written once and read once.

A step that must bring equal hashes together holds one partition at a time. To read the measures of all shards again for
each partition would take time that grows with the square of the corpus.
"""

import shutil
from pathlib import Path

import numpy as np


class Spill:
    """Files of fixed-size rows, one per shard, each sorted by partition. Memory: 8 bytes per shard and partition."""

    def __init__(self, folder: Path, kind: np.dtype, partitions: int):
        """Take the folder, emptied first, the dtype of a row and the number of partitions."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.kind, self.partitions = folder, kind, partitions
        self.begins: dict[int, np.ndarray] = {}  # number of a shard -> first row of each partition

    def write(self, shard: int, rows: np.ndarray, hashes: np.ndarray) -> None:
        """Write the rows of a shard, in any order of shards, from any thread; ``hashes`` are uint64[n]."""
        partition = (hashes % np.uint64(self.partitions)).astype(np.int32)
        if self.partitions > 1:
            rows = rows[np.argsort(partition, kind="stable")]
        rows.tofile(self.folder / str(shard))
        self.begins[shard] = np.append(0, np.cumsum(np.bincount(partition, minlength=self.partitions)))

    def read(self, partition: int) -> np.ndarray:
        """Return the rows of a partition in the order of shards, then in that of their rows."""
        found = [np.zeros(0, self.kind)]
        for shard in sorted(self.begins):
            begin, end = self.begins[shard][partition : partition + 2].tolist()
            offset = begin * self.kind.itemsize
            found.append(np.fromfile(self.folder / str(shard), self.kind, end - begin, offset=offset))
        return np.concatenate(found)

    def remove(self) -> None:
        """Remove the files."""
        shutil.rmtree(self.folder)
