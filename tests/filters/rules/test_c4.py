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
    "a" + " " * 63 + "b", "a" + " " * 190 + "b", "a" + " " * 191 + "b",
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
