"""Scanners cut as tokenizers cuts: odd text, and every code point among others."""

import itertools

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.utf8 import expand_runs
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.pretokenize import DROPS_SPACE, NAMES, pretokenize
from gristmill.tokenizers_lab.pretokenize.class_tables import KINDS
from tests.reference import pretokenize as plain

ODD = st.sampled_from(
    [
        "",
        "\0",
        "漢字",
        "a\u0301",
        "\u2028",
        "\r",
        "\n",
        "\r\n",
        "👩‍👩‍👧",
        "  ",
        "\t",
        "'S",
        "'ll",
        "12345",
        "...\n/",
        "ǅx",
        "ªb",
    ]
)
TEXT = st.one_of(st.text(), st.lists(st.one_of(ODD, st.text(max_size=2))).map("".join))
LIBRARIES = [name for name in NAMES if name not in ("none", "byte_digits")]


def cut(pretokenizer, data):
    """Pieces, and none of white space where the library has none."""
    offsets = pretokenize(Ragged.from_strings([data]), pretokenizer).offsets.tolist()
    whole = [data[begin:end] for begin, end in itertools.pairwise(offsets)]
    assert b"".join(whole) == data
    return [piece for piece in whole if pretokenizer not in DROPS_SPACE or piece.decode("utf-8", "replace").strip()]


@pytest.mark.parametrize("pretokenizer", LIBRARIES)
@given(text=TEXT)
@example(text="a\u0301b  c\n\n d 1234'S'll")
@example(text=" \u2028 \r\n  x")
def test_pieces_are_those_of_tokenizers(pretokenizer, text):
    data = text.encode("utf-8", "replace")
    ours = cut(pretokenizer, data)
    theirs = plain.pretokens(pretokenizer, data)
    if pretokenizer in DROPS_SPACE:
        theirs = [piece for piece in theirs if piece.decode().strip()]
    assert ours == theirs


@pytest.mark.parametrize("pretokenizer", ["gpt2", "o200k", "cl100k", "deepseek-v3", "bert", "metaspace"])
@pytest.mark.parametrize("length", [1, 2, 3, 4, 6, 7, 8, 9, 15, 16, 17, 23, 24, 25])
def test_letters_and_digits_end_where_they_end_at_every_offset(pretokenizer, length):
    """Letters are tested eight at a time, and digits come in threes: both sides of each limit, before every kind."""
    for run in ("zZ" * length, "é" * length, "9" * length, " " * length, "'" * length):
        for after in ("", "@", "[", "`", "{", "é", "1", " x", "\n", "\u0301", "\xff"):
            text = f"{run[:length]}{after} {run[:length]}{after}".encode()
            assert cut(pretokenizer, text) == [
                piece for piece in plain.pretokens(pretokenizer, text) if pretokenizer != "bert" or piece.strip()
            ], text


@pytest.mark.slow
@pytest.mark.parametrize(
    "pretokenizer", sorted({*LIBRARIES} - {"llama3", "qwen2", "nanochat"})
)  # cl100k but for digits
def test_every_code_point_is_cut_as_by_tokenizers(pretokenizer):
    """In six places: between letters, after a space, before a space, beside digits, signs and newlines.

    Of code points without a class every 61st; `python -m benchmarks.bpe_encoding` has them all.
    """
    kinds = expand_runs(KINDS, np.uint8)
    codes = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000 and (kinds[c] or c % 61 == 0)]
    for begin in range(0, len(codes), 20_000):
        data = "".join(map("a{0}b {0} 1{0}2'{0}.\n{0}\nx".format, codes[begin : begin + 20_000])).encode()
        assert cut(pretokenizer, data) == plain.pretokens(pretokenizer, data), f"code points from {codes[begin]!r}"


def test_long_runs_overflow_nothing():
    for pretokenizer in NAMES:
        for text in (" " * 1_000_000, "\n" * 1_000_000, "a" * 1_000_000, "👩\u200d" * 200_000):
            assert pretokenize(Ragged.from_strings([text]), pretokenizer).offsets[-1] == len(text.encode())


def test_a_document_of_a_million_characters_has_more_time():
    assert cut("regex:a+", b"a" * 1_000_000) == [b"a" * 1_000_000]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+b"])
def test_a_pattern_that_backtracks_is_stopped_in_one_line(pattern):
    texts = Ragged.from_strings(["a" * 5000 + "!"])
    with pytest.raises(RecipeError, match=r"took over 1 s for a document of 5,001 characters.*regex/6:PATTERN"):
        pretokenize(texts, f"regex/1:{pattern}")


def test_a_limit_of_time_is_no_part_of_the_pattern():
    texts = Ragged.from_strings(["one two", ""])
    for one, other in zip(pretokenize(texts, "regex/7: ?[a-z]+"), pretokenize(texts, "regex: ?[a-z]+"), strict=True):
        assert one.tolist() == other.tolist()


def test_what_is_no_split_is_said():
    with pytest.raises(RecipeError, match="gpt2"):
        pretokenize(Ragged.from_strings(["a"]), "gpt3")
    with pytest.raises(RecipeError):
        pretokenize(Ragged.from_strings(["a"]), "regex:(")


@given(st.text(st.sampled_from("a1²½é 9٣в\n")))
def test_falcons_digits_are_bytes(text):
    """A byte is a number if its character is: `tokenizers` splits text that is written a character per byte."""
    from tokenizers import pre_tokenizers

    steps = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), pre_tokenizers.Digits(False)]
    theirs = [len(piece) for piece, _ in pre_tokenizers.Sequence(steps).pre_tokenize_str(text)] if text else []
    assert [len(piece) for piece in cut("byte_digits", text.encode())] == theirs


@given(TEXT)
def test_a_sequence_splits_the_parts_of_the_one_before(text):
    from tokenizers import pre_tokenizers

    theirs = pre_tokenizers.Sequence([plain.by_tokenizers(name) for name in ("punctuation", "each_digit", "gpt2")])
    data = text.encode()
    found = [data.decode()[a:b] for _, (a, b) in theirs.pre_tokenize_str(text)] if text else []
    assert [piece.decode() for piece in cut("punctuation>each_digit>gpt2", data)] == found


def test_a_sequence_names_the_step_that_is_unknown():
    with pytest.raises(RecipeError, match="no pretokenizer 'digit'; did you mean"):
        pretokenize(Ragged.from_strings(["a"]), "digit>gpt2")
    with pytest.raises(RecipeError, match="no pretokenizer 'bert'"):
        pretokenize(Ragged.from_strings(["a"]), "bert>gpt2")
