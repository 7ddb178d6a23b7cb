"""Spans and rows are copied end to end, whatever the types of their numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.kernels.gather import gather_rows, gather_spans
from gristmill.pipelines.ragged import Ragged


@given(st.lists(st.binary(max_size=5), min_size=1, max_size=6), st.data())
def test_rows_come_in_the_order_asked_for(rows, data):
    which = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9))
    taken = gather_rows(Ragged.from_strings(rows), np.array(which, np.int64))
    assert [taken.row(i) for i in range(taken.rows)] == [rows[i] for i in which]


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("number", [np.int32, np.int64, np.uint16])
def test_spans_of_any_numbers_and_data(kind, number):
    data = np.arange(10, dtype=kind)
    begin, end = np.array([[3, 0, 9, 4], [5, 0, 10, 4]], number)
    spans = gather_spans(data, begin, end)
    assert spans.data.dtype == kind and spans.data.tolist() == [3, 4, 9] and spans.offsets.tolist() == [0, 2, 2, 3, 3]
    assert data.flags.writeable and not spans.data.flags.writeable
