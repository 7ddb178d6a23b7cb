"""MinHash signatures: what share of two signatures agrees estimates the Jaccard similarity of two shingle sets.

The classic sketch, one permutation a lane: it takes a document of any length in one pass of constant memory, merges
by the smaller value, and its lanes are independent as the theory of bands asks. Two that look at each shingle once
lost (benchmarks/sketches.py; 600 shingles, 128 lanes, ns a shingle; error at 100 shingles against theory):
classic 29, 1.00; one permutation with optimal densification 7, 0.96, but 1.1 at 30 shingles; rounds of fast
similarity sketching 14, 0.72. The rest of the way from text to shingles takes 30 ns, so the gain would be a third,
paid with keeping or scanning anew all shingles of a document until each lane is filled.
"""

import numpy as np
from numba import njit

from gristmill.dedup.near.shingle_letters import letters
from gristmill.dedup.near.shingles import CHUNK, hash_windows, is_spaceless, scan_characters, scan_words
from gristmill.pipelines.ragged import Ragged

THIRTY_TWO = np.uint64(32)
EMPTY = np.uint32(0xFFFFFFFF)  # every lane of a document without shingles


def permutations(num_perm: int) -> tuple[np.ndarray, np.ndarray]:
    """The permutations, all fixed: lane i of a shingle h is ``(h ^ xor_masks[i]) * multipliers[i]`` modulo 2^32."""
    random = np.random.Generator(np.random.PCG64(0))
    xor_masks, multipliers = random.integers(0, 1 << 32, (2, num_perm), np.uint32)
    multipliers |= np.uint32(1)
    xor_masks.flags.writeable = multipliers.flags.writeable = False
    return xor_masks, multipliers


def minhash_signatures(
    text: Ragged, num_perm: int = 128, shingle_size: int = 5, shingle_size_unspaced: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """uint32[n, num_perm] signatures, and int64[n] shingles (with repeats); no shingles, no signature to speak of.

    ``shingle_size`` 0: characters, whatever the script.
    """
    return _signatures(*text, letters(), shingle_size, shingle_size_unspaced, *permutations(num_perm))


@njit(nogil=True, cache=True)
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


@njit(nogil=True, cache=True)
def _document_signature(data, at, end, table, spaceless, size, tokens, hashes, high, xor_masks, multipliers, signature):
    """Chunk by chunk, so that a document of any length needs no more memory; the last tokens begin the next chunk.

    A function of its own: written out in the loop above, LLVM made code of half the speed of it.
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


@njit(nogil=True, cache=True)
def update_minima(signature, hashes, count, xor_masks, multipliers):
    """Lower each lane to its smallest value over the shingles.

    ``hashes`` is filled up to a multiple of 32 with its last shingle, which changes no minimum but keeps all of the
    loop in vector registers: 26 ns a shingle for 128 lanes against 58 in documents of 100 shingles.
    """
    if count == 0:
        return
    padded = (count + 31) // 32 * 32
    for i in range(count, padded):
        hashes[i] = hashes[count - 1]
    for lane in range(signature.size):
        mask, multiplier, least = xor_masks[lane], multipliers[lane], signature[lane]
        for i in range(padded):
            least = min(least, np.uint32((hashes[i] ^ mask) * multiplier))
        signature[lane] = least
