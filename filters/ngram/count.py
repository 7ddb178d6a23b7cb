"""Counting of all n-grams of the highest order by external sorting, in bounded memory.

Ids are spooled to a file. Blocks of them are packed, sorted and counted (radix_sort.py), and each block is spilled to
disk as a sorted run. Runs are merged in pairs, the smallest first, through mapped files. A block takes 40 bytes per
token, whatever the corpus.
"""

import heapq
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gristmill.filters.ngram.radix_sort import add_equal, merge, pack, sort_keys
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.storage.files import mapped_array

BYTES_PER_TOKEN = 40  # of a block: both halves of a key, twice, and a count
MIN_BLOCK = 1 << 10  # tokens


class SortedRun(NamedTuple):
    """Sorted distinct keys with their counts."""

    high: np.ndarray  # uint64[n]
    low: np.ndarray  # uint64[n]
    counts: np.ndarray  # uint32[n]


class IdSpool:
    """A temporary file of ids, in the order they are added."""

    def __init__(self, path: Path):
        self.path, self.size = path, 0
        self.file = path.open("wb")

    def add(self, ids: np.ndarray) -> None:
        """Append ids, written as uint32."""
        self.file.write(np.ascontiguousarray(ids, np.uint32).data)
        self.size += ids.size

    def read(self) -> np.ndarray:
        """Close the file and map its ids, uint32."""
        self.file.close()
        return np.memmap(self.path, np.uint32, "r") if self.size else np.empty(0, np.uint32)


def count_ngrams(
    ids: np.ndarray, mapping: np.ndarray, order: int, bits: int, memory_bytes: int, scratch: Path
) -> SortedRun:
    """Return the n-grams of ``order`` words in a stream of ids, padded with <s> at the beginning of a line.

    ``mapping`` turns the stream's ids into those of the vocabulary; a key takes ``bits`` per id.
    """
    block = max(memory_bytes // BYTES_PER_TOKEN, MIN_BLOCK)
    heap: list[tuple[int, int, SortedRun]] = []
    done = 0
    while done < ids.size:
        end = _line_end(ids, min(done + block, ids.size))
        run = _sort_block(ids[done:end], mapping, order, bits)
        heap.append((run.counts.size, len(heap), run if end == ids.size and not heap else _spill(run, scratch, done)))
        done = end
    heapq.heapify(heap)
    number = len(heap)
    while len(heap) > 1:
        _, _, a = heapq.heappop(heap)
        _, _, b = heapq.heappop(heap)
        run = _merge_runs(a, b, scratch, number)
        heapq.heappush(heap, (run.counts.size, number, run))
        number += 1
    return heap[0][2] if heap else SortedRun(*(np.empty(0, kind) for kind in KINDS))


KINDS = (np.uint64, np.uint64, np.uint32)


def _line_end(ids: np.ndarray, end: int) -> int:
    """Return the first line end at or after ``end``: no n-gram crosses it."""
    while end < ids.size and ids[end] != BEGIN:
        end += 1
    return end


def _sort_block(ids: np.ndarray, mapping: np.ndarray, order: int, bits: int) -> SortedRun:
    high, low = np.empty(ids.size, np.uint64), np.empty(ids.size, np.uint64)
    n = pack(ids, mapping, order, bits, high, low)
    high, low = sort_keys(high[:n], low[:n], order, bits)
    counts = np.empty(n, np.uint32)
    n = add_equal(high, low, counts)
    return SortedRun(high[:n], low[:n], counts[:n])


def _spill(run: SortedRun, scratch: Path, number: int) -> SortedRun:
    """Move a run from memory to mapped files."""
    paths = [scratch / f"run-{number}-{part}" for part in SortedRun._fields]
    for path, array in zip(paths, run, strict=True):
        array.tofile(path)
    return SortedRun(*(np.memmap(path, kind, "r") for path, kind in zip(paths, KINDS, strict=True)))


def _merge_runs(a: SortedRun, b: SortedRun, scratch: Path, number: int) -> SortedRun:
    most = a.counts.size + b.counts.size
    paths = [scratch / f"merged-{number}-{part}" for part in SortedRun._fields]
    out = [mapped_array(path, kind, most) for path, kind in zip(paths, KINDS, strict=True)]
    n = merge(*a, *b, *out)
    for array in (*a, *b):
        if isinstance(array, np.memmap):
            Path(str(array.filename)).unlink()
    return SortedRun(*(array[:n] for array in out))
