"""BPE-dropout is the paper's, drawn the same for every batch; nothing dropped is BPE, all dropped single symbols."""

from itertools import count

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.hashing import W0, W1, mix
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.encode.bpe_dropout import bernoulli, merge_some
from gristmill.tokenizers_lab.encode.merge_table import merge_table
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from tests.reference import bpe_dropout as plain
from tests.tokenizers_lab.encode.test_bpe_encoding import ODD, TEXT, merges_and_text, trained


def listed(rows):
    return [rows.data[rows.offsets[i] : rows.offsets[i + 1]].tolist() for i in range(rows.rows)]


@pytest.fixture(scope="module")
def bpe():
    return Tokenizer(trained("gpt2"))


@given(merges_and_text(), st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]), st.integers(0, 2**64 - 1))
def test_merges_are_passed_over_as_the_paper_has_it(case, chance, key):
    merges, symbols = case
    ranks = {}
    for rank, (left, right, whole) in enumerate(merges):
        ranks.setdefault((left, right), (rank, whole))
    tosses = count()
    expected = plain.merge(symbols, ranks, lambda: bernoulli(np.uint64(key), next(tosses)) < chance)
    room, n = np.array([*symbols, 0], np.int32), len(symbols)
    table = merge_table(*np.array(merges, np.int32).reshape(-1, 3).T)
    work = np.empty((3, n + 1), np.int32), np.empty((2, 3 * n), np.int64)
    ranks_, before, after = work[0]
    kept, draws = merge_some(room, ranks_, n, *table, *work[1], before, after, chance, np.uint64(key), 0)
    assert room[:kept].tolist() == expected
    assert draws == next(tosses)


@given(st.lists(st.text() | st.sampled_from(ODD), max_size=4), st.floats(0, 1), st.integers(0, 2**64 - 1))
def test_the_text_comes_back_and_is_cut_alike_in_every_batch(bpe, texts, chance, seed):
    text = Ragged.from_strings(texts)
    together = bpe.encode_dropout(text, chance, seed)
    assert listed(bpe.decode(together)) == listed(text)
    for row in range(text.rows):
        alone = bpe.encode_dropout(Ragged.from_strings([texts[row]]), chance, seed, np.array([row]))
        assert listed(alone) == [listed(together)[row]]


def test_a_chance_of_none_is_bpe_and_of_one_its_bytes(bpe):
    text = Ragged.from_strings([TEXT, *ODD])
    assert listed(bpe.encode_dropout(text, 0.0, 1)) == listed(bpe(text))
    assert bpe.encode_dropout(text, 1.0, 1).data.size == text.data.size


def test_nearly_as_much_is_passed_over_as_by_tokenizers(bpe):
    """There merges passed over come back when a stale entry is met, too, which makes 1 % fewer ids at 0.1."""
    theirs = tokenizers.Tokenizer.from_str(to_huggingface(bpe.model).decode())
    texts = [TEXT] * 300
    for chance, error in ((0.1, 0.03), (0.5, 0.02), (0.9, 0.01)):
        theirs.model.dropout = chance
        wanted = sum(len(theirs.encode(text).ids) for text in texts)
        found = bpe.encode_dropout(Ragged.from_strings(texts), chance, 3).data.size
        assert found == pytest.approx(wanted, rel=error)
    assert wanted > 1.3 * bpe(Ragged.from_strings(texts)).data.size


@njit
def toss(seeds, times):
    found = np.empty((seeds.size, times))
    for row in range(seeds.size):
        for n in range(times):
            found[row, n] = bernoulli(mix(seeds[row] ^ W0, W1), n)
    return found


def test_coins_are_even():
    tosses = toss(np.arange(20, dtype=np.uint64), 500)
    share = np.histogram(tosses, 10, (0, 1))[0] / tosses.size
    assert np.abs(share - 0.1).max() < 0.015


def test_what_has_no_merges_and_what_is_no_probability_are_refused(bpe):
    with pytest.raises(RecipeError, match="0 to 1; found 2"):
        bpe.encode_dropout(Ragged.from_strings(["a"]), 2, 0)
    counts = count_words([Ragged.from_strings([TEXT])], "bert")
    wordpiece = Tokenizer(train(counts, TokenizerSettings(algorithm="wordpiece", vocab_size=220)))
    with pytest.raises(RecipeError, match="wordpiece has none"):
        wordpiece.encode_dropout(Ragged.from_strings(["a"]), 0.1, 0)
