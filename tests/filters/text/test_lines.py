"""Lines as they lie, and unwrapped."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from reference import lines as reference

from gristmill.filters.text.lines import Lines, split_lines, unwrap
from gristmill.pipelines.ragged import Ragged

ENDS = ["\n", "\n", "\n\n", "\r\n", "\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029", "\x1f", ""]
WORDS = st.sampled_from(
    ["a", "the", "wrapped", "paragraph", "第一", "とても長い", "naïve", "- ", "12. ", "•", "\t", "x" * 30]
)
LINE = st.lists(WORDS, max_size=16).map(" ".join)
TEXT = st.lists(st.tuples(LINE, st.sampled_from(ENDS)), max_size=14).map(lambda rows: "".join(a + b for a, b in rows))
TEXTS = st.lists(TEXT | st.text(), max_size=5)

WRAPPED = """\
It was the best of times, it was the worst of times, it was the age
of wisdom, it was the age of foolishness, it was the epoch of belief,
it was the epoch of incredulity, it was the season of Light, it was
the season of Darkness, it was the spring of hope, it was the winter
of despair.

We had everything before us, we had nothing before us, we were all
going direct to Heaven.
"""


def strings(text: Ragged, lines: Lines) -> list[list[str]]:
    return [
        [text.data[lines.start[j] : lines.end[j]].tobytes().decode() for j in range(first, after)]
        for first, after in zip(lines.offsets, lines.offsets[1:], strict=False)
    ]


@given(TEXTS)
@example(["a\r\n\r\nb\n", "", "\n", "\r"])
def test_lines_are_those_of_str(texts):
    text = Ragged.from_strings(texts)
    assert strings(text, split_lines(text)) == [t.splitlines() for t in texts]


@given(TEXTS)
@example([WRAPPED])
def test_unwrapping_answers_as_the_reference(texts):
    text = Ragged.from_strings(texts)
    assert strings(text, unwrap(text, split_lines(text))) == [reference.unwrap(t) for t in texts]


@given(st.lists(st.binary(max_size=60), max_size=4))
def test_invalid_bytes_are_lines_too(texts):
    text = Ragged.from_strings(texts)
    lines = unwrap(text, split_lines(text))
    for i, (first, after) in enumerate(zip(lines.offsets, lines.offsets[1:], strict=False)):
        assert all(
            text.offsets[i] <= s <= e <= text.offsets[i + 1]
            for s, e in zip(lines.start[first:after], lines.end[first:after], strict=True)
        )


def logical(text: str) -> list[str]:
    ragged = Ragged.from_strings([text])
    return strings(ragged, unwrap(ragged, split_lines(ragged)))[0]


def test_a_wrapped_paragraph_is_one_line():
    assert [line.split()[0] for line in logical(WRAPPED) if line] == ["It", "We"]


def test_windows_line_ends_wrap_as_well():
    assert [line.split()[0] for line in logical(WRAPPED.replace("\n", "\r\n")) if line] == ["It", "We"]


MENU = "\n".join(["Home", "About us", "Products and services", "Contact", "Imprint", "Privacy"])
PARAGRAPHS = "\n".join(
    ["A paragraph that stands on a line of its own, however long it may become in the end. " * 3] * 5
)
ADDRESSES = "\n".join(f"https://www.example.com/a/long/path/of/an/address/{n:05}.html" for n in range(9))
ITEMS = "\n".join(
    f"{n}. an item of a list that is nearly as long as the others are, word for word" for n in range(1, 9)
)
VERSE = "\n".join(
    ["Shall I compare thee to a day?", "Thou art more lovely and more mild:", "Rough winds do shake the buds,"] * 3
)


@pytest.mark.parametrize(
    "text", [MENU, PARAGRAPHS, ADDRESSES, ITEMS, VERSE], ids=["menu", "paragraphs", "addresses", "items", "verse"]
)
def test_what_was_not_wrapped_stays(text):
    assert logical(text) == text.splitlines()


@pytest.mark.parametrize(("rows", "joined"), [(3, False), (4, False), (5, True)])
def test_four_lines_must_end_at_the_width(rows, joined):
    text = "\n".join(["a line of sixty columns and no more, to the very last lett"] * (rows - 1) + ["the end."])
    assert (len(logical(text)) == 1) == joined


@st.composite
def wrap_edges(draw) -> str:
    """Draw a wrapped text with a line at a bound of the rule: the wrap width W, W/2, W - W/8, a list mark."""
    width = draw(st.sampled_from([40, 41, 44, 39, 120, 121]))
    fill = width - width // 8
    columns = draw(st.sampled_from([width // 2, width, fill - 10, fill - 21])) + draw(st.sampled_from([0, -1, 1]))
    word = max(draw(st.integers(18, 22)), fill - columns) + draw(st.sampled_from([0, -1, 1]))
    start = draw(st.sampled_from(["", "", "", "999. ", "9999. ", "- ", "-", "•", "字"]))
    line = draw(st.sampled_from(["ab ", "ab ", "abc", "\t", "字"])) + "x" * columns
    full = ("ab " + "x" * width)[:width]
    edge = [line[:columns], start + "y" * word + " end"]
    return "\n".join([*[full] * draw(st.sampled_from([5, 4, 3, 6])), *edge, *["z"] * draw(st.integers(0, 14))])


@given(st.lists(wrap_edges(), min_size=1, max_size=8))
def test_unwrapping_at_its_bounds_answers_as_the_reference(texts):
    text = Ragged.from_strings(texts)
    assert strings(text, unwrap(text, split_lines(text))) == [reference.unwrap(t) for t in texts]


@pytest.mark.parametrize("width", [40, 41, 44])
@pytest.mark.parametrize(("beyond_half", "joined"), [(-1, False), (0, False), (1, True)])
def test_a_line_of_half_the_width_was_not_wrapped(width, beyond_half, joined):
    full = ["a line " + "x" * (width - 7)] * 5
    half = ("b line " + "x" * width)[: width // 2 + beyond_half]
    lines = logical("\n".join([*full, "", half, "y" * 20, ""]))
    assert (f"{half}\n{'y' * 20}" in lines) == joined
