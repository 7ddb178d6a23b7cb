"""Three named variants of Gopher: the smallest documents on both sides of their lines."""

import numpy as np
import pytest

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.registry import VARIANTS
from gristmill.pipelines.ragged import Ragged


def measure(name, variant, text):
    (row,) = VARIANTS[name][variant]().measure(Batch(Ragged.from_strings([text]))).to_dicts()
    return row


def broken(name, variant, text):
    rule_set, batch = VARIANTS[name][variant](), Batch(Ragged.from_strings([text]))
    return [rule["rule"] for rule in decide(rule_set, rule_set.measure(batch), np.array([""], object))[0].to_list()]


LETTERS = "abcdefghijklmnopqrstuvwxyz"
BLANK = ["words_too_low", "word_length_too_low", "alpha_words_too_low"]
PROSE = " ".join(f"mill{letter} grain{letter}" for letter in LETTERS)  # 52 words, none alike


@pytest.mark.parametrize(
    ("variant", "column", "text", "value"),
    [
        ("nemo", "words", "don't - stop", 3),
        ("nemo", "hash_ratio", "# ... read more", 0.5),  # "read more" is two words, neither a symbol
        ("nemo", "hash_ratio", "## #a (...) […]", 0.5),
        ("nemo", "bullet_lines", "• a\n * b\n\n - c\n◦d", 0.5),
        ("nemo", "ellipsis_lines", "a ...\nb Read More\nc -» \nd.", 0.75),
        ("nemo", "alpha_words", "a 1 漢 - é", 0.6),
        ("nemo", "stop_words", "the the The", 2),
        ("rpv2", "words", "Don't - stop 3.5!", 3),
        ("rpv2", "word_length", "Don't é", 3.0),  # dont; e and its accent
        ("rpv2", "hash_ratio", "a # b ... c …", 0.5),  # of six tokens
        ("rpv2", "bullet_lines", "– a\n\n• b\n- c", 0.5),
        ("rpv2", "ellipsis_lines", "a... \nb…\n\nc", 0.5),
        ("rpv2", "alpha_words", "a 漢 b2 3.", 0.4),
        ("rpv2", "stop_words", "the", 0),
        ("paper", "words", "Don't - stop 3.5!", 4),
        ("paper", "word_length", "ab é", 1.5),
        ("paper", "hash_ratio", "#a # b ...", 0.5),
        ("paper", "ellipsis_ratio", "#a … b ...", 0.5),
        ("paper", "bullet_lines", "• a\n * b\n\n - c\nd", 0.75),
        ("paper", "alpha_words", "a 1 漢 -", 0.5),
        ("paper", "stop_words", "The the THE of", 2),
    ],
)
def test_what_gopher_measures(variant, column, text, value):
    assert measure("gopher", variant, text)[column] == pytest.approx(value)


@pytest.mark.parametrize(
    ("variant", "column", "text", "value"),
    [
        ("nemo", "unique_lines", "a\n\nb\na\nc", 0.75),
        ("nemo", "unique_line_chars", "aa\nb\naa", 0.6),
        ("nemo", "unique_paragraphs", "a\n\nb\n\na\n\nb", 0.5),
        ("nemo", "unique_paragraph_chars", "aaa\n\nb\n\naaa", 4 / 7),
        ("nemo", "top_2_gram", "a b a b c", 6 / 9),
        ("nemo", "top_2_gram", "a bc a b a b", 9 / 12),  # in "a bc" too
        ("nemo", "top_2_gram", "a", 1.0),
        ("nemo", "top_3_gram", "a b\nc", 0.0),  # joined by a space it is not in the text
        ("nemo", "dup_5_grams", "a b c d e a b c d e", 9 / 19),
        ("nemo", "dup_5_grams", "a a a a a a a", 11 / 13),  # the copy of five and one word more, with its space
        ("nemo", "dup_5_grams", "a b c d", 1.0),
        ("rpv2", "top_2_gram", "a b, A b c", 4 / 5),
        ("rpv2", "top_2_gram", "a b c d", 0.0),
        ("rpv2", "dup_5_grams", "a b c d e f a b c d e", 10 / 11),
        ("rpv2", "dup_5_grams", "a a a a a a", 1.0),
        ("rpv2", "dup_lines", "a\na", 0.0),
        ("paper", "dup_lines", "a\nb\n\na \nc", 0.5),
        ("paper", "dup_line_chars", "aa\nb\naa", 0.8),
        ("paper", "dup_paragraphs", "a\nb\n\nc\n\na\nb", 2 / 3),
        ("paper", "top_2_gram", "a b a b c", 4 / 5),
        ("paper", "top_2_gram", "a b", 0.0),
        ("paper", "dup_5_grams", "a b c d e f a b c d e", 10 / 11),
    ],
)
def test_what_repetition_measures(variant, column, text, value):
    assert measure("repetition", variant, text)[column] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "variant", "text", "rules"),
    [
        ("gopher", "nemo", "", [*BLANK, "stop_words_too_low"]),
        ("gopher", "rpv2", "", BLANK),
        ("gopher", "paper", "", [*BLANK, "stop_words_too_low"]),
        ("gopher", "rpv2", PROSE, []),
        ("gopher", "nemo", PROSE + " the of", []),
        ("gopher", "nemo", PROSE + " The of", ["stop_words_too_low"]),
        ("gopher", "paper", PROSE + " The of", []),
        ("gopher", "paper", PROSE + " The the", ["stop_words_too_low"]),
        ("repetition", "rpv2", "a\na\na", ["top_2_gram_too_high"]),  # a a comes twice: 4 of 3 characters
        ("repetition", "nemo", PROSE + "\nx\nx\ny", []),  # 3 of 4 lines differ
        ("repetition", "nemo", PROSE + "\nx\nx\nx\ny", ["unique_lines_too_low"]),  # 3 of 5
        ("repetition", "paper", PROSE + "\nx\nx", ["dup_lines_too_high"]),  # 2 of 3
        ("repetition", "paper", "", []),
        ("repetition", "rpv2", "", []),
    ],
)
def test_which_rules_break(name, variant, text, rules):
    assert broken(name, variant, text) == rules


@pytest.mark.parametrize("variant", ["nemo", "rpv2", "paper"])
def test_any_text_is_measured(variant):
    texts = ["", "\0", "\u2028\r", "漢字" * 50, "é́ \n\n\n x", "🙂 " * 9]
    for name in ("gopher", "repetition"):
        frame = VARIANTS[name][variant]().measure(Batch(Ragged.from_strings(texts)))
        assert frame.height == len(texts) and frame.null_count().sum_horizontal()[0] == 0
        assert not any(np.isnan(frame[column].to_numpy().astype(float)).any() for column in frame.columns)
