import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.aho_corasick import search as plain_search

from gristmill.filters.text.aho_corasick import BACK, FRONT, boundary_flags, build, folded, search
from gristmill.pipelines.ragged import Ragged

# A few letters and marks, so that terms are found, overlap and end inside each other.
CHARACTER = st.sampled_from("aAbéÉ字中ก가.-_@ \n\t\u3000\u2028\u00a0\0İK\u0301😀")
TERM = st.text(CHARACTER, min_size=1, max_size=4).map(folded).filter(bool)
TEXT = st.text(CHARACTER, max_size=60) | st.text()


def count(texts, terms):
    text = Ragged.from_strings(texts)
    return [found.tolist() for found in search(text, np.arange(text.rows), build(terms))]


@given(texts=st.lists(TEXT, max_size=5), terms=st.lists(TERM, min_size=1, max_size=12, unique=True))
def test_equals_its_plain_twin(texts, terms):
    expected = [plain_search(text, terms) for text in texts]
    assert count(texts, terms) == [[hits for hits, _ in expected], [distinct for _, distinct in expected]]


@given(texts=st.lists(st.binary(max_size=30), max_size=5))
def test_invalid_bytes_do_no_harm(texts):
    hits, distinct = count(texts, ["a", "字", "é a"])
    assert all(d <= h for h, d in zip(hits, distinct, strict=True))


@pytest.mark.parametrize(
    ("term", "text", "hits"),
    [
        ("ass", "class", 0),
        ("ass", "ass, ASS (ass) asses ass_ ass", 4),
        ("ass", "ass", 1),
        ("big term", "a big\n\t term", 1),
        ("big term", "bigterm big  -term", 0),
        ("straße", "STRASSE STRAße Straße", 2),
        ("été", "ÉTÉ étés", 1),
        ("中文", "学中文字", 1),
        ("sex", "看sex吧", 1),
        ("ไทย", "คนไทยดี", 1),
        ("한국", "한국은 북한국", 1),
        ("🖕", "x🖕x", 1),
        ("a$$", "a$$ a$$b", 1),
        ("aa", "aa aaa", 1),
        ("看看", "看看看", 2),
    ],
)
def test_smallest_texts_on_both_sides(term, text, hits):
    assert count([text], [folded(term)])[0] == [hits]


def test_terms_within_terms_all_count():
    assert count(["she sells his hers"], ["she sells", "she", "sells his", "hers", "his"]) == [[5], [5]]


@pytest.mark.parametrize(
    ("term", "guard"),
    [("term", FRONT | BACK), ("中文", 0), ("中a", BACK), ("국", FRONT), ("@x", FRONT | BACK), ("→", 0)],
)
def test_guards_by_script(term, guard):
    assert boundary_flags(term) == guard


def test_only_the_rows_asked_for_are_searched():
    text = Ragged.from_strings(["a", "a a", "b", "a"])
    hits, distinct = search(text, np.array([1, 2]), build(["a"]))
    assert (hits.tolist(), distinct.tolist()) == ([2, 0], [1, 0])
