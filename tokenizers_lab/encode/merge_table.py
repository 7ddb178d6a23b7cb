"""Which pairs of ids merge, at which rank, to what: a table that is asked by the pair."""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, W0, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel

ID_BITS, RANK_BITS = 21, 22
NEVER = np.int32((1 << RANK_BITS) - 1)  # the rank of a pair that does not merge
BARRIER = np.int32(-1)  # of one that nothing merges across either: see starts.py
KEY_SHIFT, RANK, ID = U64(RANK_BITS), U64(NEVER), U64((1 << ID_BITS) - 1)
ONE = U64(1)


class MergeTable(NamedTuple):
    """Which pairs of ids merge, at which rank, to what."""

    pairs: np.ndarray  # uint64[2 ** k], open addressing: left, right and rank in 21, 21 and 22 bits, all turned; 0 free
    made: np.ndarray  # int32[ranks]: the id of the whole


def merge_table(left: np.ndarray, right: np.ndarray, made: np.ndarray, ranks: np.ndarray | None = None) -> MergeTable:
    """Merges in the order of their ranks; or of these ``ranks``, each with one whole in ``made``.

    Of a pair that comes twice the first counts. Raises RecipeError for more ids than an entry has bits for.
    """
    largest = max((int(ids.max(initial=0)) for ids in (left, right, made)), default=0)
    if largest >= ID:
        raise RecipeError(f"id {largest:,} merges; BPE is done with ids below {int(ID):,}")
    pairs = np.zeros(1 << max(4, int(2 * left.size).bit_length()), np.uint64)
    ranks = np.arange(left.size) if ranks is None else ranks
    _fill(pairs, left.astype(np.int32), right.astype(np.int32), ranks.astype(np.int32))
    return MergeTable(pairs, np.append(made, 0).astype(np.int32))


def to_arrays(merges: MergeTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What merges, int32: left halves, right halves and ranks, in no order."""
    entries = ~merges.pairs[merges.pairs != 0]
    parts = entries >> U64(ID_BITS + RANK_BITS), entries >> KEY_SHIFT & ID, entries & RANK
    left, right, ranks = (part.astype(np.int32) for part in parts)
    return left, right, ranks


@inline_kernel
def _entry(left, right, rank):
    """Turned, so that none is 0."""
    return ~((U64(left) << U64(ID_BITS) | U64(right)) << KEY_SHIFT | U64(rank))


@inline_kernel
def _slot(entry, pairs):
    return mix(entry >> KEY_SHIFT ^ GOLDEN_RATIO, W0) & U64(pairs.size - 1)


@kernel
def _fill(pairs, left, right, ranks):
    for row in range(left.size):
        entry = _entry(left[row], right[row], ranks[row])
        slot = _slot(entry, pairs)
        while pairs[slot] != 0 and pairs[slot] >> KEY_SHIFT != entry >> KEY_SHIFT:
            slot = slot + ONE & U64(pairs.size - 1)
        if pairs[slot] == 0:
            pairs[slot] = entry


@inline_kernel
def entry_of(pairs, left, right):
    """As ``rank_of``, but CUT for a pair that is not in the table."""
    entry = _entry(left, right, NEVER)
    slot = _slot(entry, pairs)
    while True:  # slots are unsigned: else each index is looked at for being negative
        found = pairs[slot]
        if found >> KEY_SHIFT == entry >> KEY_SHIFT:
            return np.int32(~found & RANK)
        if found == 0:
            return BARRIER
        slot = slot + ONE & U64(pairs.size - 1)


@inline_kernel
def rank_of(pairs, left, right):
    """The rank at which two ids merge, or NEVER."""
    entry = entry_of(pairs, left, right)
    return NEVER if entry == BARRIER else entry
