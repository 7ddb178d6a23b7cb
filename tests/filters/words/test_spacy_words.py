"""Words through the memo: spaCy's own, whatever stands beside them and whatever was asked before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.batch import Batch
from gristmill.filters.words.spacy_words import SpacyCache, spacy_words
from gristmill.filters.words.words import BEGINS_LINE, BEGINS_PARAGRAPH
from gristmill.pipelines.ragged import Ragged

spacy = pytest.importorskip("spacy")

SPACES = [" ", " ", " ", "\n", "\n\n", "\r", "\t", "\xa0", "\u2028", "\u3000", "\x1c", "\x85", "\u200b", "\0"]
EXCEPTIONS = ":) ): : ) ( 8) :- x D e.g e.g. . it's it 's '' (59): Mr Mr. (: ]x (:]x note: (=|x -D ;"
WORDS = (
    "a The mill Word. UP. McD. don't dont id. foo:) a/b http://a.b 3-4 $5 10km é Straße, 字 नमस्ते 😀 e\u0301 ’s “ … ..."
)
PIECES = st.sampled_from([*SPACES, *EXCEPTIONS.split(), *WORDS.split()])
TEXTS = st.lists(PIECES, max_size=25).map("".join) | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.fixture(scope="module")
def english():
    return spacy.blank("en")


def words_of(text: Ragged, memo=None) -> list[list[str]]:
    words = memo.words(text) if memo else spacy_words(text)
    found = [text.data[a:b].tobytes().decode() for a, b in zip(words.start, words.end, strict=True)]
    return [found[a:b] for a, b in zip(words.offsets[:-1], words.offsets[1:], strict=True)]


def asked(english, text: str) -> list[str]:
    with english.memory_zone():
        return [token.text.strip() for token in english.tokenizer(text) if token.text.strip()]


@given(st.lists(TEXTS, max_size=5))
def test_words_are_those_of_spacy(english, texts):
    assert words_of(Ragged.from_strings(texts)) == [asked(english, text) for text in texts]


@pytest.mark.parametrize(
    "text",
    [
        "note: (:]x",  # ": (:" would be an exception but for the space, and bars the ":]" that overlaps it
        "note:\n(:]x",  # where there is no space
        "xRev.: (;-Dx",
        "a'coz: (=|x (=|x a'coz: (=|x",
        "dogs: ):/.",
        "they: a(o:) )who",
    ],
)
def test_what_stands_beside_a_chunk_matters_where_it_does_to_spacy(english, text):
    assert words_of(Ragged.from_strings([text, text + " "])) == [asked(english, text)] * 2


def test_chunks_do_not_reach_into_the_next_document(english):
    texts = ["note: ", "(:]x", "note:", " (:]x", "note: (:]x"]
    assert words_of(Ragged.from_strings(texts)) == [asked(english, text) for text in texts]


def test_a_full_memo_is_emptied():
    texts = [f"word{i} mill{i % 7}, (59):" for i in range(50)]
    memo = SpacyCache(chunks=8)
    for text in texts:
        assert words_of(Ragged.from_strings([text]), memo) == words_of(Ragged.from_strings([text]))
    assert memo.known <= 8


def test_the_word_that_breaks_spacy_is_left_out():
    text = "a IS_ALPHA b xIS_ALPHAy"
    assert words_of(Ragged.from_strings([text] * 3)) == [["a", "b", "xIS_ALPHAy"]] * 3


def test_words_know_their_lines_hashes_and_kinds():
    text = Ragged.from_strings(["One, two.\nThree\n\nfour\r\nfive\u2029six"])
    ours, other = spacy_words(text), Batch(text).words
    for column in ("start", "end", "hash", "length", "flags"):
        assert np.array_equal(getattr(ours, column), getattr(other, column)), column
    assert [bool(flag & BEGINS_LINE) for flag in ours.flags] == [True, False, False, False, True, True, True, True]
    assert [bool(flag & BEGINS_PARAGRAPH) for flag in ours.flags] == [
        True,
        False,
        False,
        False,
        False,
        True,
        False,
        True,
    ]
