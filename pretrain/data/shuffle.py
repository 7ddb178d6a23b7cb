"""A permutation of 0 … n-1 that is computed, not stored: any place of any epoch's order in constant time and memory.

A Feistel network of four rounds permutes the numbers of 2k bits, the smallest power of 4 that holds n; a number that
comes out at n or above goes through again until it is below (cycle walking: 4 turns at most in the mean).
"""

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64

ROUNDS = 4
M1, M2 = U64(0xBF58476D1CE4E5B9), U64(0x94D049BB133111EB)


def mix(x: np.ndarray | U64) -> np.ndarray | U64:
    """splitmix64's finaliser (Steele and others 2014): each bit of x moves about half of the bits."""
    x = (x ^ (x >> U64(30))) * M1
    x = (x ^ (x >> U64(27))) * M2
    return x ^ (x >> U64(31))


def key(*numbers: int) -> int:
    """Some numbers, such as seed and epoch, as one of 64 bits."""
    with np.errstate(over="ignore"):
        state = U64(0)
        for number in numbers:
            state = mix((state ^ U64(number & 0xFFFFFFFFFFFFFFFF)) + GOLDEN_RATIO)
    return int(state)


def permute(index: np.ndarray, size: int, seed: int, epoch: int) -> np.ndarray:
    """Which of ``size`` things stand at the places ``index`` in this epoch's order: int64 like ``index``."""
    half = U64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = (U64(1) << half) - U64(1)
    keys = np.array([key(seed, epoch, turn) for turn in range(ROUNDS)], U64)
    found = index.astype(U64)
    outside = np.ones(found.shape, np.bool_)
    while outside.any():
        left, right = found[outside] >> half, found[outside] & mask
        for each in keys:
            left, right = right, left ^ (mix(right + each) & mask)
        found[outside] = left << half | right
        outside[outside] = found[outside] >= U64(size)
    return found.astype(np.int64)
