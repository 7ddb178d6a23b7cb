import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.near.minhash import EMPTY, minhash_signatures, permutations
from gristmill.dedup.near.shingles import CHUNK, shingle_sets
from gristmill.pipelines.ragged import Ragged
from tests.dedup.near.test_shingles import texts


def slow_signature(hashes, count):
    """Each lane's smallest value over the distinct shingles."""
    xor_masks, multipliers = (array.tolist() for array in permutations(count))
    lowest = [int(EMPTY)] * count
    for shingle in hashes:
        for lane in range(count):
            lowest[lane] = min(lowest[lane], ((shingle >> 32 ^ xor_masks[lane]) * multipliers[lane]) % 2**32)
    return lowest


@given(st.lists(texts, max_size=4))
def test_signatures_answer_as_the_reference(texts):
    text = Ragged.from_strings(texts)
    signatures, shingles = minhash_signatures(text, num_perm=16)
    sets = shingle_sets(text)
    for i, signature in enumerate(signatures):
        hashes = sets.data[sets.offsets[i] : sets.offsets[i + 1]].tolist()
        assert signature.tolist() == slow_signature(hashes, 16)
        assert (shingles[i] == 0) == (not hashes)


@pytest.mark.parametrize("length", [CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK - 4, 2 * CHUNK - 3, 3 * CHUNK])
@pytest.mark.parametrize("letters", [("w{}",), ("漢字{}",)])
def test_chunks_leave_no_trace(length, letters):
    text = Ragged.from_strings([" ".join(letters[0].format(i) for i in range(length))])
    signatures, shingles = minhash_signatures(text, num_perm=16)
    hashes = shingle_sets(text).data
    assert signatures[0].tolist() == slow_signature(hashes.tolist(), 16)
    assert letters[0] != "w{}" or shingles[0] == hashes.size == length - 4


@pytest.mark.parametrize("size", [20, 100, 2000])
@pytest.mark.parametrize("similarity", [0.3, 0.5, 0.8, 0.95])
def test_estimates_are_unbiased_and_as_sharp_as_theory(size, similarity):
    """Against the true Jaccard similarity: bias within 4 standard errors, RMSE within a sixth of sqrt(J(1-J)/k)."""
    draw, pairs, k = random.Random(size), 300, 128
    errors = []
    for _ in range(pairs):
        shared = round(similarity * size)
        words = [str(draw.getrandbits(60)) for _ in range(2 * size - shared)]  # each word a shingle
        left, right = words[:size], words[:shared] + words[size:]
        truth = shared / (2 * size - shared)
        signatures, _ = minhash_signatures(Ragged.from_strings([" ".join(left), " ".join(right)]), k, shingle_size=1)
        errors.append((signatures[0] == signatures[1]).mean() - truth)
    sigma = (truth * (1 - truth) / k) ** 0.5
    assert abs(np.mean(errors)) < 4 * sigma / pairs**0.5
    assert np.sqrt(np.mean(np.square(errors))) < sigma * 7 / 6


def test_estimates_are_as_good_as_those_of_datasketch():
    datasketch = pytest.importorskip("datasketch")
    draw, ours, theirs = random.Random(1), [], []
    for _ in range(60):
        words = [str(draw.getrandbits(60)) for _ in range(300)]
        left, right = words[:200], words[50:]
        truth = 150 / 300
        signatures, _ = minhash_signatures(Ragged.from_strings([" ".join(left), " ".join(right)]), 128, shingle_size=1)
        ours.append((signatures[0] == signatures[1]).mean() - truth)
        a, b = (datasketch.MinHash(128) for _ in range(2))
        a.update_batch([w.encode() for w in left])
        b.update_batch([w.encode() for w in right])
        theirs.append(a.jaccard(b) - truth)
    rmse = [np.sqrt(np.mean(np.square(errors))) for errors in (ours, theirs)]
    assert rmse[0] < 1.3 * rmse[1]
