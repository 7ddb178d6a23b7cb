"""Spans derived from two texts: applied to the one they give the other, and they keep what both share."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.filters.core.derived_spans import changed_spans
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.steps.spans import rewrite, spans_table

WORDS = st.lists(st.sampled_from(["a", "b", "mill", "ä", "磨", " ", "  ", "\n", "\n\n", "\r\n", "x.", "😀"])).map(
    "".join
)


def applied(old, spans):
    row, offset, length, text = [*map(list, zip(*((0, *span) for span in spans), strict=True))] or [[]] * 4
    made = rewrite(Ragged.from_strings([old]), spans_table(row, offset, length, ["x"] * len(row), text))
    return made.row(0).decode()


@given(WORDS, WORDS)
@example("", "a")
@example("a", "")
@example("ab", "b")
@example("aa", "aaa")
@example("ä", "ö")  # they share their first byte
@example("a\nb\na\nb\n", "b\na\nb\na\n")
def test_the_spans_turn_one_text_into_the_other(old, new):
    spans = changed_spans(old, new)
    assert applied(old, spans) == new
    ends = [0, *(begin + size for begin, size, _ in spans)]
    assert all(begin > end for (begin, _, _), end in zip(spans[1:], ends[1:], strict=False)), "a kept byte between"
    assert all(size or text for _, size, text in spans)


@pytest.mark.parametrize(
    ("old", "new", "spans"),
    [
        ("same", "same", []),
        ("The colour of flour", "The color of flour", [(8, 1, "")]),
        ("a! b! c!", "a. b. c.", [(1, 1, "."), (4, 1, "."), (7, 1, ".")]),
        ("one\ntwo\nthree\n", "one\nthree\n", [(5, 4, "")]),  # as long as "two\n": both begin with t
        ("Mühle", "Mehl", [(1, 5, "ehl")]),
        ("磨坊", "磨", [(3, 3, "")]),
        ("x y", "y x", [(0, 2, ""), (3, 0, " x")]),
    ],
)
def test_what_both_texts_share_is_kept(old, new, spans):
    assert changed_spans(old, new) == spans


def test_changes_in_many_lines_are_many_small_spans():
    old = "".join(f"Line {i}: the colour of line {i} is grey.\n" for i in range(2_000))
    spans = changed_spans(old, old.replace("colour", "color").replace("grey", "gray"))
    assert len(spans) == 4_000 and all(length == 1 for _, length, _ in spans)


@pytest.mark.parametrize("old", ["ab\n" * 200_000, "ab " * 200_000, "a" * 600_000])
def test_repeated_text_takes_no_quadratic_time(old):
    """`difflib` takes hours for these texts."""
    new = old.replace("a", "b")[1:] + "end"
    assert applied(old, changed_spans(old, new)) == new
