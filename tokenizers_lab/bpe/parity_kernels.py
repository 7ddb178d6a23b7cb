"""Merge loop of parity-aware BPE (Foroutan et al. 2025, arXiv:2508.04796), with the arrays of merge_kernels.py.

Each language has its own list of places, count and heap entry for a pair of symbols. Each merge is the most frequent
pair of the language with the most tokens per unit of content, and it is made in all languages. The lists of one pair
are a ring (``ring`` names the next), so no hash table finds them: all were begun when the later of the two symbols was.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.tokenizers_lab.bpe.merge_kernels import (
    DONE,
    EXHAUSTED,
    FULL,
    LISTS,
    MERGES,
    POOLED,
    SYMBOLS,
    _find,
    _join_hashes,
    _merge_places,
    _sort_places,
)
from gristmill.tokenizers_lab.bpe.pair_heap import pop, push
from gristmill.tokenizers_lab.bpe.pair_positions import NONE, count_at
from gristmill.tokenizers_lab.bpe.train_wordpiece import _places_of


class Languages(NamedTuple):
    """Arrays of the languages and of their lists."""

    language: np.ndarray  # int32[lists]
    ring: np.ndarray  # int32[lists]
    heaps: np.ndarray  # ENTRY: the heap of language l lies from begin[l] to begin[l + 1]
    begin: np.ndarray  # int64[languages + 1]
    queued: np.ndarray  # int64[languages]: entries of each heap
    tokens: np.ndarray  # int64[languages]: now
    content: np.ndarray  # float64[languages]
    latest: np.ndarray  # int64[vocabulary, 2, 2]: list of (x, z) and of (z, y), and the merge that wrote it
    made: np.ndarray  # int32[merges, 3]
    done: np.ndarray  # int64[1]: number of merges


@kernel
def count_lists(cells, words, offsets, counts, lists):
    """Add up the counts of all pairs; cells name their lists."""
    for at in range(cells.size):
        if cells[at].pair >= 0:
            lists[cells[at].pair].count += count_at(at, words, offsets, counts)


@kernel
def enqueue_language(state, languages, first, end, min_frequency):
    """Push the lists ``first:end`` on the heaps of their languages, except pairs too rare ever to merge."""
    for which in range(first, end):
        if state.lists[which].count >= min_frequency:
            _push(state, languages, which)


@inline_kernel
def _push(state, languages, which):
    entry, which_language = state.lists[which], languages.language[which]
    heap = languages.heaps[languages.begin[which_language] : languages.begin[which_language + 1]]
    key = np.int64(entry.left) << 32 | np.int64(entry.right)
    push(heap, languages.queued[which_language], entry.count, key, which, entry.first, state.spelling)
    languages.queued[which_language] += 1


@inline_kernel
def _worst(languages):
    """Return the language with the most tokens per unit of content of those with a pair left, or NONE."""
    worst, most = NONE, -1.0
    for which in range(languages.tokens.size):
        rate = languages.tokens[which] / languages.content[which]
        if languages.queued[which] and rate > most:
            worst, most = which, rate
    return worst


@inline_kernel
def _lacks_room(state, languages, which):
    """True if merging a pair in all languages might need more room than there is."""
    more, places, at = 0, 0, which
    while True:
        size, of = state.lists[at].size, languages.language[at]
        new = min(2 * size, 2 * state.used[SYMBOLS] + 1)
        if languages.begin[of] + languages.queued[of] + new > languages.begin[of + 1]:
            return True
        more, places, at = more + new, places + 2 * size, languages.ring[at]
        if at == which:
            break
    used = state.used
    return used[LISTS] + more > state.lists.size or used[POOLED] + places > state.pool.size


@kernel
def balance_some(state, languages, target, limit, min_frequency, max_length):
    """Merge until there are ``target`` symbols or ``limit`` merges; return DONE, EXHAUSTED or FULL, as ``merge_some``.

    A merge whose spelling exists already is not made.
    """
    used, lists, done = state.used, state.lists, languages.done
    while used[SYMBOLS] < target and done[0] < limit:
        worst = _worst(languages)
        if worst == NONE:
            return EXHAUSTED
        heap = languages.heaps[languages.begin[worst] : languages.begin[worst + 1]]
        which, count = heap[0].list, lists[heap[0].list].count
        stale = heap[0].count != count
        if not stale and _lacks_room(state, languages, which):
            return FULL
        pop(heap, languages.queued[worst], state.spelling)
        languages.queued[worst] -= 1
        if count < min_frequency:
            continue
        if stale:
            _push(state, languages, which)
            continue
        left, right, new = lists[which].left, lists[which].right, used[SYMBOLS]
        _join_hashes(state.hashes, left, right, new)
        slot = _find(state.known, state.hashes, new)
        if state.known[slot] >= 0:
            continue
        state.known[slot] = new
        state.span[new] = state.span[left] + state.span[right]
        state.length[new] = state.length[left] + state.length[right]
        languages.made[done[0], 0], languages.made[done[0], 1], languages.made[done[0], 2] = left, right, new
        done[0] += 1
        used[SYMBOLS] += 1
        at = which
        while True:
            _merge_in_language(state, languages, at, new, min_frequency, max_length)
            at = languages.ring[at]
            if at == which:
                break
    return DONE


@inline_kernel
def _merge_in_language(state, languages, which, new, min_frequency, max_length):
    """Merge the pair of a list in its language, and link the new lists to those of other languages."""
    used, of, before = state.used, languages.language[which], state.used[LISTS]
    used[MERGES] += 1  # tells the lists of this language from those of the others
    languages.tokens[of] -= _places_of(state, which)
    made = _merge_places(state, which, new, False, max_length, False)
    _sort_places(state, before, made)
    for k in range(before, used[LISTS]):
        languages.language[k] = of
        side, other = (0, state.lists[k].left) if state.lists[k].right == new else (1, state.lists[k].right)
        head = languages.latest[other, side, 0]
        if languages.latest[other, side, 1] == languages.done[0]:
            languages.ring[k], languages.ring[head] = languages.ring[head], k
        else:
            languages.ring[k] = k
        languages.latest[other, side, 0], languages.latest[other, side, 1] = k, languages.done[0]
    enqueue_language(state, languages, before, used[LISTS], min_frequency)
