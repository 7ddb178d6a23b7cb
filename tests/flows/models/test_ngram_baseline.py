"""The n-gram baseline answers as the slow twin does, and its probabilities add up to 1."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import modified_kneser_ney as reference

from gristmill.filters.ngram.discounts import FALLBACK
from gristmill.filters.ngram.train import NGramSettings, train_on_ids
from gristmill.flows.models.ngram_baseline import _parameters, _stream, ngram_row, score_tokens
from gristmill.pretrain.data.batches import TokenSplit

VOCABULARY = 6
documents = st.lists(st.lists(st.integers(0, VOCABULARY - 1), max_size=12), min_size=1, max_size=6).filter(any)


def tokens_of(rows, bos=None):
    rows = [row if bos is None or not row else [bos, *row] for row in rows]
    flat = np.array([i for row in rows for i in row], np.uint16)
    ends = np.cumsum([len(row) for row in rows])
    return TokenSplit(payloads=(flat,), ends=ends, bytes=np.ones(len(rows), np.int64), vocab_size=VOCABULARY, bos=bos)


def trained(rows, order, bos=None):
    settings = NGramSettings(order=order, discount_fallback=list(FALLBACK))
    return train_on_ids([_stream(tokens_of(rows, bos))], VOCABULARY, settings, "tokens")


@given(documents, documents, st.integers(1, 4), st.sampled_from([None, 5]))
def test_it_answers_as_the_reference(seen, unseen, order, bos):
    found = score_tokens(trained(seen, order, bos), tokens_of(unseen, bos))
    twin = reference.Model([row for row in seen if row], order, FALLBACK, words=range(VOCABULARY), ends=False)
    expected = [
        -sum(math.log(twin.probability([reference.BEGIN, *row[:i]], token)) for i, token in enumerate(row))
        for row in unseen
    ]
    assert found.nats == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert found.tokens.tolist() == [len(row) for row in unseen]


@given(documents, st.lists(st.integers(0, VOCABULARY - 1), max_size=5), st.integers(1, 4))
def test_probabilities_of_all_tokens_and_both_marks_add_up_to_1(seen, context, order):
    model = trained(seen, order)
    ids = [0, 2, *range(3, VOCABULARY + 3)]  # all but BEGIN
    last = [10 ** model.score(np.array([1, *(i + 3 for i in context), id], np.uint32))[-1] for id in ids]
    assert sum(last) == pytest.approx(1.0, abs=1e-5)


def test_what_was_seen_often_is_cheap():
    model = trained([[0, 1, 2, 3] * 50], 3)
    nats = -math.log(10) * model.score(_stream(tokens_of([[0, 1, 2, 3, 0, 1, 2, 5]])))[1:]
    assert nats[2:7].max() < 0.1 and nats[7] > 3


def test_parameters_are_probabilities_and_back_offs():
    grams = {1: VOCABULARY + 3, 2: 4, 3: 3}  # <s> 0, 0 1, 1 2, 2 0; <s> 0 1, 0 1 2, 1 2 0
    assert _parameters(trained([[0, 1, 2, 0]], 3)) == 2 * grams[1] + 2 * grams[2] + grams[3]


def test_its_row_has_the_tokens_and_the_bytes_of_the_validation_split():
    split = dataclasses.replace(tokens_of([[1, 2, 3], [], [2, 3]], bos=0), bytes=np.array([10, 0, 5]))
    row = ngram_row(split, split)
    assert row["model"] == "4-gram" and row["tokens"] == 5
    nats = score_tokens(trained([[1, 2, 3], [2, 3]], 4, bos=0), split).nats.sum()
    assert row["bits_per_byte"] == pytest.approx(nats / math.log(2) / 15)
