"""Gopher's quality rules: against a plain count, and the smallest documents on both sides of each line."""

import re
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.rules.gopher import Gopher
from gristmill.filters.words.words import BEGINS_LINE, CAPITALS, ELLIPSIS, HAS_LETTER, HAS_NUMBER, PUNCTUATION_ONLY
from gristmill.pipelines.ragged import Ragged
from tests.reference import words as reference

PIECES = ["the", "The", "OF", "tHe", "and", "word", "12", "#", "##", "C#", "...", "wait…", "•", "-", "- ", "* ", "–\t"]
PIECES += ["●x", "字", "\n", "\n\n", " ", "\r\n", ".", "👍", "-5"]
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=40).map("".join) | st.text(max_size=30), max_size=4)


def slowly(text: bytes) -> dict:
    placed = reference.words(text)
    found = [(text[a:b].decode("utf-8", "replace"), b, n, flags) for a, b, n, flags in placed]
    chunks = [[]]  # of flags
    for (_, before, *_), (begin, *_, flags) in pairwise([(0, -1), *placed]):
        chunks = [*chunks, [flags]] if begin != before else [*chunks[:-1], [*chunks[-1], flags]]
    alpha = [any(flag & HAS_LETTER for flag in flags) for flags in chunks[1:]]
    words = [n for _, _, n, flags in found if flags & (HAS_LETTER | HAS_NUMBER)]
    begins = [i for i, word in enumerate(found) if word[3] & BEGINS_LINE]
    lines = [found[a:b] for a, b in pairwise([*begins, len(found)])]
    every, n_lines = len(found) or 1, len(lines) or 1
    firsts = [(line[0][0], text[line[0][1] :].decode("utf-8", "replace")[:1]) for line in lines]
    stops = {word.lower() for word, *_ in found if word in (word.lower(), word.upper(), word.title())}
    letters = [(n, flags) for *_, n, flags in found if flags & HAS_LETTER]
    forms = {form for word in Gopher().stop_words for form in (word, word.upper(), word.title())}
    hits = sum(word in forms for word, *_, flags in found if flags & HAS_LETTER)
    return {
        "words": len(words),
        "word_length": sum(words) / (len(words) or 1),
        "hash_ratio": sum(n for word, _, n, flags in found if word[0] == "#" and flags & PUNCTUATION_ONLY) / every,
        "ellipsis_ratio": sum(bool(flags & ELLIPSIS) for *_, flags in found) / every,
        "bullet_lines": sum(is_bullet(*first) for first in firsts) / n_lines,
        "ellipsis_lines": sum(bool(line[-1][3] & ELLIPSIS) for line in lines) / n_lines,
        "alpha_words": sum(alpha) / (len(alpha) or 1),
        "stop_words": len(stops & set(Gopher().stop_words)),
        "capital_words": sum(n > 1 and bool(flags & CAPITALS) for n, flags in letters) / (len(letters) or 1),
        "stop_word_ratio": hits / len(letters) if len(letters) >= 100 else 1.0,
    }


def is_bullet(word: str, following: str) -> bool:
    spaced = not following or following in "\u200b\ufeff" or following.isspace()
    return word in list("•‣⁃◦·●○■□▪▫▶►") or (word in list("-–*") and spaced)


def measure(*texts, language=None) -> pl.DataFrame:
    return Gopher().measure(Batch(Ragged.from_strings(list(texts)), language))


@given(TEXTS)
def test_measures_are_those_of_a_plain_count(texts):
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    for row, text in zip(measure(*encoded).iter_rows(named=True), encoded, strict=True):
        assert row == pytest.approx(slowly(text))


STOPS = "the of "


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "words_too_low"),
        (STOPS + "word " * 47, "words_too_low"),
        (STOPS + "word " * 48, None),
        (STOPS + "word " * 47 + ", .", "words_too_low"),  # marks are no words
        (STOPS + "word " * 47 + "12", None),  # numbers are
        (STOPS + "étés " * 48, None),
        ("of the " + "été " * 48, "word_length_too_low"),  # three letters in five bytes, and "of"
        ("the and " + "été " * 48, None),
        ("of the " + "tells " + "and " * 49, None),
        ("of the " + "x" * 20 + " " + "y" * 9 + " z" + ("x" * 9 + "y ") * 47, None),  # short ones level the long
        ("of the " + ("x" * 10 + "y ") * 60, "word_length_too_high"),
        (STOPS + "word " * 48 + "# " * 5, None),
        (STOPS + "word " * 48 + "# " * 6, "hash_ratio_too_high"),
        (STOPS + "https://a.b/c#d " * 48, "word_length_too_high"),  # no mark inside an address
        (STOPS + "... " * 5 + "word " * 48, None),
        (STOPS + "... … " * 3 + "word " * 48, "ellipsis_ratio_too_high"),
        (STOPS + "...... " + "word " * 48, None),  # one run, one ellipsis
        (STOPS + "word " * 80 + "\n- word word" * 9, None),  # 9 of 10 lines
        (STOPS + "word " * 90 + "\n• word word" * 10, "bullet_lines_too_high"),
        (STOPS + "word " * 90 + "\n* word word" * 10, "bullet_lines_too_high"),
        (STOPS + "word " * 90 + "\n*word* word" * 10, None),
        (STOPS + "word " * 90 + "\n-5 word word" * 10, None),
        (STOPS + "word " * 90 + "\n\n- word word" * 10, "bullet_lines_too_high"),  # blank lines are no lines
        ((STOPS + "word " * 20 + "\n") * 7 + "word word...\n" * 3, None),
        ((STOPS + "word " * 20 + "\n") * 6 + "word word…\n" * 3, "ellipsis_lines_too_high"),
        (STOPS + "word " * 38 + "123, " * 10, None),  # 40 of 50
        (STOPS + "word " * 38 + "1234 " * 11, "alpha_words_too_low"),
        (STOPS + "word, " * 48 + "| " * 12, None),  # 50 of 62: a mark beside a word is part of it
        (STOPS + "word, " * 48 + "| " * 13, "alpha_words_too_low"),
        ("OF the I A " + "WORD " * 25 + "word " * 23, None),  # 26 of 52
        ("OF the I A " + "WORD " * 26 + "word " * 23, "capital_words_too_high"),
        (STOPS + "CAPITALS " * 30 + "字" * 40, None),
        ("the " * 50, "stop_words_too_low"),  # two, but not of two kinds
        ("The AND " + "word " * 48, None),
        ("thE aNd " + "word " * 48, "stop_words_too_low"),
        (STOPS + "word " * 198, None),  # 2 of 200
        (STOPS + "word " * 199, "stop_word_ratio_too_low"),
    ],
)
def test_each_rule_holds_on_both_sides_of_its_line(text, rule):
    batch = Batch(Ragged.from_strings([text]))
    broken = decide(Gopher(), Gopher().measure(batch), Gopher().profile_of(None, batch.text.rows))[0]
    assert (broken[0]["rule"] if len(broken) else None) == rule


def test_the_stop_word_ratio_is_measured_from_100_words_on():
    texts = [STOPS + "word " * 97, STOPS + "word " * 98, STOPS + "word " * 97 + "12 " * 50]
    assert measure(*texts)["stop_word_ratio"].to_list() == [1.0, 0.02, 1.0]


def test_too_many_words():
    settings = Gopher(max_words=60)
    for words, rules in (58, []), (59, ["words_too_high"]):
        batch = Batch(Ragged.from_strings([STOPS + "word " * words]))
        broken = decide(settings, settings.measure(batch), settings.profile_of(None, batch.text.rows))[0].to_list()
        assert [rule["rule"] for rule in broken] == rules


def test_stop_words_are_those_of_the_language():
    german = "der und die Hund das nicht"
    measured = measure(german, german, german, language=np.array(["de", "en", "xx"]))
    assert measured["stop_words"].to_list() == [5, 0, 0]
    assert measure(german)["stop_words"].item() == 0


def test_a_list_of_stop_words_has_a_limit():
    with pytest.raises(ValueError, match="65 stop words"):
        Gopher(stop_words=[f"w{i}" for i in range(65)])
    assert Gopher(stop_words=[re.sub(r"\W", "", f"w{i}") for i in range(64)]).stop_words[63] == "w63"
