"""FineWeb's rules on lines: each against its twin, and on both sides of its threshold."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import fineweb as reference

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.rules.fineweb import FineWeb
from gristmill.pipelines.ragged import Ragged

LINES = st.sampled_from(["Home", "\tHome", "It ends.", "It ends...", "“So it ends.”", "漢字で終わる。", "é\u2028"])
WIDTHS = st.sampled_from(
    ["", " ", "\x85", "x" * 30, "x" * 31, "字" * 15, "字かな", "字가", "かな", "가", "か" * 15, "か" * 16]
)
TEXTS = st.lists(st.lists(LINES | WIDTHS, max_size=12).map("\n".join) | st.text(max_size=40), max_size=5)


@given(TEXTS, st.integers(1, 40))
@example(["a\na", "a", "a"], 30)  # a line of one document is new in the next
def test_fineweb_answers_as_the_reference(texts, width):
    settings, batch = FineWeb(short_line_width=width), Batch(Ragged.from_strings(texts))
    words = np.diff(batch.words.offsets).tolist()
    expected = [reference.measure(text, n, settings) for text, n in zip(texts, words, strict=True)]
    assert settings.measure(batch).to_dicts() == expected


@given(st.lists(st.binary(max_size=50), max_size=3))
def test_invalid_bytes_are_measured_too(texts):
    assert len(FineWeb().measure(Batch(Ragged.from_strings(texts)))) == len(texts)


LONG = "a line that is too wide to have been wrapped, and long enough to be one of text: " + "so on " * 9 + "it goes"


def lines(count: int, line: str) -> list[str]:
    return [f"{n:02} {line}" for n in range(count)]


@pytest.mark.parametrize(
    ("text", "rules"),
    [
        ("", ["lines_too_low"]),
        (" \n\t\n", ["lines_too_low"]),
        ("\n".join(lines(3, LONG + ".") + lines(22, LONG)), []),  # 3 of 25 lines end
        ("\n".join(lines(3, LONG + ".") + lines(23, LONG)), ["line_punct_ratio_too_low"]),
        ("\n".join(lines(67, "It is short.") + lines(33, LONG + ".")), []),
        ("\n".join(lines(68, "It is short.") + lines(32, LONG + ".")), ["short_line_ratio_too_high"]),
        ("\n".join([*lines(9, LONG + "."), "00 " + LONG + "."]), []),  # one line of ten stood before
        ("\n".join([*lines(8, LONG + "."), "00 " + LONG + "."]), ["char_dup_ratio_too_high"]),
        ("A line of text, no more.\n" + "x" * 40 + " y.", []),  # 2 lines, 9 words
        ("x" * 31 + ".\n" + "y" * 31 + ".\n" + "z" * 31 + ".", ["list_ratio_too_high"]),  # 3 lines, 6 words
    ],
)
def test_fineweb_names_the_rule_broken(text, rules):
    measures = FineWeb().measure(Batch(Ragged.from_strings([text])))
    assert [rule["rule"] for rule in decide(FineWeb(), measures, np.array([""], object))[0]] == rules


@pytest.mark.parametrize(
    ("line", "short"),
    [("床前明月光，", 0.0), ("關關雎鳩 1", 0.0), ("静けさや岩", 1.0), ("大韓民國 만세", 1.0), ("short", 1.0)],
)
def test_a_line_of_chinese_verse_is_not_short(line, short):
    measures = FineWeb().measure(Batch(Ragged.from_strings([f"{line}\n" * 8])))
    assert measures["short_line_ratio"].to_list() == [short]


def test_a_wrapped_novel_is_no_list():
    paragraph = (
        "It was late, and nobody was on the way\nwho could have told us where we were,\nso we went on to the sea.\n\n"
    )
    measures = FineWeb().measure(Batch(Ragged.from_strings([paragraph * 4]))).to_dicts()[0]
    assert (measures["lines"], measures["line_punct_ratio"], measures["short_line_ratio"]) == (4, 1.0, 0.0)
