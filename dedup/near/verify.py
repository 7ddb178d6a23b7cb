"""Verification of candidates: Jaccard similarity and containment of whole shingle sets."""

from pathlib import Path

import numpy as np

from gristmill.dedup.ragged_file import RaggedFile
from gristmill.pipelines.kernels.intrinsics import allocating_kernel


class ShingleSets(RaggedFile):
    """Shingle sets of many documents in a file. Memory: 8 bytes per document, and the sets being compared."""

    def __init__(self, path: Path):
        super().__init__(path, np.dtype(np.uint64))

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
