"""BPE merges as a hash table: pair of ids -> rank, rank -> merged id."""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, W0, mix
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel

ID_BITS, RANK_BITS = 21, 22
NEVER = np.int32((1 << RANK_BITS) - 1)  # the rank of a pair that does not merge
BARRIER = np.int32(-1)  # of a pair that no merge reaches across: see initial_symbols.py
MAX_MERGES, MAX_MERGING_ID = int(NEVER) - 1, (1 << ID_BITS) - 1
KEY_SHIFT, RANK, ID = U64(RANK_BITS), U64(NEVER), U64((1 << ID_BITS) - 1)
ONE = U64(1)


class MergeTable(NamedTuple):
    """Hash table of the pairs that merge."""

    pairs: np.ndarray  # uint64[2 ** k], open addressing: left, right, rank in 21, 21, 22 bits, inverted; 0 is free
    made: np.ndarray  # int32[ranks]: merged id


def merge_table(left: np.ndarray, right: np.ndarray, made: np.ndarray, ranks: np.ndarray | None = None) -> MergeTable:
    """Build the table from merges in rank order, or with ``ranks`` whose merged ids are in ``made``.

    The first of two equal pairs counts. Raises RecipeError for an id that needs more than 21 bits.
    """
    largest = max((int(ids.max(initial=0)) for ids in (left, right, made)), default=0)
    if largest >= ID:
        raise RecipeError(f"id {largest:,} merges; BPE is done with ids below {int(ID):,}")
    pairs = np.zeros(1 << max(4, int(2 * left.size).bit_length()), np.uint64)
    ranks = np.arange(left.size) if ranks is None else ranks
    _fill(pairs, left.astype(np.int32), right.astype(np.int32), ranks.astype(np.int32))
    return MergeTable(pairs, np.append(made, 0).astype(np.int32))


def to_arrays(merges: MergeTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return left halves, right halves and ranks, int32 each, in no order."""
    entries = ~merges.pairs[merges.pairs != 0]
    parts = entries >> U64(ID_BITS + RANK_BITS), entries >> KEY_SHIFT & ID, entries & RANK
    left, right, ranks = (part.astype(np.int32) for part in parts)
    return left, right, ranks


@inline_kernel
def _entry(left, right, rank):
    """Pack a pair and its rank, inverted so that no entry is 0."""
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
    """Return the rank of a pair as ``rank_of``, but BARRIER for a pair that is not in the table."""
    entry = _entry(left, right, NEVER)
    slot = _slot(entry, pairs)
    while True:  # unsigned slots spare a check for negative indices
        found = pairs[slot]
        if found >> KEY_SHIFT == entry >> KEY_SHIFT:
            return np.int32(~found & RANK)
        if found == 0:
            return BARRIER
        slot = slot + ONE & U64(pairs.size - 1)


@inline_kernel
def rank_of(pairs, left, right):
    """Return the rank at which two ids merge, or NEVER."""
    entry = entry_of(pairs, left, right)
    return NEVER if entry == BARRIER else entry
