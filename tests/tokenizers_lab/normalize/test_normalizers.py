"""Normalizers: Unicode's forms, SentencePiece's tables and rules about spaces, and characters one by one."""

import unicodedata

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers, pre_tokenizers

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.normalize.charsmap import charsmap
from gristmill.tokenizers_lab.normalize.forms import stable_characters
from gristmill.tokenizers_lab.normalize.normalizers import denormalize, normalize
from gristmill.tokenizers_lab.normalize.sentencepiece import apply_charsmap, load_charsmap

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


@given(st.text("a ▁Ё漢", max_size=8))
def test_marks_at_the_end_are_dropped_as_spaces_are(text):
    flags = {"add_dummy_prefix": True, "remove_extra_whitespaces": True, "escape_whitespaces": True}
    assert one(text, "collapse", "prefix", "escape") == theirs("identity", **flags).normalize(text)


FROM_LIBRARY = {
    "hf_nfc": normalizers.NFC(),
    "hf_nfd": normalizers.NFD(),
    "hf_nfkc": normalizers.NFKC(),
    "hf_nfkd": normalizers.NFKD(),
    "hf_lower": normalizers.Lowercase(),
    "hf_clean": normalizers.BertNormalizer(True, False, False, False),
    "hf_strip_accents": normalizers.BertNormalizer(False, False, True, False),
}


@pytest.mark.parametrize("name", FROM_LIBRARY)
@given(text=odd)
def test_normalizers_of_the_library_are_its_own(name, text):
    assert one(text, name) == FROM_LIBRARY[name].normalize_str(text)


@given(st.lists(st.tuples(st.text("a ▁", max_size=4), st.booleans()), max_size=5))
def test_a_space_is_put_before_text_once(rows):
    texts, begins = [text for text, _ in rows], np.array([begin for _, begin in rows], np.bool_)
    for scheme, name in (("always", "prefix_once"), ("first", "prefix_first")):
        found = normalize(Ragged.from_strings(texts), (name, "escape"), begins=begins)
        for row, (text, begin) in enumerate(rows):
            put = scheme == "always" or begin
            split = pre_tokenizers.Metaspace(prepend_scheme="always" if put else "never", split=False)
            expected = "".join(piece for piece, _ in split.pre_tokenize_str(text)) if text else ""
            assert found.row(row).decode() == expected
        plain = normalize(Ragged.from_strings(texts), (name,), begins=begins)
        for row, (text, begin) in enumerate(rows):
            put = text and text[0] != " " and (scheme == "always" or begin)
            assert plain.row(row).decode() == (" " + text if put else text)


@given(st.integers(0, 250_000), st.integers(0, 255))
def test_a_damaged_map_is_refused_or_stays_within_its_arrays(place, byte):
    table = bytearray(charsmap("nmt_nfkc"))
    table[place % len(table)] = byte
    try:
        found = load_charsmap(bytes(table))
    except InputError:
        return
    for text in ("aﬁ①Ａ", "\u0301é한ｶﾞ", "x" * 40):
        apply_charsmap(Ragged.from_strings([text]), found)


@pytest.mark.parametrize("table", [b"", b"\0\0\0\0", b"\xff" * 3000, bytes(4) + b"x", charsmap("nmt_nfkc")[:-1]])
def test_no_map_is_one_line(table):
    with pytest.raises(InputError, match=r"character map of the model .precompiled_charsmap. is damaged"):
        load_charsmap(table)


def test_smallest_inputs():
    assert one("", "prefix", "escape") == "" and one(" ", "collapse", "prefix", "escape") == ""
    assert one(" a  b ", "collapse", "escape") == "a▁b" and one("a", "prefix", "escape") == "▁a"
    assert one("a\tb\x00\ufffd\u200bc", "bert_clean") == "a bc"


def test_what_is_none_or_out_of_order_is_told():
    with pytest.raises(RecipeError, match="no normalizer 'nfx'"):
        one("", "nfx")
    with pytest.raises(RecipeError, match="must come before"):
        one("", "escape", "lower")


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_stable_characters_are_kept_in_any_company(form):
    stable = np.flatnonzero(stable_characters(form))
    assert stable.size > 70_000 and not {0x301, 0x1161, 0x11A8, 0x378} & {*stable.tolist()}
    rng = np.random.default_rng(3)
    whole = "".join(map(chr, [*stable, *rng.permutation(stable)]))
    assert unicodedata.normalize(form, whole) == whole
    assert FROM_LIBRARY[f"hf_{form.lower()}"].normalize_str(whole) == whole
