"""N-grams as 126-bit keys: packed from a stream of ids, radix-sorted, counted, and merged.

The last word of an n-gram is the first digit of its key. Sorted keys therefore list the words that precede an n-gram
side by side, which Kneser-Ney counts. ``high`` holds digits one to three, ``low`` four to six. Lines are padded with
``<s>`` at the beginning.
"""

import numpy as np

from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.pipelines.kernels.hashing import U64
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel

DIGITS = 3  # per half of a key
RADIX = 11  # bits sorted per pass: 2,048 counters fit into the first-level cache
MAX_ORDER = 2 * DIGITS


@kernel
def pack(ids, mapping, order, bits, high, low):
    """Write the keys of all n-grams of ``order`` that end in a word or ``</s>``; return their number."""
    mask = (U64(1) << U64(bits * min(order, DIGITS))) - U64(1)
    low_mask = (U64(1) << U64(bits * max(order - DIGITS, 0))) - U64(1)
    cut = U64(bits * (min(order, DIGITS) - 1))
    low_cut = U64(bits * (max(order - DIGITS, 1) - 1))
    first = second = U64(0)
    n = 0
    for i in range(ids.size):
        if ids[i] == BEGIN:
            first = second = U64(0)
            for _ in range(DIGITS):
                first = first << U64(bits) | U64(BEGIN)
                second = second << U64(bits) | U64(BEGIN)
            first, second = first & mask, second & low_mask
            continue
        id = U64(mapping[ids[i]])
        out = first & ((U64(1) << U64(bits)) - U64(1))  # the oldest digit of the first half moves to the second
        first = first >> U64(bits) | id << cut
        if low_mask:
            second = second >> U64(bits) | out << low_cut
        high[n], low[n] = first, second
        n += 1
    return n


def sort_keys(high: np.ndarray, low: np.ndarray, order: int, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort keys, given as two halves, least significant digit first; the given arrays are overwritten."""
    spare = np.empty_like(high), np.empty_like(low)
    first, second = (high, low), spare
    for half, used in ((1, bits * max(order - DIGITS, 0)), (0, bits * min(order, DIGITS))):
        for shift in range(0, used, RADIX):
            _radix_pass(first[half], *first, *second, shift)
            first, second = second, first
    return first


@kernel
def _count_digits(digit_of, shift, place):
    for i in range(digit_of.size):
        place[np.int64(digit_of[i] >> U64(shift)) & ((1 << RADIX) - 1)] += 1
    at = 0
    for digit in range(place.size):
        count = place[digit]
        place[digit] = at
        at += count


def _radix_pass(digit_of, high, low, to_high, to_low, shift):
    place = np.zeros(1 << RADIX, np.int64)
    _count_digits(digit_of, shift, place)
    _scatter(digit_of, high, low, to_high, to_low, shift, place)


@kernel
def _scatter(digit_of, high, low, to_high, to_low, shift, place):
    for i in range(high.size):
        digit = np.int64(digit_of[i] >> U64(shift)) & ((1 << RADIX) - 1)
        at = place[digit]
        to_high[at], to_low[at] = high[i], low[i]
        place[digit] = at + 1


@kernel
def add_equal(high, low, counts):
    """Reduce sorted keys to distinct ones, in place, and write their counts; return their number."""
    n = 0
    for i in range(high.size):
        if n and high[n - 1] == high[i] and low[n - 1] == low[i]:
            counts[n - 1] += 1
        else:
            high[n], low[n], counts[n] = high[i], low[i], 1
            n += 1
    return n


@inline_kernel
def _before(high, low, i, other_high, other_low, j):
    return high[i] < other_high[j] or (high[i] == other_high[j] and low[i] < other_low[j])


@kernel
def merge(high, low, counts, other_high, other_low, other_counts, to_high, to_low, to_counts):
    """Merge two sorted runs into one and return its length."""
    i = j = n = 0
    while i < high.size or j < other_high.size:
        if j == other_high.size or (i < high.size and _before(high, low, i, other_high, other_low, j)):
            to_high[n], to_low[n], to_counts[n] = high[i], low[i], counts[i]
            i += 1
        elif i == high.size or _before(other_high, other_low, j, high, low, i):
            to_high[n], to_low[n], to_counts[n] = other_high[j], other_low[j], other_counts[j]
            j += 1
        else:
            to_high[n], to_low[n], to_counts[n] = high[i], low[i], counts[i] + other_counts[j]
            i, j = i + 1, j + 1
        n += 1
    return n
