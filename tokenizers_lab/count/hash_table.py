"""Kernels that count words: a hash table, its sorting, and the merge of two sorted tables.

An entry is 32 bytes, half a cache line. A word of up to 15 bytes is its own exact key: its bytes, and their number in
the top byte. A longer word has 120 bits of hash there, and its bytes in ``pool`` to compare with.
"""

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, hash64, load_short, mix
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel, load_u64, low_bytes_mask
from gristmill.tokenizers_lab.pretokenize.classes import NEWLINE, SPACE, kind_at

SLOT = np.dtype([("low", np.uint64), ("high", np.uint64), ("count", np.int64), ("place", np.int64)])
SHORT = 15  # bytes of a word that is its own key
LONG = 255  # in the top byte of a long word's key
SALT_HIGH, OTHER_SEED = U64(0xC2B2AE3D27D4EB4F), U64(0x165667B19E3779F9)
LENGTH = 8  # bytes of the length before a long word in the pool


@inline_kernel
def _key(data, begin, end):
    """Return the two halves of a word's key."""
    size = end - begin
    if size > SHORT:
        return hash64(data, begin, end), hash64(data, begin, end, OTHER_SEED) >> U64(8) | U64(LONG) << U64(56)
    if begin + 16 <= data.size:
        low, high = load_u64(data, begin), load_u64(data, begin + 8)
        low &= low_bytes_mask(min(size, 8))
        high &= low_bytes_mask(max(size - 8, 0))
    else:
        low, high = load_short(data, begin, min(size, 8)), load_short(data, begin + 8, max(size - 8, 0))
    return low, high | U64(size) << U64(56)


@inline_kernel
def _length(pool, place):
    return np.int64(load_u64(pool, place))


@inline_kernel
def _same(pool, place, data, begin, end):
    if _length(pool, place) != end - begin:
        return False
    for i in range(end - begin):
        if pool[place + LENGTH + i] != data[begin + i]:
            return False
    return True


@inline_kernel
def _first_slot(low, high, room):
    return np.int64(mix(low ^ GOLDEN_RATIO, high ^ SALT_HIGH)) & room - 1


@kernel
def count_pretokens(ends, data, begin, drops_space, table, taken, pool, pooled):
    """Count pre-tokens from ``begin`` on; return the first that found no room, and the entries and pool bytes in use.

    ``ends`` int64[m + 1] is PreTokens.offsets. Counting stops when the table is seven tenths full or the pool lacks
    room.
    """
    room, most = table.size, table.size // 10 * 7
    for piece in range(begin, ends.size - 1):
        at, end = ends[piece], ends[piece + 1]
        if drops_space:
            kind, _ = kind_at(data, at, end)
            if kind == SPACE or kind == NEWLINE:
                continue
        low, high = _key(data, at, end)
        slot = _first_slot(low, high, room)
        while table[slot].count:
            alike = table[slot].low == low and table[slot].high == high
            if alike and (end - at <= SHORT or _same(pool, table[slot].place, data, at, end)):
                break
            slot = slot + 1 & room - 1
        if not table[slot].count:
            if taken == most or (end - at > SHORT and pooled + LENGTH + end - at > pool.size):
                return piece, taken, pooled
            taken += 1
            table[slot].low, table[slot].high = low, high
            if end - at > SHORT:
                table[slot].place = pooled
                for i in range(LENGTH):
                    pool[pooled + i] = end - at >> 8 * i & 255
                for i in range(end - at):
                    pool[pooled + LENGTH + i] = data[at + i]
                pooled += LENGTH + end - at
        table[slot].count += 1
    return ends.size - 1, taken, pooled


@kernel
def move(table, larger):
    """Enter all entries of a table into an empty larger one."""
    for i in range(table.size):
        if table[i].count:
            slot = _first_slot(table[i].low, table[i].high, larger.size)
            while larger[slot].count:
                slot = slot + 1 & larger.size - 1
            larger[slot] = table[i]


@allocating_kernel
def unload(table, taken, pool):
    """Return the words of a table and their counts, in no order: offsets int64[m + 1], data uint8, counts int64[m]."""
    offsets, counts = np.empty(taken + 1, np.int64), np.empty(taken, np.int64)
    offsets[0] = word = 0
    for i in range(table.size):
        if table[i].count:
            size = np.int64(table[i].high >> U64(56))
            size = _length(pool, table[i].place) if size == LONG else size
            offsets[word + 1], counts[word] = offsets[word] + size, table[i].count
            word += 1
    data = np.empty(offsets[taken], np.uint8)
    at = 0
    for i in range(table.size):
        if table[i].count:
            size = np.int64(table[i].high >> U64(56))
            if size == LONG:
                place = table[i].place + LENGTH
                size = _length(pool, table[i].place)
                data[at : at + size] = pool[place : place + size]
            else:
                for k in range(min(int(size), 8)):
                    data[at + k] = table[i].low >> U64(8 * k)
                for k in range(8, size):
                    data[at + k] = table[i].high >> U64(8 * k - 64)
            at += size
    return offsets, data, counts


@kernel
def first_eight(offsets, data, keys):
    """Write the first 8 bytes of each word as a number that sorts like them."""
    for word in range(keys.size):
        key = U64(0)
        begin, end = offsets[word], offsets[word + 1]
        for i in range(8):
            key = key << U64(8) | (U64(data[begin + i]) if begin + i < end else U64(0))
        keys[word] = key


@inline_kernel
def _less(data, a, a_end, b, b_end):
    size = min(a_end - a, b_end - b)
    for i in range(size):
        if data[a + i] != data[b + i]:
            return data[a + i] < data[b + i]
    return a_end - a < b_end - b


@kernel
def sort_ties(offsets, data, keys, order):
    """Complete an order by ``keys``: heap-sort each run of equal keys by all bytes, so that no input is slow."""
    begin = 0
    while begin < order.size:
        end = begin + 1
        while end < order.size and keys[order[end]] == keys[order[begin]]:
            end += 1
        if end - begin > 1:
            _heap_sort(offsets, data, order[begin:end])
        begin = end


@inline_kernel
def _word_less(offsets, data, a, b):
    return _less(data, offsets[a], offsets[a + 1], offsets[b], offsets[b + 1])


@kernel
def _sink(offsets, data, order, at, end):
    word = order[at]
    while True:
        below = 2 * at + 1
        if below >= end:
            break
        if below + 1 < end and _word_less(offsets, data, order[below], order[below + 1]):
            below += 1
        if not _word_less(offsets, data, word, order[below]):
            break
        order[at] = order[below]
        at = below
    order[at] = word


@kernel
def _heap_sort(offsets, data, order):
    for at in range(order.size // 2 - 1, -1, -1):
        _sink(offsets, data, order, at, order.size)
    for end in range(order.size - 1, 0, -1):
        order[0], order[end] = order[end], order[0]
        _sink(offsets, data, order, 0, end)


@allocating_kernel
def merge_sorted(a_offsets, a_data, a_counts, b_offsets, b_data, b_counts):
    """Merge two sorted tables into one, adding the counts of common words."""
    most = a_counts.size + b_counts.size
    offsets, counts = np.empty(most + 1, np.int64), np.empty(most, np.int64)
    data = np.empty(a_data.size + b_data.size, np.uint8)
    offsets[0] = a = b = word = at = 0
    while a < a_counts.size or b < b_counts.size:
        order = _compare(a_offsets, a_data, a, b_offsets, b_data, b)
        count = 0
        if order >= 0:
            count = b_counts[b]
            begin, end = b_offsets[b], b_offsets[b + 1]
            data[at : at + end - begin] = b_data[begin:end]
            b += 1
        if order <= 0:
            count += a_counts[a]
            begin, end = a_offsets[a], a_offsets[a + 1]
            data[at : at + end - begin] = a_data[begin:end]
            a += 1
        at += end - begin
        word += 1
        offsets[word], counts[word - 1] = at, count
    return offsets[: word + 1], data[:at], counts[:word]


@inline_kernel
def _compare(a_offsets, a_data, a, b_offsets, b_data, b):
    """Return -1 if word a comes first, 1 if word b does, 0 if they are equal; a table at its end comes last."""
    if a == a_offsets.size - 1:
        return 1
    if b == b_offsets.size - 1:
        return -1
    i, k = a_offsets[a], b_offsets[b]
    while i < a_offsets[a + 1] and k < b_offsets[b + 1]:
        if a_data[i] != b_data[k]:
            return -1 if a_data[i] < b_data[k] else 1
        i += 1
        k += 1
    return np.int64(i < a_offsets[a + 1]) - np.int64(k < b_offsets[b + 1])
