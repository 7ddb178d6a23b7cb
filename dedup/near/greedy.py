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
alike, unless a document met ``max_comparisons`` unlike ones in that bucket before (``limit_reached`` says which did).
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

    def __init__(self, documents: int, max_comparisons: int, n_indexed: int = 0, n_keepers: int | None = None):
        """The first ``n_indexed`` stay, alike or not; only the first ``n_keepers`` keep others out, else all."""
        self.max_comparisons, self.n_keepers = max_comparisons, documents if n_keepers is None else n_keepers
        self.kept_by = np.full(documents, UNDECIDED, np.int32)  # itself where it stays
        self.kept_by[:n_indexed] = np.arange(n_indexed)
        self.cluster = np.arange(documents, dtype=np.int32)  # union-find; a root is the cluster's first document
        self.matched = self.rejected = np.zeros(0, np.uint64)  # compared pairs of undecided documents, ascending
        self.limit_reached = np.zeros(documents, np.bool_)
        self.compared = self.rounds = self.bytes = 0  # bytes: the most that its arrays took at once

    def run(self, buckets: Callable[[], Iterable[Buckets]], are_alike: Callable) -> None:
        """``buckets()`` goes through all partitions; ``are_alike(documents, earlier) -> bool`` verifies pairs."""
        window = 1
        while (self.kept_by == UNDECIDED).any():
            unfinished = np.zeros(self.kept_by.size, np.bool_)
            pairs = self._propose(buckets(), window, unfinished)
            pairs_held = 2 * pairs.nbytes + self.matched.nbytes + self.rejected.nbytes
            arrays = (self.kept_by, self.cluster, self.limit_reached, unfinished, unfinished)  # twice: one is `pending`
            self.bytes = max(self.bytes, pairs_held + sum(array.nbytes for array in arrays))
            alike = are_alike((pairs >> HALF).astype(np.int64), (pairs & LOW).astype(np.int64))
            self._record(pairs[alike], pairs[~alike])
            decide(self.kept_by, self.matched, unfinished)
            self._drop_decided()
            window = min(2 * window, MAX_WINDOW)
            self.rounds += 1
            self.compared += pairs.size
        compress(self.cluster)

    def _propose(self, buckets: Iterable[Buckets], window: int, unfinished: np.ndarray) -> np.ndarray:
        pending = np.zeros(self.kept_by.size, np.bool_)
        pending[(self.matched >> HALF).astype(np.int64)] = True
        unfinished |= pending
        found = [np.zeros(0, np.uint64)]
        for offsets, members in buckets:
            state = (self.kept_by, pending, self.rejected, unfinished, self.limit_reached)
            found.append(
                np.unique(propose_pairs(offsets, members, *state, window, self.max_comparisons, self.n_keepers))
            )
        return np.unique(np.concatenate(found))

    def _record(self, matched: np.ndarray, rejected: np.ndarray) -> None:
        union(self.cluster, matched)
        self.matched = np.sort(np.concatenate((self.matched, matched)))
        self.rejected = np.sort(np.concatenate((self.rejected, rejected)))

    def _drop_decided(self) -> None:
        """Drop the pairs that say nothing any more: of a document that is decided, or with one that is removed."""
        relevant = (self.kept_by == UNDECIDED) | (self.kept_by == np.arange(self.kept_by.size))
        for name in ("matched", "rejected"):
            pairs = getattr(self, name)
            undecided = self.kept_by[(pairs >> HALF).astype(np.int64)] == UNDECIDED
            setattr(self, name, pairs[undecided & relevant[(pairs & LOW).astype(np.int64)]])


@njit(nogil=True, cache=True)
def propose_pairs(
    offsets, members, kept_by, pending, rejected, unfinished, limit_reached, window, max_comparisons, n_keepers
):
    """Pairs to compare, uint64[p] with repeats.

    Sets ``unfinished`` where the window left some for another round, ``limit_reached`` where ``max_comparisons`` left
    some for good.
    """
    room = 0
    for bucket in range(offsets.size - 1):
        for i in range(offsets[bucket], offsets[bucket + 1]):
            if kept_by[members[i]] == UNDECIDED:
                room += min(window, i - offsets[bucket])
    pairs, n_pairs = np.empty(room, np.uint64), 0
    left = np.empty(members.size, np.int32)
    for bucket in range(offsets.size - 1):
        n_left = 0  # members of the bucket so far that are not removed
        for i in range(offsets[bucket], offsets[bucket + 1]):
            document = members[i]
            if kept_by[document] == UNDECIDED and not pending[document]:
                base = np.uint64(document) << HALF
                seen = np.searchsorted(rejected, base)
                proposed = compared = 0
                for j in range(n_left):
                    pair = base | np.uint64(left[j])
                    while seen < rejected.size and rejected[seen] < pair:
                        seen += 1
                    if seen < rejected.size and rejected[seen] == pair:
                        compared += 1
                    elif compared >= max_comparisons:
                        limit_reached[document] = True
                        break
                    elif proposed < window:
                        pairs[n_pairs] = pair
                        n_pairs += 1
                        proposed += 1
                    else:
                        unfinished[document] = True
                        break
            if document < n_keepers and (kept_by[document] == UNDECIDED or kept_by[document] == document):
                left[n_left] = document
                n_left += 1
    return pairs[:n_pairs]


@njit(nogil=True, cache=True)
def decide(kept_by, matched, unfinished):
    """Settle, in order, each undecided document whose earlier alike ones are settled."""
    at = 0
    for document in range(kept_by.size):
        pending = False
        while at < matched.size and np.int64(matched[at] >> HALF) == document:
            earlier = np.int64(matched[at] & LOW)
            if kept_by[document] == UNDECIDED and kept_by[earlier] == earlier:
                kept_by[document] = earlier
            pending = pending or kept_by[earlier] == UNDECIDED
            at += 1
        if kept_by[document] == UNDECIDED and not pending and not unfinished[document]:
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
