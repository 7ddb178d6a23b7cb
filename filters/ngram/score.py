"""What each id of a stream costs: log10 probability given the ids before it in its line.

All grams of one length are looked up before those of the next, for some hundred ids at a time: first every cell is
asked for, then each is read, so that memory answers many at once. Id by id, each order would wait for the one before.
"""

import numpy as np
from numba import njit

from gristmill.filters.ngram.hash_table import CODE_BITS, CODES, find_from, home, key_of, prefetch
from gristmill.filters.ngram.token_stream import BEGIN

BATCH_TOKENS = 256


@njit(nogil=True, cache=True)
def score(ids, order, bits, unigrams, cells, floats, begins, codes, out):
    """ids uint32[m] -> out float32[m]; 0 at <s>. ``codes`` float32[order + 1, 2, 256] where cells are quantized."""
    quantized = codes.size > 0
    width, shift = (1, CODE_BITS) if quantized else (2, 0)
    # Row 0 is the id before the block.
    found = np.ones(BATCH_TOKENS + 1, np.int64)
    backoff = np.zeros((BATCH_TOKENS + 1, order + 1), np.float32)
    place, before = np.zeros(BATCH_TOKENS + 1, np.int64), np.zeros(BATCH_TOKENS + 1, np.int64)
    alive, homes = np.empty(BATCH_TOKENS + 1, np.int64), np.empty(BATCH_TOKENS + 1, np.int64)
    keys = np.empty(BATCH_TOKENS + 1, np.uint64)
    depth = 0
    for begin in range(0, ids.size, BATCH_TOKENS):
        n = min(BATCH_TOKENS, ids.size - begin)
        left = 0
        for i in range(1, n + 1):
            id = np.int64(ids[begin + i - 1])
            depth = 0 if id == BEGIN else depth + 1
            place[i], before[i], found[i] = id, depth, 1
            backoff[i, 1] = unigrams[id, 1]
            out[begin + i - 1] = 0.0 if id == BEGIN else unigrams[id, 0]
            alive[left] = i
            left += depth > 0
        for k in range(2, order + 1):
            first, size, still = begins[k], begins[k + 1] - begins[k], 0
            for j in range(left):  # what can have a gram of k words: ask for its cell
                i = alive[j]
                if before[i] >= k - 1 and size:
                    keys[still] = key_of(place[i], ids[begin + i - k], bits)
                    homes[still] = home(keys[still], size)
                    prefetch(cells, (first + homes[still]) * width)
                    alive[still] = i
                    still += 1
            left, still = still, 0
            for j in range(left):
                i = alive[j]
                at = find_from(cells, first, size, width, shift, keys[j], homes[j])
                if at >= 0:
                    if quantized:
                        cell = np.int64(cells[first + at] & np.uint64(CODES * CODES - 1))
                        out[begin + i - 1], backoff[i, k] = codes[k, 0, cell >> 8], codes[k, 1, cell & 255]
                    else:
                        out[begin + i - 1], backoff[i, k] = floats[4 * (first + at) + 2], floats[4 * (first + at) + 3]
                    place[i], found[i] = at, k
                    alive[still] = i
                    still += 1
            left = still
        for i in range(1, n + 1):
            if before[i]:
                cost = out[begin + i - 1]
                for k in range(found[i], min(order - 1, found[i - 1]) + 1):
                    cost += backoff[i - 1, k]
                out[begin + i - 1] = cost
        found[0] = found[n]
        backoff[0] = backoff[n]
