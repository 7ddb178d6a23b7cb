from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.exact.normalize import hash_normalized
from gristmill.dedup.near.minhash import minhash_signatures
from gristmill.dedup.near.shingle_letters import letters
from gristmill.dedup.near.shingles import is_spaceless, shingle_sets
from gristmill.pipelines.ragged import Ragged
from tests.reference import shingles as reference

words = st.sampled_from(["a", "b", "Über", "ΟΔΟΣ", "οδος", "x_1", "12", "\u0301", "-", "\u2028", "\r", "\0", "🙂", "İ"])
spaceless = st.sampled_from(list("漢字かナก์ၐ  Aé。"))
texts = st.one_of(
    st.text(max_size=40), st.lists(words, max_size=30).map(" ".join), st.lists(spaceless, max_size=30).map("".join)
)


@given(st.lists(texts, max_size=5), st.integers(1, 6), st.integers(1, 9))
def test_sets_answer_as_the_reference(texts, words, characters):
    sets = shingle_sets(Ragged.from_strings(texts), words, characters)
    slow = [reference.shingles(text, words, characters) for text in texts]
    fast = [set(sets.data[a:b].tolist()) for a, b in pairwise(sets.offsets)]
    assert np.diff(sets.offsets).tolist() == [len(s) for s in slow]
    for i in range(len(texts)):
        for j in range(i):
            if reference.is_spaceless(texts[i]) == reference.is_spaceless(texts[j]):
                assert len(fast[i] & fast[j]) == len(slow[i] & slow[j])


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_damaged_text_is_read_to_its_end(rows):
    together = shingle_sets(Ragged.from_strings(rows))
    alone = [shingle_sets(Ragged.from_strings([row])).data for row in rows]
    assert together.data.tolist() == [hash for data in alone for hash in data.tolist()]


def sets_of(*texts):
    sets = shingle_sets(Ragged.from_strings(list(texts)))
    return [sets.data[a:b].tolist() for a, b in pairwise(sets.offsets)]


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ("one two three four five", "One, two;\nthree FOUR five!", True),
        ("one two three four five", "one two three four six", False),
        ("price 1 2 3 4", "price 1 2 3 5", False),  # digits count
        ("short text", "Short text.", True),  # fewer than five words are one shingle
        ("short text", "short text too", False),
        ("don't", "don t", True),
        ("東京都は日本の首都", "東京都は日本の首部", False),
        ("ab cd", "abc d", False),
        ("", "...", True),  # neither has any
    ],
)
def test_what_counts_as_the_same_shingle(left, right, equal):
    left, right = sets_of(left, right)
    assert (left == right) is equal


@pytest.mark.parametrize(("words", "count"), [(1, 1), (4, 1), (5, 1), (6, 2), (7, 3)])
def test_a_window_fills_up_at_five_words(words, count):
    (hashes,) = sets_of(" ".join(f"w{i}" for i in range(words)))
    assert len(hashes) == count


@pytest.mark.parametrize(("characters", "count"), [(1, 1), (7, 1), (8, 1), (9, 2), (10, 3)])
def test_a_window_fills_up_at_eight_characters(characters, count):
    (hashes,) = sets_of("".join(chr(0x4E00 + i) for i in range(characters)))
    assert len(hashes) == count


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", False),
        ("漢", True),
        ("漢a", False),  # one of two is not most
        ("漢字a", True),
        ("漢字é", True),
        ("漢é", False),
        ("漢字a1", False),
        ("漢字漢a1", True),
        ("\u0e00\u0e01", True),  # the first Thai letter, behind a place that has none
        ("\u0dffa", False),
        ("。。。a", False),  # marks are no letters
        ("…漢", True),
        ("aé漢字漢", True),
        ("аб漢字", False),
        ("аб漢字漢", True),
    ],
)
def test_most_letters_decide_the_kind_of_shingle(text, answer):
    data = np.frombuffer(text.encode(), np.uint8)
    assert is_spaceless(data, 0, data.size, letters()) == answer == reference.is_spaceless(text)


def test_shingles_are_sorted_and_distinct():
    (hashes,) = sets_of("a b c " * 100)
    assert hashes == sorted(set(hashes)) and len(hashes) == 3


def test_hashes_are_those_of_saved_indices():
    """An index that was saved holds signatures and hashes: other ones would find none of its documents."""
    text = Ragged.from_strings(["One two three four five.", "一つの袋に小麦粉"])
    assert shingle_sets(text).data.tolist() == [0x3C7138C0CC80F51A, 0x9E836B4D8CE51A68]
    signatures, _ = minhash_signatures(text, num_perm=16)
    assert signatures[:, 0].tolist() == [3931184545, 2051330670]
    assert signatures.sum(axis=1, dtype=np.uint64).tolist() == [39445049079, 38804928301]
    high, low = hash_normalized(*text, True)
    assert high.tolist() == [0xE7A06347A301733F, 0x4B0397523C228C1E]
    assert low.tolist() == [0x381DEB3B3F6AE374, 0x68221A3C876D18CF]
