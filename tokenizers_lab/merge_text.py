"""The merges of BPE, done to one piece of text: the lowest rank first, of equal ones the leftmost.

A piece is cut where nothing can merge across (starts.py). A short part is searched for the lowest rank before each
merge. A long one has a queue for each rank, so the time is linear in its length whatever it holds: 1 MB of one letter,
of emoji, of random characters.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from pipelines.bits import inlined, kernel, leading_zeros, trailing_zeros
from pipelines.errors import RecipeError
from pipelines.hashing import mix

SHORT = 64  # symbols: up to here their places are bits of a word
PLACE_BITS = np.int32(6)
ID_BITS, RANK_BITS = 21, 22
NEVER = np.int32((1 << RANK_BITS) - 1)  # the rank of a pair that does not merge
CUT = np.int32(-1)  # of one that nothing merges across either
SALT, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xA0761D6478BD642F)
KEY_SHIFT, RANK, ID = np.uint64(RANK_BITS), np.uint64(NEVER), np.uint64((1 << ID_BITS) - 1)
ONE, ALL = np.uint64(1), ~np.uint64(0)


class Merges(NamedTuple):
    """Which pairs of ids merge, at which rank, to what."""

    pairs: np.ndarray  # uint64[2 ** k], open addressing: left, right and rank in 21, 21 and 22 bits, all turned; 0 free
    made: np.ndarray  # int32[ranks]: the id of the whole


def merges_of(left: np.ndarray, right: np.ndarray, made: np.ndarray, ranks: np.ndarray | None = None) -> Merges:
    """Merges in the order of their ranks; or of these ``ranks``, each with one whole in ``made``.

    Of a pair that comes twice the first counts. Raises RecipeError for more ids than an entry has bits for.
    """
    largest = max((int(ids.max(initial=0)) for ids in (left, right, made)), default=0)
    if largest >= ID:
        raise RecipeError(f"id {largest:,} merges; BPE is done with ids below {int(ID):,}")
    pairs = np.zeros(1 << max(4, int(2 * left.size).bit_length()), np.uint64)
    ranks = np.arange(left.size) if ranks is None else ranks
    _fill(pairs, left.astype(np.int32), right.astype(np.int32), ranks.astype(np.int32))
    return Merges(pairs, np.append(made, 0).astype(np.int32))


def listed(merges: Merges) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What merges, int32: left halves, right halves and ranks, in no order."""
    entries = ~merges.pairs[merges.pairs != 0]
    parts = entries >> np.uint64(ID_BITS + RANK_BITS), entries >> KEY_SHIFT & ID, entries & RANK
    left, right, ranks = (part.astype(np.int32) for part in parts)
    return left, right, ranks


@inlined
def _entry(left, right, rank):
    """Turned, so that none is 0."""
    return ~((np.uint64(left) << np.uint64(ID_BITS) | np.uint64(right)) << KEY_SHIFT | np.uint64(rank))


@inlined
def _slot(entry, pairs):
    return mix(entry >> KEY_SHIFT ^ SALT, SECOND) & np.uint64(pairs.size - 1)


@kernel
def _fill(pairs, left, right, ranks):
    for row in range(left.size):
        entry = _entry(left[row], right[row], ranks[row])
        slot = _slot(entry, pairs)
        while pairs[slot] != 0 and pairs[slot] >> KEY_SHIFT != entry >> KEY_SHIFT:
            slot = slot + ONE & np.uint64(pairs.size - 1)
        if pairs[slot] == 0:
            pairs[slot] = entry


@inlined
def entry_of(pairs, left, right):
    """As ``rank_of``, but CUT for a pair that is not in the table."""
    entry = _entry(left, right, NEVER)
    slot = _slot(entry, pairs)
    while True:  # slots are unsigned: else each index is looked at for being negative
        found = pairs[slot]
        if found >> KEY_SHIFT == entry >> KEY_SHIFT:
            return np.int32(~found & RANK)
        if found == 0:
            return CUT
        slot = slot + ONE & np.uint64(pairs.size - 1)


@inlined
def rank_of(pairs, left, right):
    """The rank at which two ids merge, or NEVER."""
    entry = entry_of(pairs, left, right)
    return NEVER if entry == CUT else entry


@kernel
def merge_short(symbols, begin, count, ranks, pairs, made):
    """Merge symbols[begin:begin + count], up to 64, in place; returns how many are left.

    ``ranks`` int32: of each of them with the next, of the last NEVER. They become ``rank << 6 | place``, of which the
    least says where: no branch that cannot be foreseen, and nothing moves until the end.
    """
    there = ALL >> np.uint64(SHORT - count)  # the places of symbols that have not been merged away
    for i in range(count):
        ranks[i] = _at_place(ranks[i], i)
    while True:
        least = _at_place(NEVER, 0)
        for i in range(count):
            least = min(least, ranks[i])
        if least >> PLACE_BITS == NEVER:
            break
        at = np.int64(least & np.int32(SHORT - 1))
        gone = _next(there, at)
        there &= ~(ONE << np.uint64(gone))
        symbols[begin + at] = made[least >> PLACE_BITS]
        ranks[at] = ranks[gone] = _at_place(NEVER, 0)
        after, before = _next(there, at), _last(there, at)
        if after < SHORT:
            ranks[at] = _at_place(rank_of(pairs, symbols[begin + at], symbols[begin + after]), at)
        if before >= 0:
            ranks[before] = _at_place(rank_of(pairs, symbols[begin + before], symbols[begin + at]), before)
    kept = 0
    while there:
        symbols[begin + kept] = symbols[begin + trailing_zeros(there)]
        there &= there - ONE
        kept += 1
    return kept


@inlined
def _at_place(rank, place):
    return np.int32(rank << PLACE_BITS | np.int32(place))


@inlined
def _next(there, at):
    """The first place behind ``at`` in a word of places; 64 or more for none."""
    return at + 1 + trailing_zeros(there >> np.uint64(at) >> ONE)


@inlined
def _last(there, at):
    """The last place before ``at``, or -1."""
    return 63 - leading_zeros(there & (ONE << np.uint64(at)) - ONE)


class Queues(NamedTuple):
    """Room to merge a long piece of n symbols: for each rank a list of places, and which ranks have any."""

    head: np.ndarray  # int32[ranks]: the list's first node, -1 for none
    waiting: np.ndarray  # uint64[ranks / 64 + 1]: a bit for each rank
    place: np.ndarray  # int32[3 * n]: of a node
    behind: np.ndarray  # int32[3 * n]: the next node
    sorted: np.ndarray  # int32[n]: places of one rank in order
    before: np.ndarray  # int32[n]: neighbours of a symbol
    after: np.ndarray  # int32[n]


def queues(length: int, ranks: int) -> Queues:
    """Empty queues; memory 40 bytes a symbol."""
    nodes, places = 3 * length, length
    waiting = np.zeros(ranks // 64 + 1, np.uint64)
    return Queues(
        np.full(ranks, -1, np.int32), waiting, *np.empty((2, nodes), np.int32), *np.empty((3, places), np.int32)
    )


@inlined
def _push(head, waiting, place, behind, node, rank, at):
    place[node], behind[node], head[rank] = at, head[rank], node
    waiting[rank >> 6] |= ONE << np.uint64(rank & 63)


@inlined
def _rank_again(pairs, left, right, last):
    """(left, right, rank), the last answer where it is the same pair."""
    if left == last[0] and right == last[1]:
        return last
    return left, right, rank_of(pairs, left, right)


@njit(nogil=True, cache=True)
def _put_in_order(places):
    """Mostly they fall, having been found from the left: sorting a megabyte of spaces took half of its time."""
    places[:] = places[::-1].copy()
    for i in range(1, places.size):
        if places[i - 1] > places[i]:
            places.sort()
            break


@njit(nogil=True, cache=True)
def merge_long(symbols, ranks, pairs, made, head, waiting, place, behind, ordered, before, after):
    """As ``merge_short`` for any number of symbols, in linear time. Queues are left empty.

    Where a merge lets a lower rank apply, or its own once more (vocabularies that no training made), that place is the
    first of all that wait, and comes at once.
    """
    node, count = 0, symbols.size
    left_pair = right_pair = (np.int32(-1), np.int32(-1), NEVER)  # those asked for last: a run asks the same again
    for i in range(count - 1, -1, -1):
        before[i], after[i] = i - 1, i + 1
        if ranks[i] != NEVER:
            _push(head, waiting, place, behind, node, ranks[i], i)
            node += 1
    word = 0
    while word < waiting.size:
        if waiting[word] == 0:
            word += 1
            continue
        rank = (word << 6) + trailing_zeros(waiting[word])
        waiting[word] &= waiting[word] - ONE
        found, at, rising = 0, head[rank], True
        head[rank] = -1
        while at >= 0:
            if ranks[place[at]] == rank:
                ordered[found] = place[at]
                rising &= found == 0 or ordered[found - 1] < ordered[found]
                found += 1
            at = behind[at]
        if not rising:
            _put_in_order(ordered[:found])
        for k in range(found):
            at = ordered[k]
            while ranks[at] <= rank:  # a place that was merged away, or is as it was, or came to a lower rank just now
                left, end = np.int64(before[at]), np.int64(after[after[at]])
                symbols[at], ranks[after[at]], after[at] = made[ranks[at]], NEVER, end
                ranks[at] = NEVER
                if end < count:
                    before[end] = at
                    right_pair = _rank_again(pairs, symbols[at], symbols[end], right_pair)
                    ranks[at] = right_pair[2]
                    if rank < ranks[at] < NEVER:
                        _push(head, waiting, place, behind, node, ranks[at], at)
                        node += 1
                if left >= 0:
                    left_pair = _rank_again(pairs, symbols[left], symbols[at], left_pair)
                    ranks[left] = left_pair[2]
                    if rank < ranks[left] < NEVER:
                        _push(head, waiting, place, behind, node, ranks[left], left)
                        node += 1
                    if ranks[left] <= rank and ranks[left] <= ranks[at]:
                        at = left
    kept, at = 0, 0
    while at < count:
        following = after[at]
        symbols[kept] = symbols[at]
        kept += 1
        at = following
    return kept


@njit(nogil=True, cache=True)
def merge(symbols, ranks, count, pairs, made, head, waiting, place, behind, ordered, before, after):
    """Merge symbols[:count] in place, part by part; returns how many are left."""
    kept, begin = 0, 0
    for end in range(1, count + 1):
        size = end - begin
        if end < count:
            ranks[size - 1] = entry_of(pairs, symbols[end - 1], symbols[end])
            if ranks[size - 1] != CUT:
                continue
        ranks[size - 1] = NEVER
        if size == 2 and ranks[0] != NEVER:
            symbols[begin], size = made[ranks[0]], 1
        elif 2 < size <= SHORT:
            size = merge_short(symbols, begin, size, ranks, pairs, made)
        elif size > SHORT:
            size = merge_long(
                *(symbols[begin:end], ranks, pairs, made, head, waiting, place, behind, ordered, before, after)
            )
        for i in range(size):
            symbols[kept + i] = symbols[begin + i]
        kept, begin = kept + size, end
    return kept
