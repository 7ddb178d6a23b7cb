"""What is measured of a tokenizer, on texts small enough to count by hand."""

import numpy as np
import pytest

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.evaluate import gini, habits, measure, renyi
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.tokenizer import Tokenizer

BYTES = [bytes([b]) for b in range(256)]
# " a" and " ab" are pieces, and "bc", which " abc" never comes to
BPE = Model("bpe", "gpt2", [*BYTES, b" a", b" ab", b"bc"], np.array([(32, 97, 256), (256, 98, 257), (98, 99, 258)]))
UNIGRAM = Model(
    "unigram",
    "metaspace",
    [b"<unk>", *(piece.encode() for piece in ("▁ab", "▁", "a", "b", "c"))],
    scores=np.array([0, -1, -3, -3, -3, -3], np.float32),
    special={"<unk>": 0},
    roles={"unknown": "<unk>"},
    normalizers=("prefix", "escape"),
)


def test_counted_by_hand():
    told = measure(Tokenizer(BPE), Ragged.from_strings([" ab ab", " abc", ""]), ["en", "de", "de"])
    assert told["tokens"] == 4  # " ab", " ab"; " ab", "c"
    assert told["bytes_per_token"] == told["characters_per_token"] == 10 / 4
    assert (told["fertility"], told["single_token_words"]) == (pytest.approx(4 / 3), pytest.approx(2 / 3))
    assert told["used"] == 2 / 259 and told["unreachable"] == 0 and told["exact"] == 1 and told["unknown"] == 0
    assert told["languages"] == {"en": 3, "de": 2} and told["worst_language"] == "de"
    assert sum(told["costs"].values()) == pytest.approx(2) and 0 < told["gini"] < 0.5 and told["rare"] == 1
    assert (told["digits"], told["spaces"], told["superwords"]) == ("1|2|3|4|5|6|7", 1, 0)


def test_a_word_is_whole_where_the_tokenizer_itself_puts_a_space_before_it():
    told = measure(Tokenizer(UNIGRAM), Ragged.from_strings(["ab ab x"]), [""])
    assert told["single_token_words"] == pytest.approx(2 / 3)
    assert told["unknown"] > 0 and told["languages"] == {} and told["worst_language"] is None


def test_pieces_that_nothing_comes_to_are_dead():
    other_way = np.array([(98, 99, 256), (97, 98, 257), (257, 99, 258)])  # "bc" comes first, so "abc" by "ab" never
    model = Model("bpe", "gpt2", [*BYTES, b"bc", b"ab", b"abc"], other_way)
    assert measure(Tokenizer(model), Ragged.from_strings(["x"]), [""])["unreachable"] == 1


def test_nothing_to_measure_gives_zeros():
    told = measure(Tokenizer(BPE), Ragged.from_strings(["", ""]), ["", ""])
    assert told["tokens"] == told["bytes_per_token"] == told["fertility"] == told["renyi"] == 0


def test_habits_are_seen_in_the_pieces():
    pieces = [*BYTES, b"12", b"   ", b" of the", "▁▁▁▁".encode()]
    told = habits(Tokenizer(Model("bpe", "o200k", pieces, np.array([(49, 50, 256)]))))
    assert told == {"digits": "12|3|4|5|6|7", "spaces": 4, "superwords": 1}


def test_gini_is_none_for_equal_costs_and_half_where_one_of_two_has_all():
    assert gini([]) == gini([3]) == gini([2, 2, 2]) == 0
    assert gini([0, 1]) == pytest.approx(1 / 2) and gini([1, 3]) == gini([3, 1]) == pytest.approx(1 / 4)


def test_renyi_entropy_is_one_for_equal_use_and_none_for_one_piece():
    assert renyi(np.array([5, 5, 5, 5])) == pytest.approx(1)
    assert renyi(np.array([9, 0, 0, 0])) == 0
    assert 0 < renyi(np.array([9, 1, 0, 0])) < renyi(np.array([5, 5, 0, 0])) < 1
