"""What each packing puts into its rows, and what it says of it."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pretrain.data import packing
from tests.reference import packings as reference

contexts = st.integers(1, 12)
# Lengths of documents: any, or at a row of 4 to 6 tokens, the most frequent lines of the kernel.
lengths = st.lists(st.integers(0, 30) | st.integers(3, 7), min_size=1, max_size=30)


def rows_of(kind, sizes, context):
    """Tokens are numbered through the stream, so that a row shows where its tokens are from."""
    made = packing.PACKINGS[kind](np.cumsum(np.array(sizes, np.int64)), context)
    spans = [made.spans(row) for row in range(made.stats.rows)]
    return made, [[token for span in row for token in range(*span)] for row in spans]


def documents_of(sizes):
    ends = np.cumsum(sizes).tolist()
    return [list(range(end - size, end)) for size, end in zip(sizes, ends, strict=True)]


@given(lengths, contexts)
def test_stream_answers_as_the_reference(sizes, context):
    assert rows_of("stream", sizes, context)[1] == reference.stream(documents_of(sizes), context)


@given(lengths, contexts)
def test_pad_answers_as_the_reference(sizes, context):
    assert rows_of("pad", sizes, context)[1] == reference.pad(documents_of(sizes), context)


@given(lengths, contexts, st.sampled_from([1, 2, 5, 1000]))
def test_bestfit_answers_as_the_reference(sizes, context, waiting):
    documents, before = documents_of(sizes), packing.BUFFER_DOCS
    packing.BUFFER_DOCS = waiting
    try:
        rows = rows_of("bos-bestfit", sizes, context)[1]
    finally:
        packing.BUFFER_DOCS = before
    assert rows == reference.bos_bestfit(documents, context, waiting)


@pytest.mark.parametrize("kind", ["stream", "pad", "bos-bestfit"])
@pytest.mark.parametrize("sizes", [[n, m, 5] for n in range(4, 13) for m in (1, 4, 5, 6)], ids=str)
def test_lengths_on_both_sides_of_a_row_answer_as_the_reference(kind, sizes):
    """Rows of 5 tokens, lengths from one below a row to two above two rows."""
    references = {"stream": reference.stream, "pad": reference.pad}
    expected = (
        references[kind](documents_of(sizes), 4)
        if kind in references
        else reference.bos_bestfit(documents_of(sizes), 4, packing.BUFFER_DOCS)
    )
    assert rows_of(kind, sizes, 4)[1] == expected


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_buffer_as_large_as_the_documents_and_one_less_and_more(monkeypatch, count):
    """The last document fits best, and is seen only if the buffer reaches it."""
    sizes = [2] * (count - 1) + [5]
    monkeypatch.setattr(packing, "BUFFER_DOCS", 3)
    rows = rows_of("bos-bestfit", sizes, 4)[1]
    assert rows == reference.bos_bestfit(documents_of(sizes), 4, 3)
    assert (len(rows[0]) == 5 and rows[0][0] == 2 * (count - 1)) == (count <= 3)


@given(lengths, contexts, st.sampled_from([1, 2, 5, 1000]))
def test_whole_answers_as_the_reference(sizes, context, waiting):
    documents, before = documents_of(sizes), packing.BUFFER_DOCS
    packing.BUFFER_DOCS = waiting
    try:
        made = packing.PACKINGS["whole"](np.cumsum(np.array(sizes, np.int64)), context)
    finally:
        packing.BUFFER_DOCS = before
    rows = [[list(range(*span)) for span in made.spans(row)] for row in range(made.stats.rows)]
    assert rows == reference.whole(documents, context, waiting)
    targets = [token for row in rows for sequence in row for token in sequence[1:]]
    assert sorted(targets) == [token for row in reference.pad(documents, context) for token in row[1:]]
    assert made.stats.targets == len(targets) and made.stats.padded == len(rows) * context - len(targets)
    assert made.stats.cropped == sum(size == 1 for size in sizes)


@given(lengths, contexts, st.sampled_from(sorted(packing.PACKINGS.keys() - {"whole"})))
def test_the_account_is_what_the_rows_hold(sizes, context, kind):
    made, rows = rows_of(kind, sizes, context)
    stats, targets = made.stats, Counter(token for row in rows for token in row[1:])
    seen = {token for row in rows for token in row}
    assert stats.rows == len(rows) and stats.targets == targets.total()
    assert not targets or max(targets.values()) == 1  # no token is predicted twice in an epoch
    assert stats.padded == len(rows) * context - targets.total()
    assert stats.cropped == sum(sizes) - len(seen)


@given(lengths, contexts)
def test_a_stream_predicts_every_token_but_the_first(sizes, context):
    _, rows = rows_of("stream", sizes, context)
    assert sorted(token for row in rows for token in row[1:]) == list(range(1, sum(sizes)))


@given(lengths, contexts)
def test_truncation_keeps_the_beginning_of_each_document(sizes, context):
    _, rows = rows_of("truncate", sizes, context)
    assert rows == [document[: context + 1] for document in documents_of(sizes) if len(document) > 1]


@given(lengths, contexts)
def test_padding_predicts_every_token_but_the_first_of_each_document(sizes, context):
    _, rows = rows_of("pad", sizes, context)
    expected = [token for document in documents_of(sizes) for token in document[1:]]
    assert [token for row in rows for token in row[1:]] == expected


@given(lengths, contexts)
def test_bestfit_rows_are_full_and_begin_documents(sizes, context):
    _, rows = rows_of("bos-bestfit", sizes, context)
    firsts = {document[0] for document in documents_of(sizes) if document}
    assert all(len(row) == context + 1 and row[0] in firsts for row in rows)


@pytest.mark.parametrize(
    ("sizes", "cropped"),
    [([5], 0), ([6], 1), ([3, 2], 0), ([2, 3], 0), ([4, 2], 1), ([4], 4)],  # rows of 5: the last one must be full
)
def test_bestfit_crops_what_does_not_fit(sizes, cropped):
    assert rows_of("bos-bestfit", sizes, 4)[0].stats.cropped == cropped
