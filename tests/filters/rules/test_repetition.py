"""Repeats and Gopher's rules on them: against the twin, and the smallest documents on both sides of each line."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.decide import decide
from gristmill.filters.rules.repetition import Repetition
from gristmill.filters.text.repeated_ngrams import intern_keys, table_for
from gristmill.pipelines.ragged import Ragged
from tests.reference import repetition as reference

FEW_WORDS = st.lists(
    st.sampled_from(["a", "b", "cc", "a b", "é", "字", ".", "...", "\n", "\n\n", "a b c\n"]), max_size=60
)
TEXTS = st.lists(st.one_of(FEW_WORDS.map(" ".join), FEW_WORDS.map("".join), st.text(max_size=20)), max_size=4)


def measure(*texts: str) -> pl.DataFrame:
    return Repetition().measure(Batch(Ragged.from_strings(list(texts))))


@given(TEXTS)
def test_shares_are_those_of_the_reference(texts):
    batch = Batch(Ragged.from_strings([text.encode("utf-8", "surrogatepass") for text in texts]))
    words, measured = batch.words, Repetition().measure(batch)
    for row in range(len(texts)):
        span = slice(words.offsets[row], words.offsets[row + 1])
        found = zip(*(column[span] for column in (words.start, words.end, words.length, words.flags)), strict=True)
        expected = reference.shares([(batch.text.data[a:b].tobytes(), int(n), int(flags)) for a, b, n, flags in found])
        assert measured.row(row, named=True) == pytest.approx(expected)


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 40), max_size=400))
def test_equal_keys_get_equal_numbers(keys):
    distinct = np.empty(len(keys), np.uint64)
    counts, numbers = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
    array = np.array(keys, np.uint64)
    total = intern_keys(array, len(keys), table_for(len(keys)), distinct, counts, numbers)
    assert (numbers.tolist(), counts[:total].tolist()) == reference.numbers(keys)


def test_numbering_grows_its_table():
    keys = np.arange(100_000, dtype=np.uint64) % np.uint64(60_000) << np.uint64(32)
    distinct = np.empty(keys.size, np.uint64)
    counts, numbers = np.empty(keys.size, np.int32), np.empty(keys.size, np.int32)
    assert intern_keys(keys, keys.size, table_for(keys.size), distinct, counts, numbers) == 60_000
    assert np.array_equal(distinct[numbers], keys) and counts[:60_000].sum() == 100_000


@given(TEXTS, TEXTS)
def test_documents_do_not_see_their_neighbors(left, right):
    encoded = [[text.encode("utf-8", "surrogatepass") for text in texts] for texts in (left, right)]
    together = measure(*encoded[0], *encoded[1])
    assert together.equals(measure(*encoded[0]).vstack(measure(*encoded[1])))


def unlike(n: int) -> list[str]:
    """So many words of four letters, all different."""
    return [f"{a}{b}{c}x" for a in "abcdefgh" for b in "abcdefgh" for c in "abcdefgh"][:n]


def blocks(n: int, repeats: int, others: int) -> str:
    """``repeats`` times the same n words, and ``others`` seen once, one of them behind each block."""
    same, once = unlike(n), unlike(n + others)[n:]
    return " ".join([*(word for i in range(repeats) for word in (*same, once[i])), *once[repeats:]])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("\n\n".join(["a b", *unlike(6), "a b", "a b"]), None),  # 2 of 9 paragraphs; 4 of 28 characters
        ("\n\n".join(["a", *unlike(3), "a", "a"]), "dup_paragraphs_too_high"),  # 2 of 6
        ("\n\n".join(["one two three", *unlike(3), "one two three"]), "dup_paragraph_chars_too_high"),  # 11 of 34
        ("\n".join(["a b", *unlike(6), "a b", "a b"]), None),
        ("\n".join(["a", *unlike(3), "a", "a"]), "dup_lines_too_high"),
        ("\n".join(["one two three", *unlike(3), "one two three"]), "dup_line_chars_too_high"),
        ("\n\n\n".join(unlike(20)), None),  # blank lines are no lines
        (blocks(2, 3, 24), None),  # 6 of 30 words: 0.2
        (blocks(2, 3, 23), "top_2_gram_too_high"),
        (blocks(3, 3, 41), None),  # 9 of 50 words: 0.18
        (blocks(3, 3, 40), "top_3_gram_too_high"),
        (blocks(4, 2, 42), None),  # 8 of 50 words: 0.16
        (blocks(4, 2, 41), "top_4_gram_too_high"),
        ("", None),
        ("word", None),
        (" ".join(unlike(5)), None),  # an n-gram that comes once repeats nothing
    ],
)
def test_each_rule_holds_on_both_sides_of_its_line(text, rule):
    batch = Batch(Ragged.from_strings([text]))
    broken = decide(Repetition(), Repetition().measure(batch), Repetition().profile_of(None, batch.text.rows))[0]
    assert (broken[0]["rule"] if len(broken) else None) == rule


@pytest.mark.parametrize("n", range(5, 11))
def test_repeated_n_grams_count_without_their_first(n):
    threshold = getattr(Repetition(), f"max_dup_{n}_grams")
    for others, breaks in (round(n / threshold - 2 * n + 1), False), (round(n / threshold - 2 * n - 1), True):
        text = blocks(n, 2, others)
        measured = measure(text)[f"dup_{n}_grams"].item()
        assert measured == n / (2 * n + others)
        rules = decide(Repetition(), measure(text), np.array([""], object))[0].to_list()
        assert (f"dup_{n}_grams_too_high" in [rule["rule"] for rule in rules]) == breaks


def test_overlapping_top_n_grams_cover_no_more_than_all():
    assert measure("a a a a a").row(0, named=True)["top_2_gram"] == 1.0
