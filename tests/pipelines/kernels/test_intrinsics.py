"""Loads, stores and prefetches of bytes; copies and sums of vectors."""

import numpy as np
import pytest

from gristmill.pipelines.kernels.intrinsics import add16, copy64, kernel, prefetch, store_u64


@kernel
def store(data, at, word):
    prefetch(data, at)
    store_u64(data, at, word)


@pytest.mark.parametrize("at", [0, 1, 3, 8])
def test_a_word_is_stored_where_it_is_asked_for(at):
    data = np.zeros(16, np.uint8)
    store(data, at, np.uint64(0x0807060504030201))
    assert data.tolist() == [0] * at + [1, 2, 3, 4, 5, 6, 7, 8] + [0] * (8 - at)


@kernel
def double(number):
    return 2 * number


@kernel
def quadruple(number):
    return double(double(number))


def test_a_kernel_has_one_form_for_python_and_one_for_kernels():
    assert quadruple(3) == 12 and not double.overloads
    assert double(3) == 6 and len(double.overloads) == 1


@kernel
def copy(data, at, out, to):
    copy64(data, at, out, to)


@pytest.mark.parametrize(("at", "to"), [(0, 0), (1, 0), (0, 3), (6, 7)])
def test_64_bytes_are_copied_and_no_others(at, to):
    data, out = np.arange(70, dtype=np.uint8), np.full(72, 255, np.uint8)
    copy(data, at, out, to)
    assert out.tolist() == [255] * to + data[at : at + 64].tolist() + [255] * (8 - to)


@kernel
def add(sums, to, terms, at, weight):
    add16(sums, to, terms, at, weight)


@pytest.mark.parametrize(("to", "at"), [(0, 0), (1, 5), (3, 2)])
def test_16_floats_are_added_as_numpy_adds_them(to, at):
    draw = np.random.default_rng(1)
    sums, terms, weight = draw.normal(size=20).astype("f4"), draw.normal(size=24).astype("f4"), np.float32(0.3)
    expected = sums.copy()
    expected[to : to + 16] += weight * terms[at : at + 16]
    add(sums, to, terms, at, weight)
    assert sums.tolist() == expected.tolist()
