"""Shuffle of 0 … n-1 by a computed permutation: constant time and memory for any position of any epoch.

A Feistel network of four rounds permutes the numbers of 2k bits, 4^k being the smallest power of 4 that is n or more.
A result of n or above is permuted again until it is below n (cycle walking: at most 4 times on average).
"""

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64

ROUNDS = 4
M1, M2 = U64(0xBF58476D1CE4E5B9), U64(0x94D049BB133111EB)


def mix(x: np.ndarray | U64) -> np.ndarray | U64:
    """Return splitmix64's finalizer of uint64 (Steele et al. 2014): each bit of x changes about half of the bits."""
    x = (x ^ (x >> U64(30))) * M1
    x = (x ^ (x >> U64(27))) * M2
    return x ^ (x >> U64(31))


def key(*numbers: int) -> int:
    """Hash integers, such as seed and epoch, into one of 64 bits."""
    with np.errstate(over="ignore"):
        state = U64(0)
        for number in numbers:
            state = mix((state ^ U64(number & 0xFFFFFFFFFFFFFFFF)) + GOLDEN_RATIO)
    return int(state)


def permute(index: np.ndarray, size: int, seed: int, epoch: int) -> np.ndarray:
    """Return the items (0 … size-1) at the positions ``index`` of an epoch's order, int64 like ``index``."""
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
