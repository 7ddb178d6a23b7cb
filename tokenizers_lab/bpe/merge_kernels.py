"""Merge loop of BPE training, exact and incremental: pairs are counted once, then only where a merged pair occurs.

1. Words lie one after the other in ``cells``: a cell per initial symbol, and a cell of NONE between words. A token
spans as many cells as it has initial symbols and has its id in the first and the last, so both neighbors are found by
arithmetic. The first cell also names the pair that begins with the token.

2. A pair has a count and a list of the places where it occurs, ascending, in ``pool``. Places that have been merged
away remain in the list; their cell names another pair.

3. A merge of (a, b) to z walks the list. At each place that is still valid, the pairs to the left (x, a) and right (b,
y) lose the word's count by the number in their cell, and (x, z) and (z, y) gain it. Every new pair contains z, so two
arrays indexed by the neighbor find it, without hashing. Then the new places are sorted into lists.

4. A heap yields the next merge. Its counts may be outdated, but only too high: a stale entry is put back with its
current count. A pair gains no places after its merge, except under ``REUSE``.

The 32,000 merges of 105 MB of text (9 M cells) merge 6 M places, and touch 18 M list entries and 1.2 M pairs.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel, multiply
from gristmill.tokenizers_lab.bpe.pair_heap import pop, push
from gristmill.tokenizers_lab.bpe.pair_positions import NONE, begin_list, count_at, same_before

# The pair that merges first among pairs of equal counts: the one with the smaller ids, the one that comes first in the
# words, or the shorter one, then the alphabetically first.
BY_IDS, BY_PLACE, BY_SPELLING = range(3)
# The result of a merge whose spelling exists already: a new symbol, the existing symbol, or no merge.
ANEW, REUSE, SKIP = range(3)
LISTS, POOLED, HEAPED, SYMBOLS, MERGES = range(5)  # places in State.used
DONE, EXHAUSTED, FULL = range(3)  # results of ``merge_some``
SPARE_PAIRS = 1024  # new pairs for which there is always room
PRIME = np.uint64((1 << 61) - 1)
BASES = np.array([0x1A2B3C4D5E6F708F, 0x0F1E2D3C4B5A6978], np.uint64) % PRIME


class State(NamedTuple):
    """All arrays of a training run, with spare room; ``used`` tells how much of each is taken."""

    cells: np.ndarray  # CELL[n]: word w begins after cell offsets[w] + w
    words: np.ndarray  # int32[n / BLOCK]: the word that each block of cells begins in
    offsets: np.ndarray  # int64[words + 1], in symbols
    counts: np.ndarray  # int64[words]
    lists: np.ndarray  # LIST
    pool: np.ndarray  # int32: places
    heap: np.ndarray  # ENTRY
    span: np.ndarray  # int32[vocabulary]: cells that a symbol spans
    length: np.ndarray  # int32[vocabulary]: its length in bytes or characters
    hashes: np.ndarray  # uint64[vocabulary, 4]: two hashes of its spelling, and two powers
    known: np.ndarray  # int32[power of two]: a hash table from spelling to symbol
    with_left: np.ndarray  # int64[vocabulary, 4]: list of the pair (x, z), the merge that wrote it; pair known, …
    with_right: np.ndarray  # int64[vocabulary, 4]: of (z, y)
    fresh: np.ndarray  # int32[m, 2]: place and list of each pair that the current merge made
    merges: np.ndarray  # int32[m, 3]: left, right, symbol made
    spelling: np.ndarray  # int32[n]: initial symbol of each cell, if spelling breaks ties; else empty
    used: np.ndarray  # int64[5]


@inline_kernel
def _modulo_product(a, b):
    """Return a * b modulo 2^61 - 1."""
    low, high = multiply(a, b)
    total = (low & PRIME) + (low >> np.uint64(61) | high << np.uint64(3))
    return total - PRIME if total >= PRIME else total


@inline_kernel
def _join_hashes(hashes, left, right, new):
    """Compute the hash of a spelling, a polynomial, from those of its two halves."""
    for i in range(2):
        total = _modulo_product(hashes[left, i], hashes[right, i + 2]) + hashes[right, i]
        hashes[new, i] = total - PRIME if total >= PRIME else total
        hashes[new, i + 2] = _modulo_product(hashes[left, i + 2], hashes[right, i + 2])


@inline_kernel
def _find(known, hashes, new):
    """Return the slot of the symbol spelled like ``new``, or a free slot."""
    slot = np.int64(hashes[new, 0]) & known.size - 1
    while known[slot] >= 0:
        same = known[slot]
        if hashes[same, 0] == hashes[new, 0] and hashes[same, 1] == hashes[new, 1]:
            break
        slot = slot + 1 & known.size - 1
    return slot


@kernel
def learn_spellings(known, hashes, symbols):
    """Enter all symbols by spelling; of two with one spelling the first counts."""
    for symbol in range(symbols):
        slot = _find(known, hashes, symbol)
        if known[slot] < 0:
            known[slot] = symbol


@inline_kernel
def _key(state, which, ties):
    """Return the key by which the heap orders pairs of equal counts."""
    entry = state.lists[which]
    if ties == BY_IDS:
        return np.int64(entry.left) << 32 | np.int64(entry.right)
    if ties == BY_SPELLING:
        return np.int64(state.span[entry.left] + state.span[entry.right])
    while entry.size and state.cells[state.pool[entry.begin]].pair != entry.pair:
        entry.begin += 1
        entry.size -= 1
    return np.int64(state.pool[entry.begin]) if entry.size else np.int64(state.cells.size)


@kernel
def enqueue(state, begin, end, ties, min_frequency):
    """Push the lists ``begin:end`` on the heap, except pairs too rare ever to merge."""
    for which in range(begin, end):
        count = state.lists[state.lists[which].pair].count
        if count >= min_frequency:
            key = _key(state, which, ties)
            push(state.heap, state.used[HEAPED], count, key, which, state.lists[which].first, state.spelling)
            state.used[HEAPED] += 1


@inline_kernel
def lacks_room(state, which):
    """True if merging the pair of a list might need more room than there is."""
    used, size = state.used, state.lists[which].size
    more = min(2 * size, 2 * used[SYMBOLS] + 1)  # new pairs at most
    return (
        used[LISTS] + more > state.lists.size
        or used[HEAPED] + more >= state.heap.size
        or used[POOLED] + 2 * size > state.pool.size
        or used[MERGES] == state.merges.shape[0]
    )


@kernel
def merge_some(state, target, limit, ties, same, min_frequency, max_length):
    """Merge until there are ``target`` symbols or ``limit`` merges; return DONE, EXHAUSTED or FULL.

    EXHAUSTED: no pair is frequent enough. FULL: an array needs room; enlarge it and call again.
    """
    used = state.used
    while used[SYMBOLS] < target and used[MERGES] < limit:
        if not used[HEAPED]:
            return EXHAUSTED
        top = state.heap[0]
        which, count = top.list, state.lists[state.lists[top.list].pair].count
        if lacks_room(state, which):
            return FULL
        stale = top.count != count or (ties == BY_PLACE and top.key != _key(state, which, ties))
        pop(state.heap, used[HEAPED], state.spelling)
        used[HEAPED] -= 1
        if count < min_frequency:
            continue
        if stale:
            key = _key(state, which, ties)
            push(state.heap, used[HEAPED], count, key, which, state.lists[which].first, state.spelling)
            used[HEAPED] += 1
            continue
        merge_next(state, which, ties, same, min_frequency, max_length)
    return DONE


@inline_kernel
def merge_next(state, which, ties, same, min_frequency, max_length):
    """Merge the pair of a list at every valid place, and push the new pairs on the heap."""
    left, right = state.lists[which].left, state.lists[which].right
    used, new, before = state.used, state.used[SYMBOLS], state.used[LISTS]
    if same != ANEW:
        _join_hashes(state.hashes, left, right, new)
        slot = _find(state.known, state.hashes, new)
        if state.known[slot] >= 0:
            if same == SKIP:
                return
            new = np.int64(state.known[slot])
        else:
            state.known[slot] = new
    state.span[new] = state.span[left] + state.span[right]
    state.length[new] = state.length[left] + state.length[right]
    merges = used[MERGES]
    state.merges[merges, 0], state.merges[merges, 1], state.merges[merges, 2] = left, right, new
    used[MERGES] += 1
    reused = new < used[SYMBOLS]
    if reused:
        _find_known(state, new)
    else:
        used[SYMBOLS] += 1
    made = _merge_places(state, which, new, reused, max_length, ties == BY_SPELLING)
    _sort_places(state, before, made)
    enqueue(state, before, used[LISTS], ties, min_frequency)


@inline_kernel
def _merge_places(state, which, new, reused, max_length, once):
    """Merge the pair of a list at every valid place; return the number of new pairs in ``fresh``."""
    cells, lists, span = state.cells, state.lists, state.span
    left, pair = lists[which].left, lists[which].pair
    gap, whole, made = span[left], span[new], 0
    for k in range(lists[which].begin, lists[which].begin + lists[which].size):
        at = state.pool[k]
        if cells[at].pair != pair:
            continue
        count, end = count_at(at, state.words, state.offsets, state.counts), at + whole
        before, after = cells[at - 1].symbol, cells[end].symbol
        if before >= 0:
            place = at - span[before]
            made = _replace(state, place, before, new, state.with_left, before, count, made, reused, max_length, once)
        if cells[at + gap].pair >= 0:
            lists[cells[at + gap].pair].count -= count
            cells[at + gap].pair = NONE
        cells[at].pair = NONE
        cells[at].symbol = cells[end - 1].symbol = new
        if after >= 0:
            made = _replace(state, at, new, after, state.with_right, after, count, made, reused, max_length, once)
    lists[which].size = 0
    return made


@inline_kernel
def _replace(state, place, left, right, found, other, count, made, reused, max_length, once):
    """Make (left, right), one of which is new, the pair that begins at ``place``."""
    cells, lists, used = state.cells, state.lists, state.used
    if cells[place].pair >= 0:
        lists[cells[place].pair].count -= count
        cells[place].pair = NONE
    if state.length[left] + state.length[right] > max_length:
        return made
    if once and left == right and same_before(cells, place, left):
        return made
    if found[other, 1] != used[MERGES]:
        found[other, 0], found[other, 1] = used[LISTS], used[MERGES]
        pair = found[other, 2] if reused and found[other, 3] == used[MERGES] else used[LISTS]
        begin_list(lists, used[LISTS], left, right, pair, place)
        used[LISTS] += 1
    which = found[other, 0]
    pair = lists[which].pair
    lists[pair].count += count
    lists[which].size += 1
    cells[place].pair = pair
    state.fresh[made, 0], state.fresh[made, 1] = place, which
    return made + 1


@inline_kernel
def _find_known(state, symbol):
    """Note the pairs that exist with a symbol that is about to be made again."""
    for which in range(state.used[LISTS]):
        left, right = state.lists[which].left, state.lists[which].right
        if state.lists[which].pair == which and (left == symbol or right == symbol):
            found, other = (state.with_left, left) if right == symbol else (state.with_right, right)
            found[other, 2], found[other, 3] = which, state.used[MERGES]


@inline_kernel
def _sort_places(state, before, made):
    """Give each new list its places, ascending. If a place changed its pair twice, the last pair counts."""
    lists, used = state.lists, state.used
    for which in range(before, used[LISTS]):
        lists[which].begin = used[POOLED]
        used[POOLED] += lists[which].size
        lists[which].size = 0
    for i in range(made):
        place, which = state.fresh[i, 0], state.fresh[i, 1]
        if state.cells[place].pair == lists[which].pair:
            state.pool[lists[which].begin + lists[which].size] = place
            lists[which].size += 1
