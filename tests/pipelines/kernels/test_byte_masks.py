"""Masks of 64 bytes against a loop over bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.kernels.masks import WINDOW, low_bits_mask, range_mask

CLASSES = [(97, 122), (0, 255), (128, 255), (10, 10), (0, 0), (255, 255), (9, 13)]
bytes_ = st.integers(0, 255)


@kernel
def whole(data, at, low, high):
    return range_mask(data, at, low, high)


@kernel
def letters(data, at):  # constants, as kernels have them
    return range_mask(data, at, 65, 90) | range_mask(data, at, 97, 122)


@kernel
def low_bits(count):
    return low_bits_mask(count)


def by_byte(data, at, low, high):
    """Return the mask, one byte at a time."""
    return sum(1 << i for i, byte in enumerate(data[at : at + WINDOW].tolist()) if low <= byte <= high)


@pytest.mark.parametrize(("low", "high"), CLASSES)
def test_every_byte_is_in_its_ranges_only(low, high):
    data = np.arange(256, dtype=np.uint8)
    for at in range(256 - WINDOW + 1):
        assert whole(data, at, low, high) == by_byte(data, at, low, high)


@given(st.binary(min_size=WINDOW, max_size=WINDOW + 8), bytes_, bytes_, st.data())
def test_a_mask_answers_as_a_loop_over_bytes(text, one, other, draw):
    data, low, high = np.frombuffer(text, np.uint8), min(one, other), max(one, other)
    at = draw.draw(st.integers(0, data.size - WINDOW))
    assert whole(data, at, low, high) == by_byte(data, at, low, high)
    assert letters(data, at) == by_byte(data, at, 65, 90) | by_byte(data, at, 97, 122)


@pytest.mark.parametrize("count", [0, 1, 31, 63, 64, 65, 1000])
def test_low_bits_are_counted(count):
    assert low_bits(count) == (1 << min(count, 64)) - 1
