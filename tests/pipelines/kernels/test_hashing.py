"""Hashes: the algorithms' own vectors, and that every bit of what goes in moves half of what comes out."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.kernels.hashing import U64, hash64, hash128, hash_word, mix


def array(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize(
    ("seed", "text", "expected"),
    [  # test_vector.cpp of wyhash, final version 4
        (0, "", 0x0409638EE2BDE459),
        (1, "a", 0xA8412D091B5FE0A9),
        (2, "abc", 0x32DD92E4B2915153),
        (3, "message digest", 0x8619124089A3A16B),
        (4, "abcdefghijklmnopqrstuvwxyz", 0x7A43AFB61D7F5F40),
        (5, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 0xFF42329B90E50D58),
        (6, "1234567890" * 8, 0xC39CAB13B115AAD3),
    ],
)
def test_hash64_is_wyhash(seed, text, expected):
    data = array(text.encode())
    assert hash64(data, 0, data.size, U64(seed)) == expected


@pytest.mark.parametrize(
    ("seed", "text", "low", "high"),
    [  # as the package mmh3 5 answers
        (0, "", 0, 0),
        (0, "hello", 0xCBD8A7B341BD9B02, 0x5B1E906A48AE1D19),
        (0, "The quick brown fox jumps over the lazy dog", 0xE34BBC7BBC071B6C, 0x7A433CA9C49A9347),
        (42, "", 0xF02AA77DFA1B8523, 0xD1016610DA11CBB9),
        (42, "a" * 33, 0xF5654C8FDD9166DB, 0x9B38160B60F27051),
    ],
)
def test_hash128_is_murmur3(seed, text, low, high):
    data = array(text.encode())
    assert hash128(data, 0, data.size, U64(seed)) == (low, high)


KINDS = {
    "hash64": lambda data, begin, end: hash64(data, begin, end),
    "hash_word": lambda data, begin, end: hash_word(data, begin, end),
    "hash128 low": lambda data, begin, end: hash128(data, begin, end)[0],
    "hash128 high": lambda data, begin, end: hash128(data, begin, end)[1],
}
SIZES = [1, 2, 3, 4, 7, 8, 9, 12, 16, 17, 31, 47, 48, 49, 64, 97]


@pytest.mark.parametrize("kind", KINDS)
def test_each_bit_moves_half_of_the_bits(kind):
    random = np.random.default_rng(0)
    for size in SIZES:
        moved, rounds = np.zeros((size * 8, 64)), 48
        for _ in range(rounds):
            data = random.integers(0, 256, size, np.uint8)
            before = int(KINDS[kind](data, 0, size))
            for bit in range(size * 8):
                data[bit // 8] ^= 1 << bit % 8
                change = before ^ int(KINDS[kind](data, 0, size))
                data[bit // 8] ^= 1 << bit % 8
                moved[bit] += (change >> np.arange(64, dtype=object) & 1).astype(float)
        # Of 48 rounds a bit moves in 24, give or take 3.5: beyond six of those would be no chance.
        assert abs(moved / rounds - 0.5).max() < 0.45
        assert abs(moved.mean() / rounds - 0.5) < 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_short_texts_do_not_collide(kind):
    texts = [bytes(t) for n in range(3) for t in itertools.product(range(0, 256, 5), repeat=n)]
    texts += [b"\0" * n for n in range(3, 100)] + [b"a" * n for n in range(3, 100)]
    assert len({int(KINDS[kind](array(t), 0, len(t))) for t in texts}) == len(set(texts))


@pytest.mark.parametrize("kind", KINDS)
@given(st.binary(max_size=70), st.binary(max_size=70), st.binary(max_size=9), st.binary(max_size=9))
def test_only_the_range_counts(kind, text, other, before, after):
    inside = array(before + text + after)
    hashed = KINDS[kind](inside, len(before), len(before) + len(text))
    assert hashed == KINDS[kind](array(text), 0, len(text))
    assert (hashed == KINDS[kind](array(other), 0, len(other))) == (text == other)


def test_mix_has_no_order_and_no_zero():
    assert mix(U64(3), U64(5)) == mix(U64(5), U64(3)) == 15
    assert mix(U64(2**63), U64(4)) == 2
    assert mix(U64(0), U64(7)) == 0
