"""Greedy selection of the documents to keep, in rounds over buckets of candidates.

Documents are numbered in keep order. A document is kept unless an earlier *kept* document is alike. The rounds give
the same result as a loop over the documents, without comparing all pairs:

1. Propose. In each bucket, each undecided document proposes the first earlier members that are not dropped and not
   yet compared with it: one in the first round, twice as many in each round after. So a bucket of n copies takes
   n comparisons, not n^2 / 2.
2. Verify. The proposed pairs of all buckets are compared once each, by their whole shingle sets.
3. Decide, in keep order. A document alike to a kept one is dropped. One alike to an undecided one waits. One that has
   nothing left to be compared with is kept.

So every dropped document has a kept one at or above the threshold, always. No two kept documents of one bucket are
alike, unless one of them met ``max_comparisons`` unlike documents in it before (``limit_reached``). Proposals depend
on the buckets and the state only, so rounds may run on any number of machines.

Memory: 11 bytes per candidate, 8 per compared pair of an undecided document, and the buckets of one partition.
"""

from collections.abc import Callable, Iterable

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel

Buckets = tuple[np.ndarray, np.ndarray]  # offsets int64[b + 1], members int32, ascending in each bucket
UNDECIDED = np.int32(-1)
MAX_WINDOW = 32  # proposals per document, bucket and round: bounds the memory of a round
HALF = np.uint64(32)  # a pair is document << 32 | earlier document
LOW = np.uint64(0xFFFFFFFF)


class GreedySelection:
    """Selection among documents 0 to ``documents`` - 1 in keep order, and the clusters of alike documents."""

    def __init__(self, documents: int, max_comparisons: int, n_indexed: int = 0, n_keepers: int | None = None):
        """Keep the first ``n_indexed`` documents unconditionally; let the first ``n_keepers`` only drop others.

        Without ``n_keepers`` every kept document drops those alike to it.
        """
        self.max_comparisons, self.n_keepers = max_comparisons, documents if n_keepers is None else n_keepers
        self.kept_by = np.full(documents, UNDECIDED, np.int32)  # the kept document alike to it; itself if kept
        self.kept_by[:n_indexed] = np.arange(n_indexed)
        self.cluster = np.arange(documents, dtype=np.int32)  # union-find; a root is the cluster's first document
        self.matched = self.rejected = np.zeros(0, np.uint64)  # compared pairs of undecided documents, ascending
        self.limit_reached = np.zeros(documents, np.bool_)
        self.compared = self.rounds = self.bytes = 0  # bytes: peak size of all arrays

    def run(self, buckets: Callable[[], Iterable[Buckets]], are_alike: Callable) -> None:
        """Decide all documents: ``buckets()`` yields the partitions, ``are_alike(documents, earlier)`` bool[p]."""
        window = 1
        while (self.kept_by == UNDECIDED).any():
            unfinished = np.zeros(self.kept_by.size, np.bool_)
            pairs = self._propose(buckets(), window, unfinished)
            pairs_held = 2 * pairs.nbytes + self.matched.nbytes + self.rejected.nbytes
            arrays = (self.kept_by, self.cluster, self.limit_reached, unfinished, unfinished)  # one is `pending`
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
        state = (self.kept_by, pending, self.rejected, unfinished, self.limit_reached)
        limits = (window, self.max_comparisons, self.n_keepers)
        found = [np.unique(propose_pairs(offsets, members, *state, *limits)) for offsets, members in buckets]
        return np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))

    def _record(self, matched: np.ndarray, rejected: np.ndarray) -> None:
        union(self.cluster, matched)
        self.matched = np.sort(np.concatenate((self.matched, matched)))
        self.rejected = np.sort(np.concatenate((self.rejected, rejected)))

    def _drop_decided(self) -> None:
        """Drop the pairs of documents that are decided, and pairs with an earlier document that is dropped."""
        relevant = (self.kept_by == UNDECIDED) | (self.kept_by == np.arange(self.kept_by.size))
        for name in ("matched", "rejected"):
            pairs = getattr(self, name)
            undecided = self.kept_by[(pairs >> HALF).astype(np.int64)] == UNDECIDED
            setattr(self, name, pairs[undecided & relevant[(pairs & LOW).astype(np.int64)]])


@allocating_kernel
def propose_pairs(
    offsets, members, kept_by, pending, rejected, unfinished, limit_reached, window, max_comparisons, n_keepers
):
    """Return the pairs to compare, uint64[p], with repeats.

    Set ``unfinished`` for documents with proposals left for another round, and ``limit_reached`` for documents that
    ``max_comparisons`` stopped.
    """
    room = 0
    for bucket in range(offsets.size - 1):
        for i in range(offsets[bucket], offsets[bucket + 1]):
            if kept_by[members[i]] == UNDECIDED:
                room += min(window, i - offsets[bucket])
    pairs, n_pairs = np.empty(room, np.uint64), 0
    left = np.empty(members.size, np.int32)
    for bucket in range(offsets.size - 1):
        n_left = 0  # members of the bucket so far that are not dropped
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


@allocating_kernel
def decide(kept_by, matched, unfinished):
    """Decide, in keep order, each undecided document whose earlier alike documents are all decided."""
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


@allocating_kernel
def union(cluster, pairs):
    """Unite the clusters of each pair; the first of the two roots becomes the root of both."""
    for pair in pairs:
        a, b = find(cluster, np.int64(pair >> HALF)), find(cluster, np.int64(pair & LOW))
        cluster[max(a, b)] = min(a, b)


@allocating_kernel
def find(cluster, document):
    """Return the root of a document's cluster, and halve the path to it."""
    while cluster[document] != document:
        cluster[document] = cluster[cluster[document]]
        document = cluster[document]
    return document


@allocating_kernel
def compress(cluster):
    """Point every document at its root."""
    for document in range(cluster.size):  # a root comes before its members
        cluster[document] = cluster[cluster[document]]
