"""Log10 probability of each id of a stream, given the preceding ids of its line.

All n-grams of one order are looked up before the next order, for BATCH_TOKENS ids at a time: first all cells are
prefetched, so that memory serves many requests at once, then read. A round reads one cell of each request and keeps the
requests that are not decided: whether a cell holds the n-gram is a matter of chance, and a branch on it would be
mispredicted every other time.
"""

import numpy as np

from gristmill.filters.ngram.hash_table import CODE_BITS, CODES, home, key_of, prefetch
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.kernels.hashing import U64
from gristmill.pipelines.kernels.intrinsics import allocating_kernel

BATCH_TOKENS = 256
NEAR_CELLS = 3  # after the first, prefetched too: an n-gram is found after 1.8 cells, and missed after 4


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
    before = np.zeros(BATCH_TOKENS + 1, np.int64)
    known, slots = np.empty(BATCH_TOKENS + 1, np.int64), np.empty(BATCH_TOKENS + 1, np.int64)
    asked, places = np.empty(BATCH_TOKENS + 1, np.int64), np.empty(BATCH_TOKENS + 1, np.int64)
    keys = np.empty(BATCH_TOKENS + 1, np.uint64)
    depth = 0
    for begin in range(0, ids.size, BATCH_TOKENS):
        n = min(BATCH_TOKENS, ids.size - begin)
        hits = 0  # ids that end a known n-gram of the order below, with its slot
        for i in range(1, n + 1):
            id = np.int64(ids[begin + i - 1])
            depth = 0 if id == BEGIN else depth + 1
            before[i], found[i] = depth, 1
            backoff[i, 1] = unigrams[id, 1]
            out[begin + i - 1] = 0.0 if id == BEGIN else unigrams[id, 0]
            known[hits], slots[hits] = i, id
            hits += depth > 0
        for k in range(2, order + 1):
            first, size, left = begins[k], begins[k + 1] - begins[k], 0
            if size == 0:
                break
            for j in range(hits):
                i = known[j]
                key = key_of(slots[j], ids[max(begin + i - k, 0)], bits)
                place = home(key, size)
                prefetch(cells, (first + place) * width)
                prefetch(cells, (first + place + NEAR_CELLS) * width)
                asked[left], keys[left], places[left] = i, key, place
                left += before[i] >= k - 1  # else the line has too few ids before it
            hits = 0
            for _ in range(size):  # a full table is searched once
                undecided = 0
                for j in range(left):
                    i, key, place = asked[j], keys[j], places[j]
                    held = cells[(first + place) * width] >> U64(shift)
                    known[hits], slots[hits] = i, place
                    hits += held == key
                    next_place = place + 1 if place + 1 < size else 0
                    asked[undecided], keys[undecided], places[undecided] = i, key, next_place
                    undecided += (held != key) & (held != U64(0))
                left = undecided
                if left == 0:
                    break
            for j in range(hits):
                i, at = known[j], first + slots[j]
                if quantized:
                    cell = np.int64(cells[at] & U64(CODES * CODES - 1))
                    out[begin + i - 1], backoff[i, k] = codes[k, 0, cell >> 8], codes[k, 1, cell & 255]
                else:
                    out[begin + i - 1], backoff[i, k] = floats[4 * at + 2], floats[4 * at + 3]
                found[i] = k
        for i in range(1, n + 1):
            if before[i]:
                total = out[begin + i - 1]
                for k in range(found[i], min(order - 1, found[i - 1]) + 1):
                    total += backoff[i - 1, k]
                out[begin + i - 1] = total
        found[0] = found[n]
        backoff[0] = backoff[n]
