"""Comparison of candidates: by their words, and with marks where one of the two is dense in symbols."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from gristmill.dedup.near.marks import DENSE, live_bytes, marked_shingle_sets, symbol_shares
from gristmill.dedup.near.shingles import shingle_sets
from gristmill.dedup.near.verify import ShingleSets
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.canonical import canonical


class Similarities(NamedTuple):
    """Similarities of pairs."""

    words: np.ndarray  # Jaccard similarity of the sets of shingles
    containment: np.ndarray  # share of the left set that is in the right one
    marks: np.ndarray  # Jaccard similarity of the sets with marks; NaN where it was not needed


class CandidateSets:
    """Sets of all candidates in two files of a folder. Memory: 17 bytes per candidate, and the sets being compared."""

    def __init__(self, scratch: Path, threshold: float, memory: int):
        self.words, self.marked = ShingleSets(scratch / "shingles.u64"), ShingleSets(scratch / "marked.u64")
        self.flags = [np.zeros(0, np.bool_)]  # of each call of `append`
        self.threshold, self.memory = threshold, memory

    @property
    def dense(self) -> np.ndarray:
        """Flags of the candidates that are dense in symbols, bool[n]."""
        if len(self.flags) > 1:
            self.flags = [np.concatenate(self.flags)]
        return self.flags[0]

    @property
    def nbytes(self) -> int:
        """Bytes held in memory for all candidates."""
        return self.words.offsets.nbytes + self.marked.offsets.nbytes + self.dense.nbytes

    def append(self, words: Ragged, marked: Ragged, dense: np.ndarray) -> None:
        """Add the sets of the next candidates; `candidate_sets` returns the arguments."""
        self.words.append(words)
        self.marked.append(marked)
        self.flags.append(dense)

    def compare(self, left: np.ndarray, right: np.ndarray) -> Similarities:
        """Compare pairs of candidates; with marks only pairs that are alike by their words."""
        words, containment = self.words.compare(left, right, self.threshold, self.memory)
        marks = np.full(left.size, np.nan)
        needed = np.flatnonzero((words >= self.threshold) & (self.dense[left] | self.dense[right]))
        marks[needed] = self.marked.compare(left[needed], right[needed], self.threshold, self.memory)[0]
        return Similarities(words, containment, marks)

    def are_alike(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return bool[p]: pairs at or above the threshold in every similarity that is needed."""
        found = self.compare(left, right)
        return (found.words >= self.threshold) & ~(found.marks < self.threshold)


def candidate_sets(
    text: Ragged, shingle_size: int, shingle_size_unspaced: int
) -> tuple[Ragged, Ragged, np.ndarray, np.ndarray]:
    """Return the documents' sets of shingles, those with marks, bool[n]: dense in symbols, and `live_bytes`."""
    compared = canonical(text)
    shares = symbol_shares(compared)
    sets = shingle_sets(compared, shingle_size, shingle_size_unspaced)
    dense = shares >= DENSE
    return sets, marked_shingle_sets(compared, shares, shingle_size), dense, live_bytes(text, dense)
