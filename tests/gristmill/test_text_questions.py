"""Questions about single texts: positions are characters, one text and several answer alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gristmill as gm
from gristmill.pipelines.errors import RecipeError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("No data here.", []),
        ("ada@mill.org", [("email", "ada@mill.org")]),
        ("日本語 ada@mill.org 漢字 81.2.69.142 é", [("email", "ada@mill.org"), ("ip", "81.2.69.142")]),
        ("\ud800 ada@mill.org", [("email", "ada@mill.org")]),  # a lone surrogate
    ],
)
def test_positions_are_characters(text, found):
    matches = gm.scan_pii(text)
    assert [(match.type, match.value) for match in matches] == found
    assert all(text[match.start : match.end] == match.value for match in matches)


@given(st.lists(st.sampled_from(["ada@mill.org", "81.2.69.142", "é漢", "the mill", "\n"]), max_size=8))
def test_several_texts_are_answered_as_one_after_another(words):
    texts = [" ".join(words), "", " ".join(reversed(words))]
    assert gm.scan_pii(texts) == [gm.scan_pii(text) for text in texts]


def test_types_language_and_replacement_are_chosen():
    text = "ada@mill.org, IBAN DE89370400440532013000"
    assert [match.type for match in gm.scan_pii(text, types=["-email"])] == ["iban"]
    masked = gm.scan_pii(text, settings={"pii.replacement": "mask", "pii.types": ["email"]})
    assert [match.replacement for match in masked] == ["a***@m***.org"]
    number = "030 901820"
    assert not gm.scan_pii(number) and [match.type for match in gm.scan_pii(number, language="de")] == ["phone"]


def test_an_unknown_type_is_a_plain_error():
    with pytest.raises(RecipeError, match="pii"):
        gm.scan_pii("", types=["emial"])


def test_languages_of_several_texts_and_of_one():
    texts = ["The mill grinds slowly, but it grinds exceedingly fine.", "", "Die Mühle mahlt langsam, aber sehr fein."]
    guesses = gm.detect_language(texts)
    assert [guess.language for guess in guesses] == ["en", "und", "de"]
    assert gm.detect_language(texts[0]) == guesses[0] and guesses[1].probability == 0
    with pytest.raises(RecipeError, match="no language model"):
        gm.detect_language("", model="lid.177")
