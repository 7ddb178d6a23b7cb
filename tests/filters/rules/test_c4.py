"""C4: what it removes from a text, and when it drops what is left."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import c4 as reference

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.rules.c4 import C4
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.spans import rewrite

PARTS = [
    "Home", "Log in", "a sentence of some words.", "Yes.", "“Done!”", "[1]", ".[12][3]", "a[7]", "[edit]", "[", "{",
    "}", "lorem ipsum", "Please enable JavaScript", "we use cookies", "javascript", "terms of use",
    "好。", "漢字", "ไทยไม่มีช่องว่าง", "x" * 40, "\t", "...", "…", "3.14", "\x85", "\u2028", "\r", "é", "\x00", "«", "»",
    "؟", "x" * 11, "x" * 12, "x" * 13, "x" * 16, "x" * 17, "字字字", ".[999]", ".[1000]", "a" + " " * 62 + "b",
    "a" + " " * 63 + "b", "a" + " " * 190 + "b", "a" + " " * 191 + "b", "You", "you", "Our", "copyright", "word", "|",
    "2019", "-----", "====", "``x``", "//go", "import (", "x;", "  y", "Red", "red", "x " * 10, "x " * 20 + "x",
    "privacy policy",
]  # fmt: skip
LINE = st.lists(st.sampled_from(PARTS), max_size=6).map(" ".join)
TEXTS = st.lists(st.lists(LINE, max_size=8).map("\n".join) | st.text(max_size=30), max_size=4)
SETTINGS = st.builds(
    C4,
    terminal_mark=st.booleans(),
    min_words=st.integers(0, 4),
    min_run=st.integers(1, 4),
    max_word_length=st.sampled_from([12, 1000]),
    citations=st.booleans(),
)


def run(settings: C4, texts: list[str]) -> tuple[list[str], list[dict]]:
    text = Ragged.from_strings(texts)
    spans, measures = settings.rewrite(Batch(text))
    return rewrite(text, spans).to_text().to_pylist(), measures.to_dicts()


@given(TEXTS, SETTINGS)
@example(["Home\nLog in\n\nAbout\nA text that stays here."], C4())
def test_c4_answers_as_the_reference(texts, settings):
    kept, measures = run(settings, texts)
    assert [*zip(kept, measures, strict=True)] == [reference.rewrite(text, settings) for text in texts]


BLOCKS = st.lists(
    st.sampled_from(["Red", "blue", "Red hat", "blue hat", "7", "x;", "=", "  y", "It ends."]), max_size=5
)
SETTLED = st.lists(BLOCKS.map("\n".join) | st.sampled_from(["A line of prose that is wide and ends.", "Short prose"]))


@given(st.lists(SETTLED.map("\n\n".join), max_size=3), SETTINGS)
@example(["\n".join(["One two three", *["Red"] * n, "One two three"]) for n in (3, 199, 200, 201)], C4())
@example(["\n".join([*["One two three"] * n, *["Red"] * 3, "One two three"]) for n in (199, 200, 201)], C4())
@example(["\n".join([*["Red"] * 3, *["One two three"] * n]) for n in (199, 200, 201)], C4())
def test_menus_are_told_from_verse_and_tables_as_by_the_reference(texts, settings):
    kept, measures = run(settings, texts)
    assert [*zip(kept, measures, strict=True)] == [reference.rewrite(text, settings) for text in texts]


@given(TEXTS)
def test_spans_are_in_order_and_apart(texts):
    text = Ragged.from_strings(texts)
    spans = C4().rewrite(Batch(text))[0].to_pylist()
    for before, after in pairwise(spans):
        assert before["row"] < after["row"] or before["offset"] + before["length"] <= after["offset"]
    for span in spans:
        assert span["offset"] >= 0 and span["length"] > 0 and span["replacement"] == ""
        assert span["offset"] + span["length"] <= len(texts[span["row"]].encode())


@given(st.lists(st.binary(max_size=50), max_size=3))
def test_invalid_bytes_do_no_harm(texts):
    text = Ragged.from_strings(texts)
    assert rewrite(text, C4().rewrite(Batch(text))[0]).rows == len(texts)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Home\nAbout us\nContact\nThis is the text.", "This is the text."),  # a menu
        ("Home\nAbout us\nThis is the text.", "Home\nAbout us\nThis is the text."),  # two short lines are none
        ("Home\n\nNews\n\nContact\n\nThe text.", "\nThe text."),  # blank lines do not break one
        ("“Yes.”\n“No!”\n“Why?”\n", "“Yes.”\n“No!”\n“Why?”\n"),  # a dialogue
        ("  if x:\n    y\n    }\n    }\n", "  if x:\n    y\n    }\n    }\n"),  # code is indented
        ("首页\n新闻中心\n联系我们\n本文です。", "本文です。"),
        ("床前明月光\n疑是地上霜\n举头望明月\n", "床前明月光\n疑是地上霜\n举头望明月\n"),  # verse
        ("Please enable JavaScript to go on.\nText.", "Text."),
        ("JavaScript is a language.\nText.", "JavaScript is a language.\nText."),
        ("Read our Privacy Policy first.\nText.", "Text."),
        ("It was so.[1][23] But[4] why? a[5]", "It was so. But[4] why? a[5]"),
        ("History[edit]\nTrue[citation needed] text.", "History\nTrue text."),
        ("x = [1], [] or f()[2]", "x = [1], [] or f()[2]"),
        ("a" * 1000 + "\nText.", "a" * 1000 + "\nText."),
        ("a" * 1001 + "\nText.", "Text."),
        ("長い段落には空白がない。" * 99, "長い段落には空白がない。" * 99),
        ("", ""),
    ],
)
def test_lines_that_go_and_lines_that_stay(text, kept):
    assert run(C4(), [text])[0] == [kept]


GO = """//go:build unix

package mill

import (
\t"fmt"
)

// Turn turns the stones. It returns their speed.
func Turn(stones int) int {
\treturn stones * 3
}
"""
HEADER = """#ifndef MILL_H
#define MILL_H

#include <stdio.h>

struct mill;
int turn(int stones);

#endif
"""
PYTHON = "import os\nimport re\nimport sys\n\n\ndef turn(stones):\n    return stones * 3\n\n\nturn(os.cpu_count())\n"
PROSE = "The mill has two stones. The upper one turns, and the lower one lies still."
MANUAL = f"{PROSE}\n\nParts\n-----\n\n``Hopper``\n\n{PROSE}\n\nYield\n-----\n\n{PROSE}\n"
TABLE = f"{PROSE}\n\nYear\n\nSacks\n\n2019\n\n410\n\n2020\n\n388\n\n{PROSE}\n"
TABLE_OF_WORDS = f"{PROSE}\n\nPart\n\nColor\n\nHopper\n\nred\n\nShoe\n\nblue\n\n{PROSE}\n"
COLUMN = f"{PROSE}\n2019\n410\n2020\n388\n{PROSE}\n"
VERSE = f"The Mill\n\nRound and round\nWhite flour\nSoft snow\nGrain falls\nDust flies\n\n{PROSE}\n"
VERSE_ALONE = "White flour\nSoft snow\nGrain falls\n\nDust flies\nWind calls\nSail replies\n"
ODES = "關關雎鳩\n在河之洲\n窈窕淑女\n君子好逑\n\n參差荇菜\n左右流之\n"
HEADINGS = f"{PROSE}\n\nParts\n\nHopper\n\nShoe\n\n{PROSE}\n"


@pytest.mark.parametrize(
    "text", [GO, HEADER, PYTHON, MANUAL, TABLE, TABLE_OF_WORDS, COLUMN, VERSE, VERSE_ALONE, ODES, HEADINGS]
)
def test_code_verse_tables_and_headings_stay(text):
    assert run(C4(), [text])[0] == [text]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"Home\nNews\nContact\n{PROSE}\n", f"{PROSE}\n"),  # at the head
        (f"{PROSE}\nTwitter\nImprint\nAbout us\n", f"{PROSE}\n"),  # at the end
        (f"{PROSE}\nTwitter\nImprint\nAbout us\n{PROSE}\n", f"{PROSE}\n{PROSE}\n"),  # between lines of a paragraph
        (f"Home\nNews\nContact\n\n{PROSE}\n", f"\n{PROSE}\n"),  # set apart, at the head
        (f"Home\nNews\nContact\n{MANUAL}", MANUAL),
    ],
)
def test_menus_go(text, kept):
    assert run(C4(), [text])[0] == [kept]


IN_PROSE = "The ministry argued over its privacy policy before the law was passed in spring."


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        (IN_PROSE, True),  # 14 words
        ("The ministry argued over its privacy policy before the law was passed.", False),  # 12 words
        ("The ministry argued over its privacy policy before the law was passed so.", True),
        ("By reading on you agree to our terms of use and to all that follows from them in law and elsewhere.", False),
        ("This website uses cookies to ensure you get the best experience on all of the pages of our website.", False),
        (
            "Copyright 2020 Mill | About | Jobs | Privacy Policy | Legal | Contact | Mobile version | Sitemap",
            False,
        ),
        (f"{IN_PROSE} Doctors began to send summaries of their records over the new network.", True),
        (
            "Engineers complained that the page uses cookies and that nobody had told them so before it opened.",
            True,
        ),
    ],
)
def test_a_notice_is_more_than_a_phrase(line, stays):
    assert run(C4(), [f"{line}\nText."])[0] == [f"{line}\nText." if stays else "Text."]


@pytest.mark.parametrize(
    ("line", "stays"),
    [("It ends.", True), ("It ends", False), ("It ends...", False), ("It ends…", False), ("“It ends.”", True)]
    + [(line, True) for line in ("终于结束了。", "یہ ہے۔", "यह है।", "هل انتهى؟", "Վերջ։", "«Fini !»")],
)
def test_a_line_may_have_to_end_a_sentence(line, stays):
    assert run(C4(terminal_mark=True, min_words=0), [line])[0] == [line if stays else ""]


@pytest.mark.parametrize(
    ("settings", "text", "rules"),
    [
        (C4(), "One. Two.", ["sentences_too_low"]),
        (C4(), "One. Two. Three.", []),
        (C4(), "一。二。三。", []),
        (C4(), "Pi is 3.14 and e is 2.72 or so", ["sentences_too_low"]),
        (C4(), "One. Two. Three lorem ipsum.", ["placeholders_too_high"]),
        (C4(max_curly_brackets=0), "One. Two. Three {.", ["curly_brackets_too_high"]),
        (C4(), "One. Two. Three {.", []),
        (C4(), "Home\nA. B.\nTerms of use: one. Two. Three.", ["sentences_too_low"]),  # counted in what is left
        (C4(), "", ["sentences_too_low"]),
    ],
)
def test_c4_names_the_rule_broken(settings, text, rules):
    measures = settings.measure(Batch(Ragged.from_strings([text])))
    assert [rule["rule"] for rule in decide(settings, measures, np.array([""], object))[0]] == rules


def test_a_phrase_must_be_lower_case_ascii():
    with pytest.raises(ValueError, match="lower-case ASCII"):
        C4(notices=["Cookies"])


def test_nothing_to_remove_is_a_table_too():
    assert C4().rewrite(Batch(Ragged.from_strings(["A text."])))[0].num_rows == 0
    assert isinstance(C4().rewrite(Batch(Ragged.from_strings([])))[0], pa.Table)
