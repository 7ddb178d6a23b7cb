"""Verification of candidates: Jaccard similarity and containment of whole shingle sets."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged


class ShingleSets:
    """Shingle sets of many documents in a file. Memory: 8 bytes per document, and the sets being compared."""

    def __init__(self, path: Path):
        self.path, self.size, self.ends = path, 0, [np.zeros(1, np.int64)]

    def append(self, sets: Ragged) -> None:
        """Add the sets of the next documents."""
        with self.path.open("ab") as file:
            sets.data.tofile(file)
        self.ends.append(self.size + sets.offsets[1:])
        self.size += int(sets.offsets[-1])

    @property
    def offsets(self) -> np.ndarray:
        """Begin of each set in the file, and the end of the last: int64[n + 1]."""
        if len(self.ends) > 1:  # once, not at each call of `append`: a corpus has thousands of row groups
            self.ends = [np.concatenate(self.ends)]
        return self.ends[0]

    def compare(self, left: np.ndarray, right: np.ndarray, threshold: float, memory: int) -> tuple:
        """Return the Jaccard similarity of each pair of set numbers, and the share of the left set found in the right.

        Pairs whose sizes exclude the threshold get 0 without being compared; so do empty sets.
        """
        similarity, containment = np.zeros(left.size), np.zeros(left.size)
        sizes = np.diff(self.offsets)
        ends = np.cumsum(8 * (sizes[left] + sizes[right]))
        begin = 0
        while begin < left.size:  # as many pairs as fit the memory if none shared a document
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
        """Read the sets of ascending documents, adjacent ones in one read.

        mmap is not used: Linux maps 16 pages around each touched one, so the whole file counted as memory.
        """
        begins, ends = self.offsets[documents], self.offsets[documents + 1]
        offsets = np.append(0, np.cumsum(ends - begins))
        data = np.empty(offsets[-1], np.uint64)
        runs = np.append(np.flatnonzero(np.diff(documents, prepend=-2) != 1), documents.size)
        if data.size:
            with self.path.open("rb", buffering=0) as file:
                for first, last in pairwise(runs.tolist()):
                    file.seek(8 * int(begins[first]))
                    room = data[offsets[first] : offsets[last]].data.cast("B")
                    while room:  # one read returns at most 2 GB
                        room = room[file.readinto(room) :]
        return Ragged(offsets, data)


@allocating_kernel
def intersections(offsets, data, left, right, threshold):
    """Count the common elements of each pair of sorted sets; 0 if their sizes exclude the threshold."""
    common = np.zeros(left.size, np.int64)
    for pair in range(left.size):
        i, i_end = offsets[left[pair]], offsets[left[pair] + 1]
        j, j_end = offsets[right[pair]], offsets[right[pair] + 1]
        if min(i_end - i, j_end - j) < threshold * max(i_end - i, j_end - j) - 1:
            continue
        shared = 0
        while i < i_end and j < j_end:  # branchless: 2 ns per step
            a, b = data[i], data[j]
            shared += a == b
            i += a <= b
            j += b <= a
        common[pair] = shared
    return common
