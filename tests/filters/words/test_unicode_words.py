"""The words of texts: against the twin, by table, and against spaCy's known answers."""

import itertools
import json

import numpy as np
import pytest
import zstandard
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.filters.words.unicode_words import unicode_words
from gristmill.filters.words.words import (
    BEGINS_LINE,
    BEGINS_PARAGRAPH,
    CAPITALS,
    ELLIPSIS,
    HAS_LETTER,
    HAS_NUMBER,
    PUNCTUATION_ONLY,
)
from gristmill.pipelines.kernels.hashing import hash_word
from gristmill.pipelines.ragged import Ragged
from tests.reference import words as reference

PIECES = (
    *("a", "B", "word", "Don't", "n't", "’s", "'ll", "'S", "cannot", "é", "é", "Ü", "ß", "ǅ", "1", "42", "½", "Ⅷ"),
    *(".", "..", "...", "…", ",", "-", "--", "—", "/", ":", "=", "+", "^", "~", "@", "#", "##", "%", "$", "€", "&"),
    *(
        "'",
        '"',
        "“",
        "”",
        "‘",
        "’",
        "(",
        ")",
        "*",
        "•",
        "·",
        "‐",
        "|",
        "\\",
        "_",
        "!",
        "?",
        "U.S.A.",
        "I.",
        "e.g.",
        "Mr.",
        "Sept.",
        "Messrs",
    ),
    *("://", "www.", "http://a.b/c", "a.bc/d", "me@a.b", "中", "文", "，", "。", "か", "カ", "ー", "々", "한", "글"),
    *("ก", "เ", "า", "์", "ក", "្", "မ", "་", "\u0301", "\u200d", "\ufe0f", "👍", "🏽", "\0", "\ufffd", "\ufeff"),
    *(" ", "\t", "\n", "\r", "\r\n", "\n\n", "\v", "\f", "\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u2029", "\u200b"),
)
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=30).map(lambda pieces: "".join(pieces).encode()),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.binary(max_size=40),
    st.lists(st.sampled_from([*(p.encode() for p in PIECES), b"\xe2", b"\x80", b"\xff", b"\xf0\x9f"]), max_size=20).map(
        b"".join
    ),
)


def words(text: str) -> list[str]:
    data = Ragged.from_strings([text])
    found = unicode_words(data)
    return [data.data[a:b].tobytes().decode() for a, b in zip(found.start, found.end, strict=True)]


@given(st.lists(TEXTS, max_size=4))
@example([b"a" * 9, b"abcdefgh", b"abcdefghijklmnopq.", b"ABCDEFGHIJKLMNOPq"])
def test_words_are_those_of_the_reference(texts):
    text = Ragged.from_strings(texts)
    found = unicode_words(text)
    for row, each in enumerate(texts):
        span = slice(found.offsets[row], found.offsets[row + 1])
        begin = text.offsets[row]
        columns = (found.start[span] - begin, found.end[span] - begin, found.length[span], found.flags[span])
        assert [tuple(map(int, word)) for word in zip(*columns, strict=True)] == reference.words(each)
    hashes = [hash_word(text.data, a, b) for a, b in zip(found.start, found.end, strict=True)]
    assert found.hash.tolist() == hashes


@given(st.lists(TEXTS, max_size=5))
def test_words_are_in_order_and_leave_out_nothing_but_space(texts):
    text = Ragged.from_strings(texts)
    found = unicode_words(text)
    assert (found.start < found.end).all() and (found.end[:-1] <= found.start[1:]).all()
    inside = np.zeros(text.data.size, bool)
    for a, b in zip(found.start, found.end, strict=True):
        inside[a:b] = True
    for row, each in enumerate(texts):
        outside = bytes(text.data[text.offsets[row] : text.offsets[row + 1]][~inside[text.offsets[row] :][: len(each)]])
        assert all(c in " \u200b\ufeff" or c.isspace() for c in outside.decode("utf-8", "strict"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n\t\u3000", ""),
        ("Hello, world.", "Hello , world ."),
        ('He said "no."', 'He said " no . "'),
        ("don't DON'T it's we’ll cannot", "do n't DO N'T it 's we ’ll cannot"),
        ("'s n't 'tis dogs'", "' s n't ' tis dogs '"),
        ("e-mail COVID-19 well--known 1939-45 -5 +5 5+", "e - mail COVID-19 well -- known 1939 - 45 -5 +5 5 +"),
        ("U.S.A. I. e.g. p.m. Mr. OK.", "U.S.A. I. e.g. p.m. Mr. OK ."),
        ("Mr. (Mrs. Li) “Dr.” mr. Messrs. Xmr. Sept.", "Mr. ( Mrs. Li ) “ Dr. ” mr . Messrs. Xmr . Sept."),
        ("end.Next 3.14 1,234.56 a,b .net", "end . Next 3.14 1,234.56 a , b .net"),
        ("wait...what ... .. …", "wait ... what ... .. …"),
        ("and/or 1/2 x=1 k=v a:b 12:30", "and / or 1/2 x=1 k = v a : b 12:30"),
        ("50% $5 C++ C# AT&T foo_bar _it_", "50 % $ 5 C++ C # AT&T foo_bar _ it _"),
        ("### !!! ?! =====", "### !!! ? ! ====="),
        (
            "(https://a.b/c?x=y,z). www.a.bc me@a.bc a.bc/d and/or",
            "( https://a.b/c?x=y,z ) . www.a.bc me@a.bc a.bc/d and / or",
        ),
        ("中文，世界 カタカナとかな", "中 文 ， 世 界 カタカナ と か な"),
        ("เก่า ภาษาไทย", "เก่า ภา ษา ไท ย"),
        ("한국어 텍스트", "한국어 텍스트"),
        ("“Ça,” dit-il — l’été", "“ Ça , ” dit - il — l’été"),
        ("a\u0301b 👍🏽 👍\ufe0f! a\u200bb", "a\u0301b 👍 🏽 👍\ufe0f ! a b"),
    ],
)
def test_the_rules_by_example(text, expected):
    assert " ".join(words(text)) == expected


@pytest.mark.parametrize(
    ("word", "flags"),
    [
        ("word", HAS_LETTER),
        ("WORD", HAS_LETTER | CAPITALS),
        ("ÉTÉ", HAS_LETTER | CAPITALS),
        ("Word", HAS_LETTER),
        ("B2", HAS_LETTER | HAS_NUMBER | CAPITALS),
        ("12", HAS_NUMBER),
        ("½", HAS_NUMBER),
        ("字", HAS_LETTER),
        ("$", PUNCTUATION_ONLY),
        ("。", PUNCTUATION_ONLY),
        ("\0", PUNCTUATION_ONLY),
        ("👍", 0),
        ("..", PUNCTUATION_ONLY),
        ("...", PUNCTUATION_ONLY | ELLIPSIS),
        ("....", PUNCTUATION_ONLY | ELLIPSIS),
        ("…", PUNCTUATION_ONLY | ELLIPSIS),
    ],
)
def test_flags_say_what_a_word_is(word, flags):
    assert unicode_words(Ragged.from_strings([word])).flags.tolist() == [flags | BEGINS_LINE | BEGINS_PARAGRAPH]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028"])
def test_words_know_lines_and_paragraphs(end):
    text = f"a b{end}c {end} \t{end}d".encode()
    flags = unicode_words(Ragged.from_strings([text])).flags & (BEGINS_LINE | BEGINS_PARAGRAPH)
    both = BEGINS_LINE | BEGINS_PARAGRAPH
    assert flags.tolist() == [both, 0, BEGINS_LINE, both]


def test_one_long_word_and_one_long_line_are_only_slow_in_proportion():
    texts = ["x" * 300_000, "字" * 100_000, "!?" * 100_000, "a." * 100_000, "-" * 300_000, "a" + "-" * 300_000 + "|"]
    found = unicode_words(Ragged.from_strings(texts))
    assert np.diff(found.offsets).tolist() == [1, 100_000, 200_000, 1, 1, 1]


@pytest.mark.parametrize("name", ["prose_speeches", "prose_anarchism", "quality_movie_reviews", "cc_text"])
def test_english_has_as_many_words_as_for_spacy(shared_data, name):
    tokenize = pytest.importorskip("spacy").blank("en").tokenizer
    with zstandard.open(shared_data / f"{name}.jsonl.zst", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["text"][:20_000] for line in itertools.islice(file, 40)]
    ours = np.diff(unicode_words(Ragged.from_strings(texts)).offsets)
    theirs = np.array([sum(not token.is_space for token in tokenize(text)) for text in texts])
    assert abs(ours.sum() / theirs.sum() - 1) < 0.005
    assert np.median(abs(ours / theirs - 1)) < 0.005
