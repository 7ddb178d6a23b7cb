"""Text rewritten by spans: a replay gives what slicing by hand gives."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import SPAN
from gristmill.pipelines.steps.spans import rewrite, spans_of_rows, spans_table


@st.composite
def documents_and_spans(draw):
    """Some documents as bytes, and spans of them in order, apart, each with a replacement."""
    documents = draw(st.lists(st.text(max_size=20).map(str.encode), max_size=5))
    spans = []
    for row, document in enumerate(documents):
        cuts = sorted(draw(st.lists(st.integers(0, len(document)), max_size=6)))
        for begin, end in zip(cuts[::2], cuts[1::2], strict=False):
            spans.append((row, begin, end - begin, "because", draw(st.sampled_from(["", "x", "<EMAIL>", "é"]))))
    return documents, spans


def by_hand(documents: list[bytes], spans: list[tuple]) -> list[bytes]:
    out = list(documents)
    for row, offset, length, _, replacement in reversed(spans):
        out[row] = out[row][:offset] + replacement.encode() + out[row][offset + length :]
    return out


def rows(text: Ragged) -> list[bytes]:
    return [text.row(i) for i in range(text.rows)]


@given(documents_and_spans(), st.integers(0, 3))
@example(([], []), 0)
@example(([b"ab", b"", b"cd"], [(0, 0, 2, "r", ""), (2, 0, 0, "r", "x"), (2, 1, 1, "r", "")]), 7)
def test_a_replay_is_slicing(case, first):
    documents, spans = case
    row, offset, length, reason, replacement = ([span[k] for span in spans] for k in range(5))
    table = spans_table([r + first for r in row], offset, length, reason, replacement)
    assert table.schema == SPAN
    assert rows(rewrite(Ragged.from_strings(documents), table, first)) == by_hand(documents, spans)


def test_without_a_replacement_spans_are_removed():
    table = spans_table([0], [1], [2], ["menu"])
    assert rows(rewrite(Ragged.from_strings([b"abcd"]), table)) == [b"ad"]


def test_text_without_spans_comes_back_as_it_is():
    text = Ragged.from_strings([b"abc"])
    assert rewrite(text, SPAN.empty_table()) is text


def test_a_slice_of_a_larger_table_replays():
    table = spans_table([0, 4, 5], [0, 0, 0], [1, 1, 1], ["r"] * 3, ["", "x", "yz"])
    assert rows(rewrite(Ragged.from_strings([b"abc", b"def"]), table.slice(1), 4)) == [b"xbc", b"yzef"]


def test_columns_must_be_of_one_length():
    with pytest.raises(pa.ArrowInvalid):
        spans_table([0, 1], [0], [1], ["r"])


@given(documents_and_spans(), st.sets(st.integers(0, 4)), st.integers(0, 3))
def test_some_rows_are_rewritten_as_among_all(case, wanted, first):
    documents, spans = case
    taken = sorted(row for row in wanted if row < len(documents))
    table = (
        spans_table(*map(list, zip(*((row + first, *span) for row, *span in spans), strict=True))) if spans else None
    )
    mine = spans_of_rows(table or SPAN.empty_table(), np.array(taken, np.int64) + first)
    some = rewrite(Ragged.from_strings([documents[row] for row in taken]), mine)
    assert rows(some) == [by_hand(documents, spans)[row] for row in taken]
