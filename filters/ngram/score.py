"""Log10 probability of each id of a stream, given the preceding ids of its line.

All n-grams of one order are looked up before the next order, for BATCH_TOKENS ids at a time: first all cells are
prefetched, then read, so that memory serves many requests at once. Id by id, each order would wait for the one before.
"""

import numpy as np

from gristmill.filters.ngram.hash_table import CODE_BITS, CODES, find_from, home, key_of, prefetch
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.kernels.intrinsics import allocating_kernel

BATCH_TOKENS = 256


@allocating_kernel
def score(ids, order, bits, unigrams, cells, floats, begins, codes, out):
    """Write log10 probabilities of ids uint32[m] to ``out`` float32[m]; 0 at <s>.

    ``codes`` is float32[order + 1, 2, 256] if cells are quantized, else empty.
    """
    quantized = codes.size > 0
    width, shift = (1, CODE_BITS) if quantized else (2, 0)
    # Row 0 is the last id of the batch before.
    found = np.ones(BATCH_TOKENS + 1, np.int64)
    backoff = np.zeros((BATCH_TOKENS + 1, order + 1), np.float32)
    slot, before = np.zeros(BATCH_TOKENS + 1, np.int64), np.zeros(BATCH_TOKENS + 1, np.int64)
    alive, homes = np.empty(BATCH_TOKENS + 1, np.int64), np.empty(BATCH_TOKENS + 1, np.int64)
    keys = np.empty(BATCH_TOKENS + 1, np.uint64)
    depth = 0
    for begin in range(0, ids.size, BATCH_TOKENS):
        n = min(BATCH_TOKENS, ids.size - begin)
        left = 0
        for i in range(1, n + 1):
            id = np.int64(ids[begin + i - 1])
            depth = 0 if id == BEGIN else depth + 1
            slot[i], before[i], found[i] = id, depth, 1
            backoff[i, 1] = unigrams[id, 1]
            out[begin + i - 1] = 0.0 if id == BEGIN else unigrams[id, 0]
            alive[left] = i
            left += depth > 0
        for k in range(2, order + 1):
            first, size, still = begins[k], begins[k + 1] - begins[k], 0
            for j in range(left):  # ids that may end an n-gram of k words: prefetch its cell
                i = alive[j]
                if before[i] >= k - 1 and size:
                    keys[still] = key_of(slot[i], ids[begin + i - k], bits)
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
                    slot[i], found[i] = at, k
                    alive[still] = i
                    still += 1
            left = still
        for i in range(1, n + 1):
            if before[i]:
                total = out[begin + i - 1]
                for k in range(found[i], min(order - 1, found[i - 1]) + 1):
                    total += backoff[i - 1, k]
                out[begin + i - 1] = total
        found[0] = found[n]
        backoff[0] = backoff[n]
