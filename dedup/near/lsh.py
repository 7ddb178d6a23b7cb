"""Locality-sensitive hashing: documents whose signatures agree in all rows of some band are candidates.

1. A signature of k permutations is cut into b bands of r rows. Two documents of Jaccard similarity J agree in one
   band with probability J^r, and in some band with 1 - (1 - J^r)^b. Candidates are verified, so bands need recall only.
2. Each band is hashed to a 64-bit key, salted with the band's number. Map: each shard writes its (key, document) rows
   sorted by key. Partition: the highest bits of the key. Reduce: a partition reads its slice of every shard, sorts
   it, and keeps the buckets: keys that several documents share.
3. Among N documents, b N^2 / 2^65 pairs share a key by chance; such candidates fail verification.

At 10^10 documents and 21 bands: 3.4 TB of rows, 1,024 partitions of 3.3 GB, each sorted and reduced alone.
"""

from bisect import bisect_left

import numpy as np
from upath import UPath

from gristmill.dedup.near.shingles import THIRTY_TWO, scramble
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.storage.files import atomic_write

ROW = np.dtype([("key", np.uint64), ("document", np.int64)])


def optimal_bands(threshold: float, num_perm: int, recall: float) -> tuple[int, int]:
    """Return bands and rows: the most rows such that a pair *at* the threshold is a candidate with ``recall``.

    More rows mean fewer candidates to verify. Pairs above the threshold are found with higher probability.
    """
    for rows in range(num_perm, 1, -1):
        if collision_probability(threshold, num_perm // rows, rows) >= recall:
            return num_perm // rows, rows
    return num_perm, 1


def collision_probability(similarity: float, bands: int, rows: int) -> float:
    """Return the probability that two documents of this Jaccard similarity become candidates."""
    return 1 - (1 - similarity**rows) ** bands


@allocating_kernel
def band_hashes(signatures, bands, rows):
    """Hash each band of each signature: uint32[n, k] to uint64[n, bands]."""
    n = signatures.shape[0]
    keys = np.empty((n, bands), np.uint64)
    for i in range(n):
        for band in range(bands):
            hash = scramble(np.uint64(band + 1))
            for lane in range(band * rows, (band + 1) * rows):
                hash = (hash ^ np.uint64(signatures[i, lane])) * GOLDEN_RATIO
                hash ^= hash >> THIRTY_TWO
            keys[i, band] = scramble(hash)
    return keys


def write_bands(path: UPath, signatures: np.ndarray, documents: np.ndarray, bands: int, rows: int) -> None:
    """Write the band rows of one shard, sorted by key; ``documents`` int64[n] are the documents' numbers."""
    write_keys(path, band_hashes(signatures, bands, rows), documents)


def write_keys(path: UPath, keys: np.ndarray, documents: np.ndarray) -> None:
    """Write the rows of band hashes ``keys``, uint64[n, bands], sorted by key."""
    table = np.empty(keys.size, ROW)
    table["key"] = keys.ravel()
    table["document"] = np.repeat(documents, keys.shape[1])
    with atomic_write(path) as file:
        np.save(file, table[np.argsort(table["key"])])


def read_buckets(paths: list[UPath], partition: int, partitions: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the buckets of one partition: offsets int64[m + 1] and documents int64, ascending in each bucket.

    The result does not depend on how documents are spread over the files.
    """
    rows = np.concatenate([np.zeros(0, ROW), *(_slice(path, partition, partitions) for path in paths)])
    return group(rows["key"], rows["document"])


def group(keys: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Group documents by key: offsets and documents of the keys that at least two different documents share."""
    order = np.argsort(keys)  # first by key only, to drop unique keys: sorting all rows by both takes 2.6 times as long
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    repeated = np.append(same, False)[: keys.size] | np.append(False, same)[: keys.size]
    keys, documents = keys[repeated], documents[order[repeated]]
    order = np.lexsort((documents, keys))
    keys, documents = keys[order], documents[order]
    distinct = np.append(True, (keys[1:] != keys[:-1]) | (documents[1:] != documents[:-1]))[: keys.size]
    keys, documents = keys[distinct], documents[distinct]
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: keys.size])
    sizes = np.diff(np.append(begins, keys.size))
    shared = np.repeat(sizes > 1, sizes)
    return np.concatenate(([0], np.cumsum(sizes[sizes > 1]))).astype(np.int64), documents[shared]


def _slice(path: UPath, partition: int, partitions: int) -> np.ndarray:
    """Read the rows of a sorted file whose keys lie in the partition; only their pages are read."""
    table = np.load(str(path), mmap_mode="r")
    # np.searchsorted would copy the column, and so read the file, for each partition.
    begin, end = (bisect_left(table["key"], (i << 64) // partitions) for i in (partition, partition + 1))
    return np.array(table[begin:end])
