import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import AT_ONCE, Ragged

rows = st.lists(st.none() | st.text(), max_size=8)
text_types = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("kind", text_types, ids=str)
@given(rows, st.integers(0, 8), st.integers(0, 8))
def test_text_of_every_layout_reads_as_its_rows(kind, texts, begin, length):
    column = pa.array(texts, pa.string()).cast(kind) if texts else pa.array([], kind)
    text = Ragged.from_text(column.slice(begin, length))
    expected = [(t or "").encode() for t in texts[begin : begin + length]]
    assert [text.row(i) for i in range(text.rows)] == expected
    assert text.to_text().to_pylist() == [row.decode() for row in expected]


@given(st.lists(rows, max_size=4))
def test_chunks_are_joined(chunks):
    column = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())
    text = Ragged.from_text(column)
    assert [text.row(i) for i in range(text.rows)] == [(t or "").encode() for chunk in chunks for t in chunk]


@given(st.lists(st.none() | st.lists(st.integers(0, 9)), max_size=8), st.integers(0, 8))
def test_lists_read_as_their_rows(lists, begin):
    ragged = Ragged.from_lists(pa.array(lists, pa.list_(pa.uint16())).slice(begin))
    expected = [values or [] for values in lists[begin:]]
    assert [ragged.data[a:b].tolist() for a, b in zip(ragged.offsets, ragged.offsets[1:], strict=False)] == expected
    assert ragged.to_lists().to_pylist() == expected


@pytest.mark.parametrize(
    "column", [pa.array([], pa.string()), pa.array(["a", None]), pa.chunked_array([], pa.string())]
)
def test_arrays_are_read_only_and_start_at_zero(column):
    text = Ragged.from_text(column)
    assert text.offsets[0] == 0 and text.offsets.dtype == np.int64 and text.data.dtype == np.uint8
    assert not text.offsets.flags.writeable and not text.data.flags.writeable


@given(st.lists(st.text() | st.binary(max_size=9), max_size=4), st.sampled_from([0, AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE]))
def test_strings_and_bytes_are_rows_whatever_their_number(few, more):
    strings = [*few, *["漢", "a", b"\xff", ""] * (more // 4), *["é"] * (more % 4)]
    text = Ragged.from_strings(strings)
    assert [text.row(i) for i in range(text.rows)] == [s.encode() if isinstance(s, str) else s for s in strings]
    assert text.data.size == text.offsets[-1] and text.offsets.dtype == np.int64


def test_a_surrogate_is_no_text():
    with pytest.raises(UnicodeEncodeError):
        Ragged.from_strings(["a", "\ud800"])
