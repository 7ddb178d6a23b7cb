"""Characters: decoding against Python's, classes against Unicode 16.0, lower case against its database."""

import numpy as np
import pytest
import unicodedata2
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.kernels import unicode_tables, utf8
from gristmill.pipelines.kernels.utf8 import INVALID, character_class, decode, encode, lower
from tools import make_unicode_tables as made

BYTES = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(st.sampled_from([*b"\x00\x7f\x80\xbf\xc0\xc1\xc2\xdf\xe0\x9f\xa0\xed\xef\xf0\x8f\x90\xf4\xf5\xff"])).map(
        bytes
    ),
)


def decode_all(data: bytes) -> list[tuple[int, int]]:
    array, at, found = np.frombuffer(data, np.uint8), 0, []
    while at < len(data):
        code, size = decode(array, at, len(data))
        found.append((code, size))
        at += size
    return found


@given(BYTES)
def test_decoding_is_python_s_with_one_replacement_a_bad_byte(data):
    expected = [
        (INVALID, 1) if 0xDC80 <= ord(c) <= 0xDCFF else (ord(c), len(c.encode()))
        for c in data.decode("utf-8", "surrogateescape")
    ]
    assert decode_all(data) == expected


@pytest.mark.parametrize("character", ["é", "漢", "🙂"])
def test_decode_reads_nothing_beyond_the_end(character):
    data = np.frombuffer(character.encode(), np.uint8)
    assert decode(data, 0, data.size) == (ord(character), data.size)
    assert [decode(data, 0, stop) for stop in range(1, data.size)] == [(INVALID, 1)] * (data.size - 1)


@given(st.characters(exclude_categories=["Cs"]))
def test_encoding_is_python_s(character):
    out, expected = np.zeros(9, np.uint8), character.encode()
    assert encode(ord(character), out, 4) == 4 + len(expected)
    assert out.tobytes() == (bytes(4) + expected).ljust(9, b"\0")


def test_the_tables_are_those_of_unicode_16():
    assert unicodedata2.unidata_version == "16.0.0"
    assert unicode_tables.CLASSES.split() == made.runs([made.character_class(i) for i in range(0x110000)]).split()
    assert unicode_tables.LOWER_SHIFTS.split() == made.runs([made.lower_shift(i) for i in range(0x110000)]).split()
    for i in range(0, 0x110000, 7):
        assert character_class(i) == made.character_class(i)


@pytest.mark.parametrize(
    ("character", "name"),
    [
        *(("a", "LOWER"), ("É", "UPPER"), ("ǅ", "UPPER"), ("ª", "LETTER"), ("א", "LETTER"), ("\u0301", "MARK")),
        *(("7", "DIGIT"), ("٣", "DIGIT"), ("½", "NUMBER"), ("Ⅷ", "NUMBER"), ("。", "PUNCTUATION"), ("$", "SYMBOL")),
        *(("👍", "SYMBOL"), ("字", "HAN"), ("〇", "HAN"), ("々", "HAN"), ("𠀀", "HAN"), ("か", "HIRAGANA")),
        *(("カ", "KATAKANA"), ("ー", "KATAKANA"), ("ｶ", "KATAKANA"), ("한", "HANGUL"), ("ᄒ", "HANGUL")),
        *(("ก", "UNSPACED"), ("ລ", "UNSPACED"), ("ក", "UNSPACED"), ("မ", "UNSPACED"), ("ཀ", "UNSPACED")),
        *(
            (" ", "SPACE"),
            ("\n", "SPACE"),
            ("\x85", "SPACE"),
            ("\xa0", "SPACE"),
            ("\u2028", "SPACE"),
            ("\u200b", "SPACE"),
        ),
        *(("\0", "OTHER"), ("\xad", "OTHER"), ("\u200d", "OTHER"), ("\ue000", "OTHER"), ("\U0010ffff", "OTHER")),
    ],
)
def test_classes_by_example(character, name):
    assert character_class(ord(character)) == getattr(utf8, name)


@pytest.mark.parametrize(
    ("upper", "expected"),
    [("A", "a"), ("z", "z"), ("É", "é"), ("İ", "i"), ("Σ", "σ"), ("ẞ", "ß"), ("Ა", "ა"), ("字", "字"), ("\ua7cb", "ɤ")],
)
def test_lower_case_by_example(upper, expected):
    assert chr(lower(ord(upper))) == expected


@given(st.characters(exclude_categories=["Cs"]))
def test_lower_case_is_python_s_where_it_is_one_character(character):
    expected = character.lower() if len(character.lower()) == 1 else character
    assert chr(lower(ord(character))) == {"İ": "i"}.get(character, expected) or ord(character) in made.SINCE_14
