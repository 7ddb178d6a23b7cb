"""Count every gram of the highest order, by sort, in bounded memory.

Ids are gathered in a file; blocks of them are packed, sorted and added up (filters/ngram/radix_sort.py), and each block
goes to disk as a sorted run. Runs are merged two by two, the smallest first, through mapped files. A block of ``n``
tokens takes 40 bytes each, whatever the corpus.
"""

import heapq
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gristmill.filters.ngram.radix_sort import add_equal, merge, pack, sort_keys
from gristmill.filters.ngram.token_stream import BEGIN

BYTES_PER_TOKEN = 40  # of a block: two keys, twice, and a count
MIN_BLOCK = 1 << 10


class SortedRun(NamedTuple):
    """Sorted distinct keys and how often each occurs."""

    high: np.ndarray  # uint64[n]
    low: np.ndarray  # uint64[n]
    counts: np.ndarray  # uint32[n]


class IdSpool:
    """Ids on disk, in the order they come."""

    def __init__(self, path: Path):
        self.path, self.size = path, 0
        self.file = path.open("wb")

    def add(self, ids: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(ids, np.uint32).data)
        self.size += ids.size

    def read(self) -> np.ndarray:
        self.file.close()
        return np.memmap(self.path, np.uint32, "r") if self.size else np.empty(0, np.uint32)


def count_ngrams(
    ids: np.ndarray, mapping: np.ndarray, order: int, bits: int, memory_bytes: int, scratch: Path
) -> SortedRun:
    """A stream of ids -> its grams of ``order`` words, those at the beginning of a line padded with <s>."""
    block = max(memory_bytes // BYTES_PER_TOKEN, MIN_BLOCK)
    heap, done = [], 0
    while done < ids.size:
        end = _line_end(ids, min(done + block, ids.size))
        run = _sorted(ids[done:end], mapping, order, bits)
        heap.append((run.counts.size, len(heap), run if end == ids.size and not heap else _spill(run, scratch, done)))
        done = end
    heapq.heapify(heap)
    number = len(heap)
    while len(heap) > 1:
        _, _, a = heapq.heappop(heap)
        _, _, b = heapq.heappop(heap)
        run = _merged(a, b, scratch, number)
        heapq.heappush(heap, (run.counts.size, number, run))
        number += 1
    return heap[0][2] if heap else SortedRun(*(np.empty(0, kind) for kind in KINDS))


KINDS = (np.uint64, np.uint64, np.uint32)


def _line_end(ids: np.ndarray, end: int) -> int:
    """The first end of a line at or behind ``end``: no gram reaches over it."""
    while end < ids.size and ids[end] != BEGIN:
        end += 1
    return end


def _sorted(ids: np.ndarray, mapping: np.ndarray, order: int, bits: int) -> SortedRun:
    high, low = np.empty(ids.size, np.uint64), np.empty(ids.size, np.uint64)
    n = pack(ids, mapping, order, bits, high, low)
    high, low = sort_keys(high[:n], low[:n], order, bits)
    counts = np.empty(n, np.uint32)
    n = add_equal(high, low, counts)
    return SortedRun(high[:n], low[:n], counts[:n])


def _spill(run: SortedRun, scratch: Path, number: int) -> SortedRun:
    """The run in files instead of memory."""
    paths = [scratch / f"run-{number}-{part}" for part in SortedRun._fields]
    for path, array in zip(paths, run, strict=True):
        array.tofile(path)
    return SortedRun(*(np.memmap(path, kind, "r") for path, kind in zip(paths, KINDS, strict=True)))


def _merged(a: SortedRun, b: SortedRun, scratch: Path, number: int) -> SortedRun:
    most = a.counts.size + b.counts.size
    paths = [scratch / f"merged-{number}-{part}" for part in SortedRun._fields]
    out = [np.memmap(path, kind, "w+", shape=most) for path, kind in zip(paths, KINDS, strict=True)]
    n = merge(*a, *b, *out)
    for old in (a, b):
        for array in old:
            Path(array.filename).unlink()
    return SortedRun(*(array[:n] for array in out))
