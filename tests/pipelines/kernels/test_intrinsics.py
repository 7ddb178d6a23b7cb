"""Loads, stores and prefetches of bytes."""

import numpy as np
import pytest

from gristmill.pipelines.kernels.intrinsics import kernel, prefetch, store_u64


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
