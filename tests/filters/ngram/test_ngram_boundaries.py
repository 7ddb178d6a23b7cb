"""Streams and vocabularies whose sizes lie on both sides of the constants in the n-gram kernels."""

import functools
import math
import random

import numpy as np
import pytest
from reference import modified_kneser_ney as reference

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.score import BATCH_TOKENS
from gristmill.filters.ngram.token_stream import BEGIN
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.ngram.vocabulary import SPECIAL, VocabularyBuilder, build_slots
from gristmill.pipelines.ragged import Ragged

ORDER, FALLBACK = 3, (0.5, 1.0, 1.5)


@functools.cache
def models():
    """Return the trained model, its plain twin, and the id of each word."""
    choose = random.Random(1)
    lines = [choose.choices("abcde", k=choose.randint(1, 8)) for _ in range(40)]
    settings = NGramSettings(order=ORDER, discount_fallback=list(FALLBACK))
    model = train([Batch(Ragged.from_strings(["\n".join(" ".join(line) for line in lines)]))], settings)
    ids = {model.vocabulary.words.row(i).decode(): i for i in range(model.vocabulary.size)}
    return model, reference.Model(lines, ORDER, FALLBACK), ids


@pytest.mark.parametrize("size", [BATCH_TOKENS - 1, BATCH_TOKENS, BATCH_TOKENS + 1, BATCH_TOKENS + 2, 2 * BATCH_TOKENS])
def test_context_and_back_offs_cross_the_end_of_a_scoring_batch(size):
    model, twin, ids = models()
    line = ["<s>", *random.Random(size).choices("abcde", k=size)]
    expected = [math.log10(twin.probability(line[:i], line[i])) for i in range(1, len(line))]
    found = model.score(np.array([ids[word] for word in line], np.uint32))
    np.testing.assert_allclose(found[1:], expected, atol=2e-5)


@pytest.mark.parametrize("size", [BATCH_TOKENS - 2, BATCH_TOKENS - 1, BATCH_TOKENS, BATCH_TOKENS + 1])
def test_a_line_that_begins_at_the_end_of_a_scoring_batch_has_no_earlier_context(size):
    model, _, ids = models()
    first = np.array([BEGIN, *(ids[word] for word in random.Random(3).choices("abcde", k=size - 1))], np.uint32)
    second = np.array([BEGIN, ids["a"], ids["b"], ids["c"]], np.uint32)
    np.testing.assert_array_equal(model.score(np.concatenate((first, second)))[size:], model.score(second))


@pytest.mark.parametrize("words", [32_766, 32_767, 32_768, 32_769, 65_536, 70_000])
def test_a_vocabulary_grows_past_half_of_its_table(words):
    hashes = np.random.default_rng(words).integers(1, 2**64, words, np.uint64)
    text = np.zeros(1, np.uint8)
    builder, start, end = VocabularyBuilder(), np.zeros(words, np.int64), np.ones(words, np.int64)
    assert np.array_equal(builder.add(text, start, end, hashes), np.arange(words))
    again = hashes[::-1].copy()
    assert np.array_equal(builder.add(text, start, end, again), np.arange(words)[::-1])
    assert builder.taken == words and (builder.counts[:words] == 2).all()


@pytest.mark.parametrize("words", [0, 1, 2, 3, 4, 7, 8, 9, 1023, 1024, 1025])
def test_every_word_of_a_table_is_found_and_no_other(words):
    from gristmill.filters.ngram.vocabulary import UNKNOWN, Vocabulary

    hashes = np.random.default_rng(words).integers(1, 2**64, words + 5, np.uint64)
    table = Vocabulary(Ragged.from_strings([]), build_slots(hashes[:words].copy()))
    assert table.ids(hashes).tolist() == [*range(SPECIAL, SPECIAL + words), *[UNKNOWN] * 5]
