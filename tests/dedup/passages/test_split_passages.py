import re
import textwrap

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.near.shingle_letters import SPACELESS, letters
from gristmill.dedup.passages.split import KINDS, _odd_characters, cut_passages
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged
from tests.reference.passages import BREAK, SPACE
from tests.reference.passages import passages as reference
from tests.reference.shingles import is_spaceless


@kernel
def odd(data):
    return _odd_characters(data, 0, data.size)


pieces = st.sampled_from(
    [*"ab.!?…。！？」)\"' \n\r\t", "\r\n", "\n\n", "\u2028", "\u3000", "\x85", "\xa0", "漢", "é", "🙂", "\0"]
)
texts = st.one_of(st.text(max_size=30), st.lists(pieces, max_size=40).map("".join))


def cut(texts, kind):
    text = Ragged.from_strings(texts)
    text = Ragged.from_arrays(np.append(text.offsets, 1 << 62)[:-1], text.data)  # no memory holds what is behind
    found = cut_passages(text, kind)
    each = [text.data[a:b].tobytes().decode() for a, b in zip(found.start, found.end, strict=True)]
    return [each[found.offsets[i] : found.offsets[i + 1]] for i in range(text.rows)]


@given(st.lists(texts, max_size=4), st.sampled_from(KINDS))
def test_passages_answer_as_the_reference(texts, kind):
    assert cut(texts, kind) == [reference(text, kind) for text in texts]


filler = st.sampled_from(["a" * 55, "ab " * 20, "é" * 31, "字" * 21, "नम " * 9, "mot việt " * 6, "x\n" * 30])
long_texts = st.lists(st.one_of(pieces, filler), max_size=12).map("".join)


@given(st.lists(long_texts, max_size=4), st.sampled_from(KINDS))
def test_passages_wider_than_a_window_answer_as_the_reference(texts, kind):
    assert cut(texts, kind) == [reference(text, kind) for text in texts]


@given(st.lists(st.one_of(texts, long_texts), min_size=1, max_size=4), st.sampled_from(KINDS))
def test_words_and_breaks_answer_as_the_reference(texts, kind):
    text = Ragged.from_strings([*texts, "b" * 64])
    found = cut_passages(text, kind)
    after = np.append(found.start, text.data.size)[1:]
    after[found.offsets[1:][np.diff(found.offsets) > 0] - 1] = text.offsets[1:][np.diff(found.offsets) > 0]
    for start, end, stop, breaks, words in zip(found.start, found.end, after, found.breaks, found.words, strict=True):
        passage, space = (text.data[a:b].tobytes().decode() for a, b in ((start, end), (end, stop)))
        runs = re.split(
            SPACE, "".join(f" {character} " if is_spaceless(character) else character for character in passage)
        )
        assert words == len([run for run in runs if run])
        assert breaks == min(255, len(re.findall(BREAK, space)))


def test_no_letter_of_a_script_without_spaces_is_in_the_blocks_read_as_words():
    for code in range(0x80, 0x110000):
        if letters()[code] >= SPACELESS:
            data = np.frombuffer(chr(code).encode().ljust(64), np.uint8)
            assert odd(data) & 1, hex(code)


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("", "line", []),
        (" \n ", "sentence", []),
        ("one\ntwo\n\nthree", "line", ["one", "two", "three"]),
        ("one\ntwo\n\nthree", "paragraph", ["one\ntwo", "three"]),
        ("one\r\ntwo", "paragraph", ["one\r\ntwo"]),
        ('He left. "Why?" she said.', "sentence", ["He left.", '"Why?"', "she said."]),
        ("一つ。二つ！」三つ", "sentence", ["一つ。", "二つ！」", "三つ"]),
        ("3.14 is pi", "sentence", ["3.14 is pi"]),
    ],
)
def test_where_passages_end(text, kind, expected):
    assert cut([text], kind) == [expected]


WORDS = [
    "a",
    "of",
    "the",
    "mill",
    "grinds",
    "(into",
    'flour."',
    "Why?",
    "incomprehensibilities",
    "東京都は日本",
    "日本。",
    "x/y",
]


@st.composite
def wrapped_texts(draw):
    """Paragraphs of random words, each wrapped at one of two widths or not at all, with blank lines between some."""
    random = draw(st.randoms(use_true_random=False))
    widths = draw(st.lists(st.integers(36, 124), min_size=1, max_size=2))
    paragraphs = [" ".join(random.choices(WORDS, k=random.randrange(1, 80))) for _ in range(draw(st.integers(1, 8)))]
    lines = [textwrap.fill(each, random.choice(widths)) if random.random() < 0.8 else each for each in paragraphs]
    return "".join(line + random.choice(["\n"] * 4 + ["\n\n", "\r\n", " \n\t", "\u2028"]) for line in lines)


@given(st.lists(wrapped_texts(), max_size=3))
def test_wrapped_paragraphs_answer_as_the_reference(texts):
    assert cut(texts, "paragraph") == [reference(text, "paragraph") for text in texts]


FULL = "The miller of the village grinds the grain of nine farms here"  # 61 columns
LONG = f"{FULL} {FULL[:58]}"  # 120 columns


def line(columns):
    return ("mill " * 30)[: columns - 1] + "x"


VERSE = ["Tiger Tiger, burning bright,", "In the forests of the night;", "What immortal hand or eye,"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([LONG + ".", LONG + ".", "short"], [1, 1, 1]),  # most of it in lines wider than 120: each is a paragraph
        ([LONG, LONG, "short"], [3]),
        (["A heading", LONG + ".", "One.", "Two."], [1, 1, 1, 1]),
        ([LONG + ".", *VERSE * 2], [7]),  # most of it in short lines
        (VERSE * 4, [12]),  # stanzas stay whole
        ([FULL] * 4, [4]),
        ([FULL] * 4 + ["and the end."], [5]),  # a wrapped paragraph between blank lines
        ([FULL] * 4 + ["and the end.", FULL, FULL, "ends."], [5, 3]),  # "The" would have fitted after "end."
        ([FULL] * 3 + ["and the end.", line(51), line(51), "ends."], [7]),  # three full lines have no wrap width
        ([FULL] * 3 + ["and the end.", "", "ends."], [4, 1]),
        ([FULL] * 8 + [FULL[:40], "incomprehensibilities of it"], [10]),  # it would not have fitted
        ([FULL] * 8 + [FULL[:40], "all of it"], [9, 1]),
        ([FULL] * 4 + [LONG + ".", "all of it"], [4, 1, 1]),
        ([FULL] * 4 + [line(48), "filled " + line(54), FULL], [7]),  # 55 columns of 61: no line is short
        ([FULL] * 4 + [line(47), "filled " + line(54), FULL], [5, 2]),  # 54 = 61 - 61 // 8
        ([FULL] * 4 + [line(54), "filled " + line(54), "end.", FULL], [5, 2, 1]),  # it fits, and another is short
        ([FULL] * 4 + [line(55), "filled " + line(54), "end.", FULL], [7, 1]),
        ([FULL] * 3 + [FULL[:-1] + ".", *[FULL] * 3, "end.", FULL], [4, 4, 1]),  # a full line that ends a sentence
        ([FULL] * 3 + [FULL[:-1] + ".", *[FULL] * 3, "end."], [8]),  # of one paragraph
        ([FULL[:-3] + '.")', *[FULL] * 3, "end.", FULL], [1, 4, 1]),
        (["字" * 30] * 4 + ["字。", "字" * 30], [5, 1]),  # two columns each
        (["字" * 30] * 4 + ["字" * 29, "字" * 30], [6]),
    ],
)
def test_a_line_break_ends_a_paragraph_where_no_wrapping_explains_it(lines, expected):
    (found,) = cut(["\n".join(lines)], "paragraph")
    assert [passage.count("\n") + 1 for passage in found] == expected


@pytest.mark.parametrize(("before", "after"), [("", ""), ("Short.\n\n", ""), (LONG + "\n \t\n", "\n\n" + FULL)])
def test_a_block_is_cut_alike_wherever_it_stands(before, after):
    block = "\n".join([FULL] * 4 + ["and the end.", FULL, FULL, "ends."])
    (alone,), (found,) = cut([block], "paragraph"), cut([before + block + after], "paragraph")
    at = found.index(alone[0])
    assert len(alone) == 2 and found[at : at + 2] == alone


@given(st.lists(st.binary(max_size=20), max_size=4), st.sampled_from(KINDS))
def test_damaged_text_is_read_to_its_end(rows, kind):
    found = cut_passages(Ragged.from_strings(rows), kind)
    assert (found.start < found.end).all() and (found.words > 0).all()


@pytest.mark.parametrize(("text", "words"), [("a b\u3000c", 3), ("漢字", 2), ("漢a字", 3), ("it's-one", 1), ("🙂", 1)])
def test_words_of_a_passage(text, words):
    assert cut_passages(Ragged.from_strings([text]), "line").words.tolist() == [words]


@pytest.mark.parametrize(("lines", "breaks"), [(0, 0), (1, 1), (254, 254), (255, 255), (256, 255)])
def test_line_breaks_are_counted_to_255(lines, breaks):
    found = cut_passages(Ragged.from_strings(["one." + "\n" * lines + " two"]), "sentence")
    assert found.breaks.tolist() == [breaks, 0]


def test_hashes_see_through_white_space_only():
    text = Ragged.from_strings(["a  b\nA b", " a\tb", "a b!"])
    hashes = cut_passages(text, "line").hashes(text)
    assert hashes[0] == hashes[2] and len(set(hashes.tolist())) == 3
    lower = cut_passages(text, "line").hashes(text, lowercase=True)
    assert lower[0] == lower[1] == lower[2] != lower[3]
