"""Who stays: the first of alike documents, decided in rounds over buckets of candidates.

Documents are numbered in the order they would be kept: 0 before 1. A document stays unless one *that stays* and
comes before it is alike. This is the greedy choice, made without going through the documents one by one:

1. Propose. In each bucket, each undecided document names the first members before it that are not removed and that
   it has not been compared with: one in the first round, twice as many in each that follows. So a bucket of n
   copies takes n comparisons, not n^2 / 2.
2. Verify. The proposals of all buckets, each pair once, are compared by their whole shingle sets.
3. Decide, in the order of the numbers. Alike to one that stays: removed. Alike to an undecided one: waits.
   Nobody left to be compared with: stays.

So every removed document has a kept one at or above the threshold, always. And no two kept ones of one bucket are
alike, unless a document met ``max_trials`` unlike ones in that bucket before (``cut`` says which did).
Proposals depend on the buckets and the state alone, so rounds may run on any number of machines.

Memory: 11 bytes a candidate document, 8 for each pair compared whose document is undecided yet, and the buckets of
one partition at a time.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numba import njit

Buckets = tuple[np.ndarray, np.ndarray]  # offsets int64[b + 1], members int32, ascending in each bucket
UNDECIDED = np.int32(-1)
MAX_WINDOW = 32  # proposals of one document in one bucket and round: bounds what a round holds in memory
HALF = np.uint64(32)  # a pair is document << 32 | earlier document
LOW = np.uint64(0xFFFFFFFF)


class GreedySelection:
    """The choice among ``documents`` documents, and the clusters of alike ones."""

    def __init__(self, documents: int, max_trials: int, old: int = 0, keepers: int | None = None):
        """The first ``old`` documents stay, alike or not; only the first ``keepers`` keep others out, else all do."""
        self.max_trials, self.keepers = max_trials, documents if keepers is None else keepers
        self.kept_by = np.full(documents, UNDECIDED, np.int32)  # itself where it stays
        self.kept_by[:old] = np.arange(old)
        self.cluster = np.arange(documents, dtype=np.int32)  # union-find; a root is the cluster's first document
        self.alike = self.unlike = np.zeros(0, np.uint64)  # compared pairs of undecided documents, ascending
        self.cut = np.zeros(documents, np.bool_)
        self.compared = self.rounds = self.bytes = 0  # bytes: the most that its arrays took at once

    def run(self, buckets: Callable[[], Iterable[Buckets]], are_alike: Callable) -> None:
        """``buckets()`` goes through all partitions; ``are_alike(documents, earlier) -> bool`` verifies pairs."""
        window = 1
        while (self.kept_by == UNDECIDED).any():
            more = np.zeros(self.kept_by.size, np.bool_)
            pairs = self._propose(buckets(), window, more)
            pairs_held = 2 * pairs.nbytes + self.alike.nbytes + self.unlike.nbytes
            arrays = (self.kept_by, self.cluster, self.cut, more, more)  # twice: who waits
            self.bytes = max(self.bytes, pairs_held + sum(array.nbytes for array in arrays))
            alike = are_alike((pairs >> HALF).astype(np.int64), (pairs & LOW).astype(np.int64))
            self._remember(pairs[alike], pairs[~alike])
            decide(self.kept_by, self.alike, more)
            self._forget_decided()
            window = min(2 * window, MAX_WINDOW)
            self.rounds += 1
            self.compared += pairs.size
        compress(self.cluster)

    def _propose(self, buckets: Iterable[Buckets], window: int, more: np.ndarray) -> np.ndarray:
        waits = np.zeros(self.kept_by.size, np.bool_)
        waits[(self.alike >> HALF).astype(np.int64)] = True
        more |= waits
        found = [np.zeros(0, np.uint64)]
        for offsets, members in buckets:
            state = (self.kept_by, waits, self.unlike, more, self.cut)
            found.append(np.unique(propose_pairs(offsets, members, *state, window, self.max_trials, self.keepers)))
        return np.unique(np.concatenate(found))

    def _remember(self, alike: np.ndarray, unlike: np.ndarray) -> None:
        union(self.cluster, alike)
        self.alike = np.sort(np.concatenate((self.alike, alike)))
        self.unlike = np.sort(np.concatenate((self.unlike, unlike)))

    def _forget_decided(self) -> None:
        """Drop the pairs that say nothing any more: of a document that is decided, or with one that is removed."""
        stays = (self.kept_by == UNDECIDED) | (self.kept_by == np.arange(self.kept_by.size))
        for name in ("alike", "unlike"):
            pairs = getattr(self, name)
            undecided = self.kept_by[(pairs >> HALF).astype(np.int64)] == UNDECIDED
            setattr(self, name, pairs[undecided & stays[(pairs & LOW).astype(np.int64)]])


@njit(nogil=True, cache=True)
def propose_pairs(offsets, members, kept_by, waits, unlike, more, cut, window, max_trials, keepers):
    """Pairs to compare, uint64[p] with repeats.

    Sets ``more`` where the window left some for another round, ``cut`` where ``max_trials`` left some for good.
    """
    room = 0
    for bucket in range(offsets.size - 1):
        for i in range(offsets[bucket], offsets[bucket + 1]):
            if kept_by[members[i]] == UNDECIDED:
                room += min(window, i - offsets[bucket])
    pairs, found = np.empty(room, np.uint64), 0
    left = np.empty(members.size, np.int32)
    for bucket in range(offsets.size - 1):
        stay = 0  # members of the bucket so far that are not removed
        for i in range(offsets[bucket], offsets[bucket + 1]):
            document = members[i]
            if kept_by[document] == UNDECIDED and not waits[document]:
                base = np.uint64(document) << HALF
                seen = np.searchsorted(unlike, base)
                fresh = trials = 0
                for j in range(stay):
                    pair = base | np.uint64(left[j])
                    while seen < unlike.size and unlike[seen] < pair:
                        seen += 1
                    if seen < unlike.size and unlike[seen] == pair:
                        trials += 1
                    elif trials >= max_trials:
                        cut[document] = True
                        break
                    elif fresh < window:
                        pairs[found] = pair
                        found += 1
                        fresh += 1
                    else:
                        more[document] = True
                        break
            if document < keepers and (kept_by[document] == UNDECIDED or kept_by[document] == document):
                left[stay] = document
                stay += 1
    return pairs[:found]


@njit(nogil=True, cache=True)
def decide(kept_by, alike, more):
    """Settle, in order, each undecided document whose earlier alike ones are settled."""
    at = 0
    for document in range(kept_by.size):
        waits = False
        while at < alike.size and np.int64(alike[at] >> HALF) == document:
            earlier = np.int64(alike[at] & LOW)
            if kept_by[document] == UNDECIDED and kept_by[earlier] == earlier:
                kept_by[document] = earlier
            waits = waits or kept_by[earlier] == UNDECIDED
            at += 1
        if kept_by[document] == UNDECIDED and not waits and not more[document]:
            kept_by[document] = document


@njit(nogil=True, cache=True)
def union(cluster, pairs):
    """Union the two documents of each pair; of two roots the first document becomes the root of both."""
    for pair in pairs:
        a, b = find(cluster, np.int64(pair >> HALF)), find(cluster, np.int64(pair & LOW))
        cluster[max(a, b)] = min(a, b)


@njit(nogil=True, cache=True)
def find(cluster, document):
    while cluster[document] != document:
        cluster[document] = cluster[cluster[document]]
        document = cluster[document]
    return document


@njit(nogil=True, cache=True)
def compress(cluster):
    """Every document points at its root."""
    for document in range(cluster.size):  # a root comes before its members
        cluster[document] = cluster[cluster[document]]
