"""Hashes of byte ranges, for use inside kernels. None of them resists deliberate collisions.

``hash64``     wyhash, final version 4 (public domain, github.com/wangyi-fudan/wyhash): table keys, shingles, words.
``hash128``    MurmurHash3 x64 128 (public domain, github.com/aappleby/smhasher): identities. The probability of any
               collision among 1e10 texts is 1.5e-19.
``hash_word``  Gristmill's own, for words: the steps of wyhash for up to 8 bytes at once, hash64 for longer ranges.
``mix``        two words into one, for keys composed of keys.

All return the same numbers on every little-endian machine and never read outside the range.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import (
    allocating_kernel,
    inline_kernel,
    kernel,
    load_u64,
    low_bytes_mask,
    multiply,
)

U64 = np.uint64
GOLDEN_RATIO = U64(0x9E3779B97F4A7C15)
SEED = U64(0)
W0, W1, W2, W3 = U64(0xA0761D6478BD642F), U64(0xE7037ED1A0B428DB), U64(0x8EBC6AF09C88C6E3), U64(0x589965CC75374CC3)
C1, C2 = U64(0x87C37B91114253D5), U64(0x4CF5AD432745937F)
F1, F2 = U64(0xFF51AFD7ED558CCD), U64(0xC4CEB9FE1A85EC53)


@inline_kernel
def mix(a, b):
    """Return the XOR of the halves of the 128-bit product, uint64. It is 0 if either is 0, so salt one of them."""
    low, high = multiply(a, b)
    return low ^ high


@inline_kernel
def load4(data, at):
    return U64(data[at]) | U64(data[at + 1]) << U64(8) | U64(data[at + 2]) << U64(16) | U64(data[at + 3]) << U64(24)


@kernel
def hash64(data, begin, end, seed=SEED):
    """Return the wyhash of ``data[begin:end]``, uint8 data, as uint64."""
    size = end - begin
    seed ^= mix(seed ^ W0, W1)
    a = b = U64(0)
    if size <= 16:
        if size >= 4:
            far = (size >> 3) << 2
            a = load4(data, begin) << U64(32) | load4(data, begin + far)
            b = load4(data, end - 4) << U64(32) | load4(data, end - 4 - far)
        elif size > 0:
            a = U64(data[begin]) << U64(16) | U64(data[begin + (size >> 1)]) << U64(8) | U64(data[end - 1])
    else:
        at = begin
        if size >= 48:
            second = third = seed
            while end - at >= 48:
                seed = mix(load_u64(data, at) ^ W1, load_u64(data, at + 8) ^ seed)
                second = mix(load_u64(data, at + 16) ^ W2, load_u64(data, at + 24) ^ second)
                third = mix(load_u64(data, at + 32) ^ W3, load_u64(data, at + 40) ^ third)
                at += 48
            seed ^= second ^ third
        while end - at > 16:
            seed = mix(load_u64(data, at) ^ W1, load_u64(data, at + 8) ^ seed)
            at += 16
        a, b = load_u64(data, end - 16), load_u64(data, end - 8)
    a, b = multiply(a ^ W1, b ^ seed)
    return mix(a ^ W0 ^ U64(size), b ^ W1)


@inline_kernel
def hash_word(data, begin, end):
    """Return a hash of ``data[begin:end]``, uint64, for short ranges: up to 8 bytes without a branch, else hash64.

    The word scan of English takes 34 ns per word with it and 45 with hash64, whose branches on the length are
    mispredicted.
    """
    size = end - begin
    if size > 8:
        return hash64(data, begin, end)
    return hash_short(load_short(data, begin, size), size)


@inline_kernel
def hash_short(word, size):
    """Return the hash_word of ``size`` <= 8 bytes, given as the low bytes of ``word``."""
    return mix(mix(word ^ W0, U64(size) ^ W1) ^ W2, W3)


@inline_kernel
def load_short(data, begin, size):
    """Load ``size`` <= 8 bytes into the low bytes of a uint64."""
    if begin + 8 <= data.size:
        return load_u64(data, begin) & low_bytes_mask(size)
    word = U64(0)
    for i in range(size):
        word |= U64(data[begin + i]) << U64(8 * i)
    return word


@inline_kernel
def _rotate(word, left):
    return word << U64(left) | word >> U64(64 - left)


@inline_kernel
def _finish(word):
    word = (word ^ word >> U64(33)) * F1
    word = (word ^ word >> U64(33)) * F2
    return word ^ word >> U64(33)


@kernel
def hash128(data, begin, end, seed=SEED):
    """Return the MurmurHash3 x64 128 of ``data[begin:end]``, uint8 data, as two uint64."""
    low = high = seed
    at = begin
    while end - at >= 16:
        low ^= _rotate(load_u64(data, at) * C1, 31) * C2
        low = (_rotate(low, 27) + high) * U64(5) + U64(0x52DCE729)
        high ^= _rotate(load_u64(data, at + 8) * C2, 33) * C1
        high = (_rotate(high, 31) + low) * U64(5) + U64(0x38495AB5)
        at += 16
    first = second = U64(0)
    for i in range(end - at):
        if i < 8:
            first |= U64(data[at + i]) << U64(8 * i)
        else:
            second |= U64(data[at + i]) << U64(8 * i - 64)
    high ^= _rotate(second * C2, 33) * C1
    low ^= _rotate(first * C1, 31) * C2
    size = U64(end - begin)
    low ^= size
    high ^= size
    low += high
    high += low
    low, high = _finish(low), _finish(high)
    low += high
    return low, high + low


@allocating_kernel
def hash_rows(offsets, data):
    """Return the hash64 of each row, uint64[n], of texts as offsets int64[n + 1] and data uint8[m]."""
    hashes = np.empty(offsets.size - 1, np.uint64)
    for row in range(hashes.size):
        hashes[row] = hash64(data, offsets[row], offsets[row + 1])
    return hashes
