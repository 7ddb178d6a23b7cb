"""MinHash signatures: the share of equal values in two signatures estimates the Jaccard similarity of two shingle sets.

This is the classic sketch, one permutation per value. It reads a document of any length in one pass of constant
memory, and its values are independent, as banding requires. Two sketches that hash each shingle once lost
(benchmarks/sketches.py; 600 shingles, 128 values; ns per shingle, and error at 100 shingles against theory):

- classic: 29, 1.00
- one-permutation hashing with optimal densification: 7, 0.96, but 1.1 at 30 shingles
- fast similarity sketching: 14, 0.72

Text to shingles takes another 30 ns, so they would save a third, and would have to store or rescan a document's
shingles until every value is filled.
"""

import numpy as np

from gristmill.dedup.near.shingle_letters import letters
from gristmill.dedup.near.shingles import CHUNK, THIRTY_TWO, hash_windows, is_spaceless, scan_characters, scan_words
from gristmill.pipelines.kernels.intrinsics import allocating_kernel
from gristmill.pipelines.ragged import Ragged

EMPTY = np.uint32(0xFFFFFFFF)  # every value of a document without shingles


def permutations(num_perm: int) -> tuple[np.ndarray, np.ndarray]:
    """Return xor_masks and multipliers: permutation i of h is ``(h ^ xor_masks[i]) * multipliers[i]`` modulo 2^32."""
    random = np.random.Generator(np.random.PCG64(0))
    xor_masks, multipliers = random.integers(0, 1 << 32, (2, num_perm), np.uint32)
    multipliers |= np.uint32(1)
    xor_masks.flags.writeable = multipliers.flags.writeable = False
    return xor_masks, multipliers


def minhash_signatures(
    text: Ragged, num_perm: int = 128, shingle_size: int = 5, shingle_size_unspaced: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Return signatures, uint32[n, num_perm], and the number of shingles of each document with repeats, int64[n].

    A document without shingles gets EMPTY values. ``shingle_size`` 0 means shingles of characters for every script.
    """
    return _signatures(*text, letters(), shingle_size, shingle_size_unspaced, *permutations(num_perm))


@allocating_kernel
def _signatures(offsets, data, table, shingle_size, shingle_size_unspaced, xor_masks, multipliers):
    n = offsets.size - 1
    signatures, shingles = np.full((n, xor_masks.size), EMPTY), np.empty(n, np.int64)
    tokens, hashes, high = np.empty(CHUNK, np.uint64), np.empty(CHUNK, np.uint64), np.empty(CHUNK, np.uint32)
    for i in range(n):
        begin, end = offsets[i], offsets[i + 1]
        spaceless = shingle_size == 0 or is_spaceless(data, begin, end, table)
        size = shingle_size_unspaced if spaceless else shingle_size
        shingles[i] = _document_signature(
            data, begin, end, table, spaceless, size, tokens, hashes, high, xor_masks, multipliers, signatures[i]
        )
    return signatures, shingles


@allocating_kernel
def _document_signature(data, at, end, table, spaceless, size, tokens, hashes, high, xor_masks, multipliers, signature):
    """Fill one signature chunk by chunk, in constant memory; the last tokens of a chunk begin the next one.

    Inlined in the loop above, it ran at half the speed.
    """
    filled = shingles = 0
    while True:
        if spaceless:
            at, filled = scan_characters(data, at, end, table, tokens, filled)
        else:
            at, filled = scan_words(data, at, end, table, tokens, filled)
        if shingles and filled < size:
            return shingles
        windows = hash_windows(tokens, filled, size, hashes)
        for i in range(windows):
            high[i] = hashes[i] >> THIRTY_TWO
        update_minima(signature, high, windows, xor_masks, multipliers)
        shingles += windows
        if at >= end:
            return shingles
        for i in range(size - 1):
            tokens[i] = tokens[filled - size + 1 + i]
        filled = size - 1


@allocating_kernel
def update_minima(signature, hashes, count, xor_masks, multipliers):
    """Update each value of a signature to its minimum over ``hashes[:count]``.

    ``hashes`` is padded to a multiple of 32 with its last shingle. This changes no minimum and keeps the whole loop in
    vector registers: 26 ns per shingle for 128 values, against 58 in documents of 100 shingles.
    """
    if count == 0:
        return
    padded = (count + 31) // 32 * 32
    for i in range(count, padded):
        hashes[i] = hashes[count - 1]
    for k in range(signature.size):
        mask, multiplier, least = xor_masks[k], multipliers[k], signature[k]
        for i in range(padded):
            least = min(least, np.uint32((hashes[i] ^ mask) * multiplier))
        signature[k] = least
