"""Verify: how alike two candidates truly are, by their whole shingle sets."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from numba import njit

from gristmill.pipelines.ragged import Ragged


class ShingleSets:
    """Sets of many documents in a file, for pairs in any order. Memory: 8 bytes a document, and the sets compared."""

    def __init__(self, path: Path):
        self.path, self.offsets = path, np.zeros(1, np.int64)

    def append(self, sets: Ragged) -> None:
        """Add the sets of the next documents."""
        with self.path.open("ab") as file:
            sets.data.tofile(file)
        self.offsets = np.concatenate((self.offsets, self.offsets[-1] + sets.offsets[1:]))

    def compare(self, left: np.ndarray, right: np.ndarray, threshold: float, memory: int) -> tuple:
        """Jaccard similarity of each pair of set numbers, and the share of the left set that lies in the right.

        Pairs whose sizes alone keep them below the threshold are not looked at and get 0, as do empty sets.
        """
        similarity, containment = np.zeros(left.size), np.zeros(left.size)
        sizes = np.diff(self.offsets)
        ends = np.cumsum(8 * (sizes[left] + sizes[right]))
        begin = 0
        while begin < left.size:  # as many pairs at a time as fit the memory if no two shared a document
            end = max(int(np.searchsorted(ends, (ends[begin - 1] if begin else 0) + memory, "right")), begin + 1)
            some = slice(begin, end)
            documents, which = np.unique(np.concatenate((left[some], right[some])), return_inverse=True)
            common = intersections(*self.read(documents), *which.reshape(2, -1), threshold)
            a, b = sizes[left[some]], sizes[right[some]]
            similarity[some] = common / np.maximum(a + b - common, 1)
            containment[some] = common / np.maximum(a, 1)
            begin = end
        return similarity, containment

    def read(self, documents: np.ndarray) -> Ragged:
        """The sets of ascending documents, neighbours in one read.

        Not by mmap: the kernel maps 16 pages around each that is touched, so that all of the file came to count.
        """
        begins, ends = self.offsets[documents], self.offsets[documents + 1]
        offsets = np.append(0, np.cumsum(ends - begins))
        data = np.empty(offsets[-1], np.uint64)
        runs = np.append(np.flatnonzero(np.diff(documents, prepend=-2) != 1), documents.size)
        if data.size:
            with self.path.open("rb", buffering=0) as file:
                for first, last in pairwise(runs.tolist()):
                    file.seek(8 * int(begins[first]))
                    room = memoryview(data[offsets[first] : offsets[last]]).cast("B")
                    while room:  # one read gives at most 2 GB
                        room = room[file.readinto(room) :]
        return Ragged(offsets, data)


@njit(nogil=True, cache=True)
def intersections(offsets, data, left, right, threshold):
    """How many elements the sorted sets of each pair share; 0 where their sizes keep them below the threshold."""
    common = np.zeros(left.size, np.int64)
    for pair in range(left.size):
        i, i_end = offsets[left[pair]], offsets[left[pair] + 1]
        j, j_end = offsets[right[pair]], offsets[right[pair] + 1]
        if min(i_end - i, j_end - j) < threshold * max(i_end - i, j_end - j) - 1:
            continue
        shared = 0
        while i < i_end and j < j_end:  # without branches: 2 ns a step
            a, b = data[i], data[j]
            shared += a == b
            i += a <= b
            j += b <= a
        common[pair] = shared
    return common
