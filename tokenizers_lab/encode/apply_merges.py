"""The merges of BPE, done to one piece of text: the lowest rank first, of equal ones the leftmost.

A piece is cut where nothing can merge across (starts.py). A short part is searched for the lowest rank before each
merge. A long one has a queue for each rank, so the time is linear in its length whatever it holds: 1 MB of one letter,
of emoji, of random characters. One of a single symbol takes a few steps.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, leading_zeros, trailing_zeros
from gristmill.tokenizers_lab.encode.merge_table import BARRIER, NEVER, entry_of, rank_of

SHORT = 64  # symbols: up to here their places are bits of a word
PLACE_BITS = np.int32(6)
ONE, ALL_BITS = np.uint64(1), ~np.uint64(0)


@kernel
def merge_short(symbols, begin, count, ranks, pairs, made):
    """Merge symbols[begin:begin + count], up to 64, in place; returns how many are left.

    ``ranks`` int32: of each of them with the next, of the last NEVER. They become ``rank << 6 | place``, of which the
    least says where: no branch that cannot be foreseen, and nothing moves until the end.
    """
    there = ALL_BITS >> np.uint64(SHORT - count)  # the places of symbols that have not been merged away
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


@inline_kernel
def _at_place(rank, place):
    return np.int32(rank << PLACE_BITS | np.int32(place))


@inline_kernel
def _next(there, at):
    """The first place behind ``at`` in a word of places; 64 or more for none."""
    return at + 1 + trailing_zeros(there >> np.uint64(at) >> ONE)


@inline_kernel
def _last(there, at):
    """The last place before ``at``, or -1."""
    return 63 - leading_zeros(there & (ONE << np.uint64(at)) - ONE)


class RankQueues(NamedTuple):
    """Room to merge a long piece of n symbols: for each rank a list of places, and which ranks have any."""

    head: np.ndarray  # int32[ranks]: the list's first node, -1 for none
    waiting: np.ndarray  # uint64[ranks / 64 + 1]: a bit for each rank
    place: np.ndarray  # int32[3 * n]: of a node
    behind: np.ndarray  # int32[3 * n]: the next node
    sorted: np.ndarray  # int32[n]: places of one rank in order
    before: np.ndarray  # int32[n]: neighbours of a symbol
    after: np.ndarray  # int32[n]


def rank_queues(length: int, ranks: int) -> RankQueues:
    """Empty queues; memory 40 bytes a symbol."""
    nodes, places = 3 * length, length
    waiting = np.zeros(ranks // 64 + 1, np.uint64)
    return RankQueues(
        np.full(ranks, -1, np.int32), waiting, *np.empty((2, nodes), np.int32), *np.empty((3, places), np.int32)
    )


@inline_kernel
def _push(head, waiting, place, behind, node, rank, at):
    place[node], behind[node], head[rank] = at, head[rank], node
    waiting[rank >> 6] |= ONE << np.uint64(rank & 63)


@njit(nogil=True, cache=True)
def merge_long(symbols, ranks, pairs, made, head, waiting, place, behind, ordered, before, after):
    """As ``merge_short`` for any number of symbols, in linear time. Queues are left empty.

    Where a merge lets a lower rank apply, or its own once more (vocabularies that no training made), that place is the
    first of all that wait, and comes at once.
    """
    node, count = 0, symbols.size
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
            ordered[:found].sort()
        for k in range(found):
            at = ordered[k]
            while ranks[at] <= rank:  # a place that was merged away, or is as it was, or came to a lower rank just now
                left, end = np.int64(before[at]), np.int64(after[after[at]])
                symbols[at], ranks[after[at]], after[at] = made[ranks[at]], NEVER, end
                ranks[at] = NEVER
                if end < count:
                    before[end] = at
                    ranks[at] = rank_of(pairs, symbols[at], symbols[end])
                    if rank < ranks[at] < NEVER:
                        _push(head, waiting, place, behind, node, ranks[at], at)
                        node += 1
                if left >= 0:
                    ranks[left] = rank_of(pairs, symbols[left], symbols[at])
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


@kernel
def merge_run(symbols, begin, count, tail, pairs, made):
    """As ``merge_short`` for ``count`` times one symbol, in a few steps; returns how many are left.

    They are at any time a body of one symbol and a short tail: all pairs of a body merge in turn, and an odd one is
    left over for the tail. -1 where the symbols are not one, or where what merges would come to a lower rank before
    its turn is over (vocabularies that no training made): nothing is changed then.
    """
    body, size, held = symbols[begin], count, 0  # tail[held - 1] is the symbol behind the body
    for i in range(begin, begin + count):
        if symbols[i] != body:
            return -1
    while True:
        rank, where = NEVER if size < 2 else rank_of(pairs, body, body), held + 1
        if size and held and rank_of(pairs, body, tail[held - 1]) < rank:
            rank, where = rank_of(pairs, body, tail[held - 1]), held
        for i in range(held - 1, 0, -1):
            if rank_of(pairs, tail[i], tail[i - 1]) < rank:
                rank, where = rank_of(pairs, tail[i], tail[i - 1]), i
        if rank == NEVER:
            break
        whole = made[rank]
        if where > held:
            if rank_of(pairs, whole, body) <= rank or rank_of(pairs, whole, whole) <= rank:
                return -1
            if size & 1:
                tail[held] = body
                held += 1
            body, size = whole, size >> 1
        elif where == held:
            tail[held - 1] = whole
            size -= 1
        else:
            tail[where - 1] = whole
            held -= 1
            for i in range(where, held):
                tail[i] = tail[i + 1]
    symbols[begin : begin + size] = body
    for i in range(held):
        symbols[begin + size + i] = tail[held - 1 - i]
    return size + held


@njit(nogil=True, cache=True)
def merge(symbols, ranks, count, pairs, made, head, waiting, place, behind, ordered, before, after):
    """Merge symbols[:count] in place, part by part; returns how many are left."""
    kept, begin = 0, 0
    for end in range(1, count + 1):
        size = end - begin
        if end < count:
            ranks[size - 1] = entry_of(pairs, symbols[end - 1], symbols[end])
            if ranks[size - 1] != BARRIER:
                continue
        ranks[size - 1] = NEVER
        if size == 2 and ranks[0] != NEVER:
            symbols[begin], size = made[ranks[0]], 1
        elif 2 < size <= SHORT:
            size = merge_short(symbols, begin, size, ranks, pairs, made)
        elif size > SHORT:
            left = merge_run(symbols, begin, size, ordered, pairs, made)
            if left < 0:
                left = merge_long(
                    *(symbols[begin:end], ranks, pairs, made, head, waiting, place, behind, ordered, before, after)
                )
            size = left
        for i in range(size):
            symbols[kept + i] = symbols[begin + i]
        kept, begin = kept + size, end
    return kept
