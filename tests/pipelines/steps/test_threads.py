"""Work side by side: the results of one after the other, in order, and not far ahead of who takes them."""

import threading
import time

import pytest

from gristmill.pipelines.steps.threads import map_threads, thread_limit


@pytest.mark.parametrize("width", [1, 2, 5])
def test_results_come_in_order_whatever_finishes_first(width):
    def slow(item):
        time.sleep(0.02 if item % 3 == 0 else 0.0)
        return item * 2

    with thread_limit(width):
        assert list(map_threads(slow, range(20))) == [item * 2 for item in range(20)]
        assert list(map_threads(slow, [])) == []


def test_as_many_at_a_time_as_are_allowed_and_one_within():
    here, most, lock, nested = 0, 0, threading.Lock(), set()

    def work(item):
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        time.sleep(0.01)
        nested.update(thread == threading.get_ident() for thread in map_threads(lambda _: threading.get_ident(), [0]))
        with lock:
            here -= 1

    with thread_limit(3):
        list(map_threads(work, range(12)))
    assert most == 3 and nested == {True}
    most = 0
    list(map_threads(work, range(3)))
    assert most == 1


def test_items_are_taken_no_further_ahead_than_there_are_threads():
    taken = []
    items = (taken.append(i) or i for i in range(100))
    with thread_limit(2):
        results = map_threads(lambda item: item, items)
        assert next(results) == 0 and len(taken) == 3
        results.close()
    assert len(taken) == 3


def test_what_fails_is_raised_in_its_turn():
    def work(item):
        if item == 1:
            raise ValueError("one")
        return item

    with thread_limit(2):
        results = map_threads(work, range(9))
        assert next(results) == 0
        with pytest.raises(ValueError, match="one"):
            list(results)
