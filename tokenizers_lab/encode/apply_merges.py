"""BPE merges of one pre-token: the lowest rank first, of equal ranks the leftmost.

A pre-token is cut at its barriers (initial_symbols.py). A short part is searched for the lowest rank before each merge.
A long part has a queue for each rank, so the time is linear in its length whatever it holds: 1 MB of one letter, of
emoji or of random characters. A run of one symbol takes a few steps.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, leading_zeros, trailing_zeros
from gristmill.tokenizers_lab.encode.merge_table import BARRIER, NEVER, entry_of, rank_of

SHORT = 64  # symbols of a part whose places are bits of a word
VECTOR = 16
PLACE_BITS = np.int32(6)
ONE, ALL_BITS = np.uint64(1), ~np.uint64(0)


@kernel
def merge_short(symbols, begin, count, ranks, pairs, made):
    """Merge symbols[begin:begin + count], up to 64, in place; return the number that is left.

    ``ranks`` int32[64] are the ranks of each symbol with the next, NEVER for the last. They become ``rank << 6 |
    place``, and the smallest names the next merge: no branch that the processor would mispredict, and no symbol moves
    until the end.
    """
    there = ALL_BITS >> np.uint64(SHORT - count)  # places of the symbols that are left
    for i in range(count):
        ranks[i] = _at_place(ranks[i], i)
    rounds = (count + VECTOR - 1) // VECTOR
    for i in range(count, rounds * VECTOR):
        ranks[i] = _at_place(NEVER, 0)
    while True:
        least = _at_place(NEVER, 0)
        for block in range(rounds):
            for i in range(VECTOR):  # a fixed number, for vector instructions: 385 ns per new word, not 544
                least = min(least, ranks[block * VECTOR + i])
        if least >> PLACE_BITS == NEVER:
            break
        at = np.int64(least & np.int32(SHORT - 1))
        right = _next(there, at)
        there &= ~(ONE << np.uint64(right))
        symbols[begin + at] = made[least >> PLACE_BITS]
        ranks[at] = ranks[right] = _at_place(NEVER, 0)
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
    """Return the first place after ``at`` among the bits of ``there``; 64 or more if there is none."""
    return at + 1 + trailing_zeros(there >> np.uint64(at) >> ONE)


@inline_kernel
def _last(there, at):
    """Return the last place before ``at`` among the bits of ``there``, or -1."""
    return 63 - leading_zeros(there & (ONE << np.uint64(at)) - ONE)


class RankQueues(NamedTuple):
    """Working memory to merge a long part of n symbols: a list of places for each rank."""

    head: np.ndarray  # int32[ranks]: first node of the list, -1 for none
    waiting: np.ndarray  # uint64[ranks / 64 + 1]: a bit for each rank with a list
    place: np.ndarray  # int32[3 * n]: place of a node
    behind: np.ndarray  # int32[3 * n]: next node
    sorted: np.ndarray  # int32[n]: places of one rank in order
    before: np.ndarray  # int32[n]: neighbors of a symbol
    after: np.ndarray  # int32[n]


def rank_queues(length: int, ranks: int) -> RankQueues:
    """Return empty queues; they take 40 bytes per symbol."""
    nodes, places = 3 * length, length
    waiting = np.zeros(ranks // 64 + 1, np.uint64)
    return RankQueues(
        np.full(ranks, -1, np.int32), waiting, *np.empty((2, nodes), np.int32), *np.empty((3, places), np.int32)
    )


@inline_kernel
def _push(head, waiting, place, behind, node, rank, at):
    place[node], behind[node], head[rank] = at, head[rank], node
    waiting[rank >> 6] |= ONE << np.uint64(rank & 63)


@kernel
def _sort(values, count):
    """Sort values[:count] in place by heapsort: numba's own sort allocates."""
    for parent in range(count // 2 - 1, -1, -1):
        _sift(values, parent, count)
    for last in range(count - 1, 0, -1):
        values[0], values[last] = values[last], values[0]
        _sift(values, 0, last)


@inline_kernel
def _sift(values, parent, count):
    """Move values[parent] down until no child in values[:count] is larger."""
    value, child = values[parent], 2 * parent + 1
    while child < count:
        child += child + 1 < count and values[child + 1] > values[child]
        if values[child] <= value:
            break
        values[parent] = values[child]
        parent, child = child, 2 * child + 1
    values[parent] = value


@kernel
def merge_long(symbols, ranks, pairs, made, queues):
    """Merge as ``merge_short``, but any number of symbols, in linear time, and leave the queues empty.

    In a vocabulary that no training made, a merge may let a lower rank apply, or its own rank again. That place then
    comes before all that are queued, and merges at once.
    """
    head, waiting, place, behind, ordered, before, after = queues
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
            _sort(ordered, found)
        for k in range(found):
            at = ordered[k]
            while ranks[at] <= rank:  # not merged away (NEVER); lower if a merge just let a lower rank apply
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
    """Merge as ``merge_short``, but ``count`` copies of one symbol in a few steps; return the number left, or -1.

    The sequence is always a body of one repeated symbol and a short tail. Merging all pairs of the body halves it; an
    odd symbol is left over and moves to the tail. Return -1, with nothing changed, if the symbols differ or if a merge
    would apply a lower rank before this rank is exhausted (only in vocabularies that no training made).
    """
    body, size, held = symbols[begin], count, 0  # tail[held - 1] follows the body
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


@kernel
def merge(symbols, ranks, count, pairs, made, queues):
    """Merge symbols[:count] in place, part by part; return the number that is left."""
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
            left = merge_run(symbols, begin, size, queues.sorted, pairs, made)
            size = left if left >= 0 else merge_long(symbols[begin:end], ranks, pairs, made, queues)
        for i in range(size):
            symbols[kept + i] = symbols[begin + i]
        kept, begin = kept + size, end
    return kept
