"""Sentence ends: every script's marks, invisible characters after them, scripts without marks."""

import numpy as np
import pytest
import regex
import unicodedata2 as unicode
from hypothesis import given
from hypothesis import strategies as st
from reference.marks import ends_sentence, last_sentence_end, sentence_ends
from reference.sentences import SENTENCES

from gristmill.filters.core.batch import Batch
from gristmill.filters.rules.c4 import C4
from gristmill.filters.text.sentence_ends import KIND_OF, bytes_in_sentences, ends_with_mark
from gristmill.filters.text.sentence_kinds import CLOSER, SKIPPED, TERMINAL, WIDE_TERMINAL
from gristmill.pipelines.ragged import Ragged

WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight"]


def count(text: str) -> int:
    settings = C4(citations=False, min_words=0)
    return settings.rewrite(Batch(Ragged.from_strings([text])))[1]["sentences"][0]


def as_line(text: str) -> tuple[np.ndarray, ...]:
    data = np.frombuffer(text.encode(), np.uint8)
    return data, np.zeros(1, np.int32), np.array([data.size], np.int32)


@given(SENTENCES | st.text(max_size=30))
def test_a_line_is_read_as_by_the_reference(text):
    line = " ".join(text.splitlines())
    data, start, end = as_line(line)
    stripped = line.strip(" \t")
    assert ends_with_mark(data, start, end)[0] == (not stripped or ends_sentence(stripped))
    assert bytes_in_sentences(data, start, end)[0] == len(line[: last_sentence_end(line)].encode())
    assert count(line) == len(sentence_ends(line))


@pytest.mark.parametrize("between", [" ", "\n", "\n\n"])
@pytest.mark.parametrize(
    "sentence",
    [
        "The mill stands by the river {}.",
        "The mill stands by the river {}.\u200e",
        "The mill stands by the river {}.\u200f\u200b",
        "The mill stands by the river {}?\ufeff",
        "“The mill stands by the river {}!”\u2060",
        "ወፍጮው በወንዙ አጠገብ ይገኛል {}።",
        "ወፍጮው በወንዙ አጠገብ ይገኛል {}፡፡",
        "ወፍጮው በወንዙ አጠገብ ይገኛል {}::",
        "Ջրաղացը կանգնած է գետի մոտ {}։",
        "Ջրաղացը կանգնած է գետի մոտ {}:",
        "Πού είναι ο μύλος {};",
        "Πού είναι ο μύλος {}\u037e",
        "چکی دریا کے کنارے کھڑی ہے {}۔",
        "چڪي نديءَ جي ڪناري تي بيٺي آهي {}۔\u200f",
        "चक्की नदी के किनारे खड़ी है {}।",
        "រោងម៉ាស៊ីនស្ថិតនៅក្បែរទន្លេ {}។",
        "စက်ရုံသည် မြစ်ကမ်းနားတွင် ရှိသည် {}။",
        "ཆུ་འཁོར་དེ་གཙང་པོའི་འགྲམ་དུ་ཡོད {}།",
        "ཆུ་འཁོར་དེ་གཙང་པོའི་འགྲམ་དུ་ཡོད {}། །",
        "ᱪᱚᱠᱠᱤ ᱜᱟᱰᱟ {}᱾",
        "โรงสีตั้งอยู่ริมแม่น้ำของเมืองเก่า {}",
        "ໂຮງສີຕັ້ງຢູ່ແຄມແມ່ນ້ຳຂອງເມືອງເກົ່າ {}",
    ],
)
def test_eight_sentences_are_eight(sentence, between):
    text = between.join(sentence.format(word) for word in WORDS)
    assert count(text) == 8
    lines = [sentence.format(word) for word in WORDS]
    assert all(ends_with_mark(*as_line(line))[0] for line in lines)
    assert bytes_in_sentences(*as_line(lines[0]))[0] == len(lines[0].encode())


@pytest.mark.parametrize(
    "text",
    [
        *("The mill stands by the river", "The mill stands by the river |", "The mill:", "the mill;", "ab::"),
        *("he said “hello” and went", "3.14", "a.\u200eb", "፡ word", "ቃል፡ቃል፡ ቃል", "Ջ: one", "α; b"),
        *("ก" * 23, "ก" * 23 + " x", "ติดต่อเรา"),
    ],
)
def test_these_end_no_sentence(text):
    assert count(text) == 0


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("word " * 12, 1),
        ("word " * 11, 0),
        ("12 " * 12, 0),  # a row of figures
        (".word " * 12, 0),  # selectors of CSS
        ("word " * 12 + "1", 1),
        ("One end. " + "word " * 12, 1),  # a line with an end is no sentence more
        ("ܡܠܬܐ " * 12, 1),
        ("字" * 21, 0),
        ("字" * 22, 1),
        (("word " * 12 + "\n") * 3, 3),
    ],
)
def test_a_long_line_without_an_end_is_one_sentence(text, sentences):
    assert count(text) == sentences


@pytest.mark.parametrize(("text", "ends"), [(". . .", 1), ("No. . .\u200b Yes.", 2), ("Quoi ! ?", 1), ("。。", 1)])
def test_marks_with_only_blanks_between_are_one_end(text, ends):
    assert count(text) == ends


def test_the_table_agrees_with_unicode():
    for code in range(0x110000):
        character = chr(code)
        if unicode.category(character) in ("Cn", "Cs"):
            continue
        kind = KIND_OF[code]
        if regex.match(r"[\p{SB=STerm}\p{SB=ATerm}]", character):
            assert kind in (TERMINAL, WIDE_TERMINAL), hex(code)
        if regex.match(r"\p{SB=Format}", character):
            assert kind == SKIPPED, hex(code)
        if regex.match(r"\p{Pe}|\p{Pf}", character):
            assert kind == CLOSER, hex(code)
