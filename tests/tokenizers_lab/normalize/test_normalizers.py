"""Normalizers: Unicode's forms, SentencePiece's tables and rules about spaces, and characters one by one."""

import unicodedata

import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.normalize.normalizers import denormalize, normalize

odd = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from("aA \t\n▁é\u0301ｶﾞ①ﬁ\u200b\ufeff\u3000ǅς한\u1100")),
    max_size=30,
) | st.text(
    st.characters(min_codepoint=1, max_codepoint=0x7F) | st.sampled_from("aA  \u0301é"), min_size=16, max_size=48
)


def one(text: str, *names: str) -> str:
    return normalize(Ragged.from_strings([text]), names).row(0).decode()


@pytest.mark.parametrize("form", ["nfc", "nfd", "nfkc", "nfkd"])
@given(texts=st.lists(odd, max_size=4))
def test_forms_are_those_of_unicode(form, texts):
    rows = normalize(Ragged.from_strings(texts), (form,))
    assert [rows.row(i).decode() for i in range(rows.rows)] == [unicodedata.normalize(form.upper(), t) for t in texts]


def theirs(rule: str, **flags):
    flags = {"add_dummy_prefix": False, "escape_whitespaces": False, "remove_extra_whitespaces": False} | flags
    return sentencepiece.SentencePieceNormalizer(rule_name=rule, **flags)


@pytest.mark.parametrize("rule", ["nmt_nfkc", "nmt_nfkc_cf"])
@given(texts=st.lists(odd.filter(lambda text: "\0" not in text), max_size=4))
def test_tables_are_those_of_sentencepiece(rule, texts):
    rows, library = normalize(Ragged.from_strings(texts), (rule,)), theirs(rule)
    assert [rows.row(i).decode() for i in range(rows.rows)] == [library.normalize(t) if t else "" for t in texts]


@pytest.mark.parametrize("rule", ["nmt_nfkc", "nmt_nfkc_cf"])
def test_every_code_point_is_as_in_sentencepiece(rule):
    library = theirs(rule)
    for begin in range(1, 0x110000, 4096):
        codes = [code for code in range(begin, min(begin + 4096, 0x110000)) if not 0xD800 <= code < 0xE000]
        text = "".join(f"a{chr(code)}\u0301" for code in codes)
        assert one(text, rule) == library.normalize(text), hex(begin)


@given(odd.filter(lambda text: "\0" not in text))
def test_spaces_are_treated_as_in_sentencepiece(text):
    flags = {"add_dummy_prefix": True, "remove_extra_whitespaces": True, "escape_whitespaces": True}
    assert one(text, "nmt_nfkc", "collapse", "prefix", "escape") == theirs("nmt_nfkc", **flags).normalize(text)


@given(odd)
def test_characters_are_changed_one_by_one(text):
    assert one(text, "lower") == "".join(character.lower() for character in text)
    without = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
    assert sorted(one(text, "strip_accents")) == sorted(without)
    assert one(text, "strip_accents", "lower") == one(one(text, "strip_accents"), "lower")


@given(st.lists(odd.filter(lambda text: "▁" not in text), max_size=4))
def test_escaping_comes_back(texts):
    names = ("prefix", "escape")
    back = denormalize(normalize(Ragged.from_strings(texts), names), names)
    assert [back.row(i).decode() for i in range(back.rows)] == texts


@pytest.mark.parametrize("at", range(20))
@pytest.mark.parametrize("there", [" ", "  ", "é", "\u0301", "①", "A", "~", "\x7f", "\x1f"])
def test_every_offset_in_eight_bytes_is_looked_at(at, there):
    """Text is copied and tested eight bytes at a time: the odd character stands at each place, and at the end."""
    for text in ("a" * at + there, "a" * at + there + "b" * 9, "a" * at + there + "b" * (15 - at % 16)):
        spaces = f"▁{text}".replace(" ", "▁")
        assert one(text, "prefix", "escape") == spaces
        assert one(text, "collapse", "escape") == "▁".join(text.split(" ")).strip("▁").replace("▁▁", "▁")
        for rule in ("nmt_nfkc", "nmt_nfkc_cf"):
            assert one(text, rule) == theirs(rule).normalize(text), text


def test_smallest_inputs():
    assert one("", "prefix", "escape") == "" and one(" ", "collapse", "prefix", "escape") == ""
    assert one(" a  b ", "collapse", "escape") == "a▁b" and one("a", "prefix", "escape") == "▁a"
    assert one("a\tb\x00\ufffd\u200bc", "bert_clean") == "a bc"


def test_what_is_none_or_out_of_order_is_told():
    with pytest.raises(RecipeError, match="no normalizer 'nfx'"):
        one("", "nfx")
    with pytest.raises(RecipeError, match="must come before"):
        one("", "escape", "lower")
