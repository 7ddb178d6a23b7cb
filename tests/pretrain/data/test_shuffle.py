"""Any place of any epoch's order can be computed, and each thing comes once an epoch."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pretrain.data.shuffle import key, permute
from tests.reference import feistel as reference

seeds = st.integers(-(2**40), 2**64 - 1)


@given(st.integers(1, 5000), seeds, st.integers(0, 100))
def test_every_place_holds_another_thing(size, seed, epoch):
    assert sorted(permute(np.arange(size), size, seed, epoch)) == list(range(size))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 15, 16, 17, 63, 64, 65, 255, 256, 257, 1023, 1024, 1025])
def test_sizes_at_powers_of_four_are_permuted(size):
    places = np.arange(size)
    order = permute(places, size, 7, 1)
    assert sorted(order) == list(range(size))
    assert order.tolist() == [reference.permute(place, size, 7, 1) for place in range(size)]


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=8), seeds, st.integers(0, 3))
def test_it_answers_as_the_reference(places, seed, epoch):
    size = max(places) + 1
    expected = [reference.permute(place, size, seed, epoch) for place in places]
    assert permute(np.array(places), size, seed, epoch).tolist() == expected


@given(st.lists(seeds, max_size=4))
def test_keys_answer_as_the_reference(numbers):
    assert key(*numbers) == reference.key(*numbers)


@pytest.mark.parametrize("other", [(1, 0), (0, 1)])
def test_another_seed_or_epoch_is_another_order(other):
    first, second = permute(np.arange(1000), 1000, 0, 0), permute(np.arange(1000), 1000, *other)
    assert (first == second).sum() < 10  # of random orders 1 place in the mean agrees
