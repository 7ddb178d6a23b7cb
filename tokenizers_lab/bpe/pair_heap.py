"""Heap of pairs, which yields the next merge: plain loops over one structured array, for use inside kernels.

The pair with the greater count comes first, then the one with the smaller key. The compatibility rule defines the key
(``_key`` in merge_kernels.py); equal lengths are ordered by spelling.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel

ENTRY = np.dtype([("count", np.int64), ("key", np.int64), ("list", np.int32), ("first", np.int32)], align=True)


@inline_kernel
def _spelled_before(spelling, a, b, size):
    """True if the ``size`` initial symbols at ``a`` sort before those at ``b``; symbols are in code-point order."""
    for i in range(size):
        if spelling[a + i] != spelling[b + i]:
            return spelling[a + i] < spelling[b + i]
    return False


@inline_kernel
def _before(heap, at, count, key, first, spelling):
    """True if the entry at a place comes before one with this count, key and first occurrence."""
    if heap[at].count != count:
        return heap[at].count > count
    if heap[at].key != key:
        return heap[at].key < key
    return spelling.size > 0 and _spelled_before(spelling, heap[at].first, first, key)


@kernel
def push(heap, size, count, key, which, first, spelling):
    """Add an entry to a heap of ``size`` entries; the array must have room."""
    at = size
    while at > 0:
        above = (at - 1) >> 1
        if _before(heap, above, count, key, first, spelling):
            break
        heap[at] = heap[above]
        at = above
    heap[at].count, heap[at].key, heap[at].list, heap[at].first = count, key, which, first


@kernel
def pop(heap, size, spelling):
    """Remove the first entry of a heap of ``size`` > 0 entries."""
    last = size - 1
    count, key, which, first = heap[last].count, heap[last].key, heap[last].list, heap[last].first
    at = 0
    while True:
        below = 2 * at + 1
        if below >= last:
            break
        right = below + 1
        if right < last and _before(heap, right, heap[below].count, heap[below].key, heap[below].first, spelling):
            below = right
        if not _before(heap, below, count, key, first, spelling):
            break
        heap[at] = heap[below]
        at = below
    heap[at].count, heap[at].key, heap[at].list, heap[at].first = count, key, which, first
