"""Words as cells, and pairs of neighbors as lists of places: the input of the merge loop (merge_kernels.py)."""

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel

NONE = -1
CELL = np.dtype([("symbol", np.int32), ("pair", np.int32)], align=True)
BLOCK = 32  # cells
# A list of places; ``pair`` is the list that holds its count: itself, except for lists that REUSE adds to a pair.
LIST = np.dtype(
    [
        *(("left", np.int32), ("right", np.int32), ("count", np.int64)),
        *(("begin", np.int32), ("size", np.int32), ("pair", np.int32), ("first", np.int32)),
    ],
    align=True,
)


@kernel
def lay_out(offsets, symbols, cells, words):
    """Write words of symbols (NONE if nothing may merge) to ``cells``, and each block's first word to ``words``."""
    for word in range(offsets.size):
        at = offsets[word] + word
        cells[at].symbol, cells[at].pair = NONE, NONE
        end = offsets[word + 1] if word + 1 < offsets.size else offsets[word]
        for i in range(offsets[word], end):
            cells[i + word + 1].symbol, cells[i + word + 1].pair = symbols[i], NONE
        for block in range((at + BLOCK - 1) // BLOCK, (end + word) // BLOCK + 1):
            words[block] = word
    return cells, words


@inline_kernel
def count_at(place, words, offsets, counts):
    """Return the count of the word that a cell belongs to.

    A count in each cell would be read sooner, but cells of 16 bytes cost more than that saves.
    """
    word = words[place // BLOCK]
    while offsets[word + 1] + word + 1 <= place:
        word += 1
    return counts[word]


@inline_kernel
def _slot(left, right):
    key = U64(left) << U64(32) | U64(right)
    return np.int64(key * GOLDEN_RATIO >> U64(24))


@allocating_kernel
def first_pairs(cells, words, offsets, counts, once):
    """Number the pairs of neighbors in ``cells``, with the number of places of each: LIST[m].

    ``once`` omits the second of two overlapping pairs, as in AAA.
    """
    lists, used, room = np.empty(1 << 16, LIST), 0, 1 << 18
    table = np.full(room, NONE, np.int32)
    for at in range(cells.size - 1):
        left, right = cells[at].symbol, cells[at + 1].symbol
        if left < 0 or right < 0 or (once and left == right and at and same_before(cells, at, left)):
            continue
        slot = _slot(left, right) & room - 1
        while table[slot] >= 0 and (lists[table[slot]].left != left or lists[table[slot]].right != right):
            slot = slot + 1 & room - 1
        which = table[slot]
        if which < 0:
            if used == lists.size:
                lists, table = _more_pairs(lists)
                room = table.size
                slot = _slot(left, right) & room - 1
                while table[slot] >= 0:
                    slot = slot + 1 & room - 1
            which = table[slot] = used
            begin_list(lists, used, left, right, used, at)
            used += 1
        lists[which].count += count_at(at, words, offsets, counts)
        lists[which].size += 1
        cells[at].pair = which
    return lists[:used].copy()


@kernel
def list_places(cells, lists, pool):
    """Write the places of all pairs to the pool, list by list."""
    begin = 0
    for which in range(lists.size):
        lists[which].begin = begin
        begin += lists[which].size
        lists[which].size = 0
    for at in range(cells.size):
        which = cells[at].pair
        if which >= 0:
            pool[lists[which].begin + lists[which].size] = at
            lists[which].size += 1


@inline_kernel
def same_before(cells, at, symbol):
    """True if the pair before the place is this symbol with itself."""
    return cells[at - 1].symbol == symbol and cells[at - 1].pair >= 0


@allocating_kernel
def _more_pairs(lists):
    more = np.empty(lists.size * 2, LIST)
    more[: lists.size] = lists
    table = np.full(more.size * 4, NONE, np.int32)
    for which in range(lists.size):
        slot = _slot(lists[which].left, lists[which].right) & table.size - 1
        while table[slot] >= 0:
            slot = slot + 1 & table.size - 1
        table[slot] = which
    return more, table


@kernel
def compact(lists, count, pool, cells):
    """Move the valid places to the front of the pool; return their number."""
    end = 0
    for which in range(count):
        begin, size, pair = lists[which].begin, lists[which].size, lists[which].pair
        lists[which].begin = end
        if not lists[pair].count:
            size = 0
        for k in range(begin, begin + size):
            if cells[pool[k]].pair == pair:
                pool[end] = pool[k]
                end += 1
        lists[which].size = end - lists[which].begin
    return end


@inline_kernel
def begin_list(lists, which, left, right, pair, place):
    new = lists[which]
    new.left, new.right, new.count, new.begin, new.size, new.pair, new.first = left, right, 0, 0, 0, pair, place
