"""Boundaries of 64 bytes at once are those of the scanners, which look at one character after another."""

import itertools
import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.pretokenize import PATTERNS, PRETOKENIZERS, pretokenize
from gristmill.tokenizers_lab.pretokenize.windows import MARGIN

WINDOWED = [name for name in PATTERNS if name not in ("lines", "bloom", "three_digits")]
# a character of each class, and bytes that belong to none
CHARACTERS = ["a", "A", "s", "L", "ſ", "é", "É", "漢", "\u0301", "1", "²", " ", "\t", "\n", "\r", "\u3000", "\u00a0"]
CHARACTERS += ["'", "-", "/", "\x01", "‘", "😀"]
SYMBOLS = [*map(str.encode, CHARACTERS), b"\xff", b"\xe3", b"\x80"]
AFTER = b"x" * MARGIN  # another document, so that all windows lie in the array


def assert_cut_as_by_the_scanner(pretokenizer, texts):
    """Compare with and without other documents behind, where the last windows lie in the array or not."""
    for rows in (texts, [*texts, AFTER]):
        text = Ragged.from_strings(rows)
        cut = pretokenize(text, pretokenizer)
        documents, ends, scan = [0], [0], PRETOKENIZERS[pretokenizer]
        for at, stop in itertools.pairwise(text.offsets.tolist()):
            while at < stop:
                at = scan(text.data, at, stop)
                ends.append(at)
            documents.append(len(ends) - 1)
        if ends != cut.offsets.tolist() or documents != cut.documents.tolist():  # name the first text
            for row in rows if len(rows) > 2 else ():
                assert_cut_as_by_the_scanner(pretokenizer, [row])
            assert (documents, ends) == (cut.documents.tolist(), cut.offsets.tolist()), rows


@pytest.mark.parametrize("pretokenizer", WINDOWED)
def test_every_short_text_of_all_classes(pretokenizer):
    texts = [b"".join(text) for length in (0, 1, 2) for text in itertools.product(SYMBOLS, repeat=length)]
    assert_cut_as_by_the_scanner(pretokenizer, texts)
    few = [b"a", b"A", b"s", b"'", b" ", b"\n", b"-", b"1", "漢".encode()]
    assert_cut_as_by_the_scanner(pretokenizer, [b"".join(text) for text in itertools.product(few, repeat=4)])


@pytest.mark.parametrize("pretokenizer", WINDOWED)
@pytest.mark.parametrize("length", [62, 63, 64, 65, 66])
def test_every_class_at_the_end_of_a_window(pretokenizer, length):
    """Try documents that end there, and ones that go on."""
    texts = []
    for filler in (b"ab ", b"  ", b"\n ", b".", b"a", b"1", "é".encode(), b"x's"):
        for last in itertools.product(SYMBOLS, repeat=2):
            begin = (filler * length)[: length - len(b"".join(last))]
            texts += [begin + b"".join(last), begin + b"".join(last) + b"s b"]
    assert_cut_as_by_the_scanner(pretokenizer, texts)


@pytest.mark.parametrize("pretokenizer", WINDOWED)
@given(st.lists(st.sampled_from(SYMBOLS), max_size=150).map(b"".join), st.binary(max_size=150), st.text(max_size=100))
@example(b"a's's 's'S 'll'Ve'x ", b"", "x\u0301y")
@example(b"-\n\n  \n - \r\n//\n/ a", b"\xe3\x80", "")
def test_any_text(pretokenizer, symbols, binary, text):
    assert_cut_as_by_the_scanner(pretokenizer, [symbols, binary, text.encode("utf-8", "replace")])


@pytest.mark.parametrize("pretokenizer", WINDOWED)
def test_white_space_signs_and_contractions_in_any_order(pretokenizer):
    draw = random.Random(5)
    kinds = [[b" ", b"\n", b"\t", b"\r", b"a", b"-"], [b"'", b"s", b"'re", b"L", b"l", b" "], [b"1", b" ", b"a", b"\n"]]
    texts = [b"".join(draw.choices(kind, k=draw.randint(1, 150))) for kind in kinds for _ in range(300)]
    assert_cut_as_by_the_scanner(pretokenizer, texts)
