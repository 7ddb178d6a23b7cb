import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.passages.split import KINDS, cut_passages
from gristmill.pipelines.ragged import Ragged
from tests.reference.passages import passages as reference

pieces = st.sampled_from(
    [*"ab.!?…。！？」)\"' \n\r\t", "\r\n", "\n\n", "\u2028", "\u3000", "\x85", "\xa0", "漢", "é", "🙂", "\0"]
)
texts = st.one_of(st.text(max_size=30), st.lists(pieces, max_size=40).map("".join))


def cut(texts, kind):
    text = Ragged.from_strings(texts)
    found = cut_passages(text, kind)
    each = [text.data[a:b].tobytes().decode() for a, b in zip(found.start, found.end, strict=True)]
    return [each[found.offsets[i] : found.offsets[i + 1]] for i in range(text.rows)]


@given(st.lists(texts, max_size=4), st.sampled_from(KINDS))
def test_passages_answer_as_the_reference(texts, kind):
    assert cut(texts, kind) == [reference(text, kind) for text in texts]


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("", "line", []),
        (" \n ", "sentence", []),
        ("one\ntwo\n\nthree", "line", ["one", "two", "three"]),
        ("one\ntwo\n\nthree", "paragraph", ["one\ntwo", "three"]),
        ("one\r\ntwo", "paragraph", ["one\r\ntwo"]),
        ('He left. "Why?" she said.', "sentence", ["He left.", '"Why?"', "she said."]),
        ("一つ。二つ！」三つ", "sentence", ["一つ。", "二つ！」", "三つ"]),
        ("3.14 is pi", "sentence", ["3.14 is pi"]),
    ],
)
def test_where_passages_end(text, kind, expected):
    assert cut([text], kind) == [expected]


@given(st.lists(st.binary(max_size=20), max_size=4), st.sampled_from(KINDS))
def test_damaged_text_is_read_to_its_end(rows, kind):
    found = cut_passages(Ragged.from_strings(rows), kind)
    assert (found.start < found.end).all() and (found.words > 0).all()


@pytest.mark.parametrize(("text", "words"), [("a b\u3000c", 3), ("漢字", 2), ("漢a字", 3), ("it's-one", 1), ("🙂", 1)])
def test_words_of_a_passage(text, words):
    assert cut_passages(Ragged.from_strings([text]), "line").words.tolist() == [words]


@pytest.mark.parametrize(("lines", "breaks"), [(0, 0), (1, 1), (254, 254), (255, 255), (256, 255)])
def test_line_breaks_are_counted_to_255(lines, breaks):
    found = cut_passages(Ragged.from_strings(["one." + "\n" * lines + " two"]), "sentence")
    assert found.breaks.tolist() == [breaks, 0]


def test_hashes_see_through_white_space_only():
    text = Ragged.from_strings(["a  b\nA b", " a\tb", "a b!"])
    hashes = cut_passages(text, "line").hashes(text)
    assert hashes[0] == hashes[2] and len(set(hashes.tolist())) == 3
    lower = cut_passages(text, "line").hashes(text, lowercase=True)
    assert lower[0] == lower[1] == lower[2] != lower[3]
