"""Importance weights are those of counting n-grams one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference import importance as reference

from gristmill.filters.core.batch import Batch
from gristmill.filters.importance.dsir import EMPTY_WEIGHT, HashedNgrams, log_weights
from gristmill.pipelines.ragged import Ragged

texts = st.lists(st.text(alphabet="ab cé字\n\0\u2028😀", max_size=12) | st.text(max_size=8), max_size=6)


def batch(documents):
    return Batch(Ragged.from_strings(documents))


def hashes(one):
    return [part.tolist() for part in np.split(one.words.hash, one.words.offsets[1:-1])] if one.text.rows else []


@given(texts, texts, st.integers(1, 3), st.sampled_from([2, 7, 100]))
def test_weights_are_those_of_the_twin(target, raw, ngrams, buckets):
    bags = []
    for documents in (target, raw):
        bags.append(HashedNgrams(buckets, ngrams))
        bags[-1].add(batch(documents))
    corpus = batch(raw)
    found, grams = log_weights(corpus.words, *bags)
    shares = [reference.shares(hashes(batch(documents)), ngrams, buckets) for documents in (target, raw)]
    expected = [reference.log_weight(each, *shares, ngrams) for each in hashes(corpus)]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert grams.tolist() == [len(reference.grams(each, ngrams, buckets)) for each in hashes(corpus)]


def test_a_bag_adds_up_and_documents_do_not_touch():
    whole, parts, joined = (HashedNgrams(1000, 2) for _ in range(3))
    whole.add(batch(["the mill", "the corn"]))
    for text in ("the mill", "the corn"):
        parts.add(batch([text]))
    joined.add(batch(["the mill the corn"]))
    assert np.array_equal(whole.counts, parts.counts)
    assert whole.counts.sum() == 6 and joined.counts.sum() == 7
    assert whole.shares().sum() == pytest.approx(1)


def test_what_is_like_the_target_weighs_more_and_a_blank_nothing():
    target, raw = HashedNgrams(10_000, 2), HashedNgrams(10_000, 2)
    corpus = batch(["the mill grinds corn", "win cash now", " "])
    target.add(batch(["the mill grinds corn in the town"] * 9))
    raw.add(corpus)
    (like, unlike, blank), _ = log_weights(corpus.words, target, raw)
    assert like > 0 > unlike > blank == EMPTY_WEIGHT
