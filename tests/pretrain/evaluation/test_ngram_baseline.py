"""The n-gram model answers as one of dictionaries does, and its probabilities add up to 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.evaluation.ngram import NGram
from tests.reference import kneser_ney as reference

VOCABULARY = 6
documents = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=12), min_size=1, max_size=6).filter(any)


def tokens_of(rows):
    flat = np.array([i for row in rows for i in row], np.uint16)
    ends = np.cumsum([len(row) for row in rows])
    return TokenSplit(payloads=(flat,), ends=ends, bytes=np.ones(len(rows), np.int64), vocab_size=VOCABULARY)


@given(documents, documents, st.integers(1, 4))
def test_it_answers_as_the_reference(seen, unseen, order):
    found = np.exp(-NGram(tokens_of(seen), order).nats(tokens_of(unseen)))
    counts = reference.fit(seen, order)
    expected = [
        reference.probability(counts, VOCABULARY, tuple(row[max(0, i - order + 1) : i]), token)
        for row in unseen
        for i, token in enumerate(row)
    ]
    assert found == pytest.approx(expected, rel=1e-9)


@given(documents, st.lists(st.integers(0, VOCABULARY - 1), max_size=5), st.integers(1, 4))
def test_chances_of_all_tokens_add_up_to_1(seen, context, order):
    grams = NGram(tokens_of(seen), order)
    last = [np.exp(-grams.nats(tokens_of([[*context, token]]))[-1]) for token in range(VOCABULARY)]
    assert sum(last) == pytest.approx(1.0)


def test_what_was_seen_often_is_cheap():
    nats = NGram(tokens_of([[0, 1, 2, 3] * 50]), 3).nats(tokens_of([[0, 1, 2, 3, 0, 1, 2, 5]]))
    assert nats[2:7].max() < 0.1 and nats[7] > 3
