"""Bands: documents whose signatures agree in all rows of some band are candidates.

1. A signature of k lanes is cut into b bands of r rows. Two documents of Jaccard J agree in one band with chance
   J^r, in some band with 1 - (1 - J^r)^b. Candidates are verified, so bands need not be precise, only complete.
2. Each band folds to one 64-bit key that has the band's number in it. Map: every shard writes its (key, document)
   rows sorted by key. Partition: the highest bits of the key. Reduce: a partition gathers its slice of every
   shard, sorts it, and keeps the buckets, keys that several documents share.
3. By chance alone two of N documents share a key with b N^2 / 2^65; such a candidate fails verification.

At 10^10 documents and 21 bands: 3.4 TB of rows, 1,024 partitions of 3.3 GB, each sorted and reduced alone.
"""

import numpy as np
from numba import njit
from upath import UPath

from gristmill.dedup.near.shingles import THIRTY_TWO, scramble
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO
from gristmill.pipelines.storage.files import atomic_write

ROW = np.dtype([("key", np.uint64), ("document", np.int64)])


def optimal_bands(threshold: float, num_perm: int, recall: float) -> tuple[int, int]:
    """Bands and rows: the most rows with which a pair *at* the threshold still becomes a candidate with ``recall``.

    More rows mean fewer candidates to verify. A pair above the threshold is found with a greater chance yet.
    """
    for rows in range(num_perm, 1, -1):
        if collision_probability(threshold, num_perm // rows, rows) >= recall:
            return num_perm // rows, rows
    return num_perm, 1


def collision_probability(similarity: float, bands: int, rows: int) -> float:
    """The chance that two documents of this Jaccard similarity become candidates."""
    return 1 - (1 - similarity**rows) ** bands


@njit(nogil=True, cache=True)
def band_hashes(signatures, bands, rows):
    """uint32[n, k] -> uint64[n, bands]."""
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
    """Map: the band rows of one shard, sorted by key; ``documents`` int64[n] are the documents' numbers."""
    write_keys(path, band_hashes(signatures, bands, rows), documents)


def write_keys(path: UPath, keys: np.ndarray, documents: np.ndarray) -> None:
    """The same of keys, uint64[n, bands]."""
    table = np.empty(keys.size, ROW)
    table["key"] = keys.ravel()
    table["document"] = np.repeat(documents, keys.shape[1])
    with atomic_write(path) as file:
        np.save(file, table[np.argsort(table["key"])])


def read_buckets(paths: list[UPath], partition: int, partitions: int) -> tuple[np.ndarray, np.ndarray]:
    """Reduce: the buckets of one partition as offsets int64[m + 1] and documents int64, ascending in each bucket.

    The answer does not depend on how documents are spread over the files.
    """
    rows = np.concatenate([np.zeros(0, ROW), *(_slice(path, partition, partitions) for path in paths)])
    return group(rows["key"], rows["document"])


def group(keys: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keys that several documents share, as offsets into the documents; one that has a key twice counts once."""
    order = np.argsort(keys)  # by keys alone, and what occurs once goes: ordering all by both takes 2.6 times as long
    keys = keys[order]
    same = keys[1:] == keys[:-1]
    some = np.append(same, False)[: keys.size] | np.append(False, same)[: keys.size]
    keys, documents = keys[some], documents[order[some]]
    order = np.lexsort((documents, keys))
    keys, documents = keys[order], documents[order]
    fresh = np.append(True, (keys[1:] != keys[:-1]) | (documents[1:] != documents[:-1]))[: keys.size]
    keys, documents = keys[fresh], documents[fresh]
    begins = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: keys.size])
    sizes = np.diff(np.append(begins, keys.size))
    shared = np.repeat(sizes > 1, sizes)
    return np.concatenate(([0], np.cumsum(sizes[sizes > 1]))).astype(np.int64), documents[shared]


def _slice(path: UPath, partition: int, partitions: int) -> np.ndarray:
    """The rows of a sorted file whose key falls in the partition; only their pages are read."""
    table = np.load(path, mmap_mode="r")
    ends = [np.searchsorted(table["key"], np.uint64((i << 64) // partitions)) for i in range(1, partitions)]
    begin, end = ([0, *ends, table.size][i] for i in (partition, partition + 1))
    return np.array(table[begin:end])
