"""Pre-tokens are looked up in blocks: ids are those of each pre-token alone, wherever a block, line or text ends."""

import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.encode.cache import LINE_BYTES, LONG_BYTES, PretokenCache, insert_long
from gristmill.tokenizers_lab.encode.encoder import BLOCK, SMALL
from gristmill.tokenizers_lab.pretokenize import pretokenize
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from tests.reference import bpe as plain

WORDS = [
    "a",
    "the",
    " the",
    " mill",
    "é",
    "漢字",
    "🙂",
    "'s",
    " 1234",
    "\n",
    "    ",
    *("ab" * n for n in (7, 8, 9, 128, 130)),
]
WORDS += ["x" * n for n in (LINE_BYTES - 1, LINE_BYTES, LINE_BYTES + 1, LONG_BYTES, LONG_BYTES + 1)]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=100).map("".join) | st.text(max_size=5), max_size=5)


@pytest.fixture(scope="module", params=["gpt2", "o200k", "regex:[a-z]+|[^a-z]+", "each_digit>gpt2"])
def model(request):
    counts = count_words([Ragged.from_strings([" the mill's mills ground; ab abab 1234 漢字 é" * 5])], request.param)
    settings = TokenizerSettings(pretokenizer=request.param, vocab_size=320, bpe=BpeSettings(allow_smaller=True))
    return train(counts, settings)


def one_by_one(model, text):
    """Return the ids of a text, each pre-token merged by the definition."""
    first = {piece[0]: id for id, piece in enumerate(model.pieces) if len(piece) == 1}
    ranks = {}
    for rank, (left, right, whole) in enumerate(model.merges.tolist()):
        ranks.setdefault((left, right), (rank, whole))
    data = text.encode()
    ends = pretokenize(Ragged.from_strings([data]), model.pretokenizer).offsets.tolist()
    return [id for a, b in pairwise(ends) for id in plain.merge([first[byte] for byte in data[a:b]], ranks)]


@given(TEXTS)
@example([])
@example(["", "a", ""])
@example(["a"] * (BLOCK + 1))
@example(["a b" * BLOCK, "", " the" * (2 * BLOCK + 1)])
@example(["x" * SMALL, "y" * (SMALL + 1)])
def test_ids_are_those_of_each_pre_token(model, texts):
    tokenizer, expected = Tokenizer(model), [one_by_one(model, text) for text in texts]
    for _ in ("new", "cached"):
        assert tokenizer.to_lists(tokenizer(Ragged.from_strings(texts))) == expected
        assert [tokenizer.encode(text) for text in texts] == expected


@given(TEXTS)
def test_a_table_that_grows_or_is_emptied_in_a_block_changes_nothing(model, texts):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gristmill.tokenizers_lab.encode.encoder.MIN_LINES", 4)
        patch.setattr("gristmill.tokenizers_lab.encode.cache.MAX_LINES", 16)
        tokenizer = Tokenizer(model)
        for _ in range(2):
            assert tokenizer.to_lists(tokenizer(Ragged.from_strings(texts))) == [one_by_one(model, t) for t in texts]
            assert [tokenizer.encode(text) for text in texts] == [one_by_one(model, text) for text in texts]


def test_a_growing_table_keeps_its_short_entries(model):
    encoder = Tokenizer(model)._encode
    encoder(Ragged.from_strings(["the mill the mills 1 2 3"]))
    before, after = encoder.buffers.cache, encoder.buffers.cache.larger()
    assert after.lines.size == 4 * before.lines.size and after.lines.ctypes.data % 64 == 0
    assert after.used.tolist() == [before.used[0], 0]
    rows = [lines.reshape(-1, 4)[lines.reshape(-1, 4)[:, 1] != 0] for lines in (before.lines, after.lines)]
    assert rows[0].size and np.array_equal(*(each[np.lexsort(each.T)] for each in rows))


def test_a_row_of_the_cache_always_has_room_for_the_longest_entry():
    for letters, full in ((LONG_BYTES, [False, True]), (0, [False, False, True])):  # with as many ids, or without any
        cache, data = PretokenCache.empty(64, np.dtype(np.uint16)), np.zeros(LONG_BYTES, np.uint8)
        tables = cache.slots, cache.places, cache.text, cache.known, cache.used
        ids = np.zeros(LONG_BYTES, np.int32)
        assert [insert_long(data, 0, LONG_BYTES, *tables, slot, ids, letters) for slot in range(len(full))] == full


@pytest.mark.parametrize(
    "texts",
    [
        ["abcdefghi", "jkl mn\r\n mno mno", "abcdefghijkl mn\r\n mno mno"],  # 16 bytes alike, at which others end
        [" mill mint milled minted milling minting millstone mintmaster"],  # as long, and alike at first
    ],
)
def test_pre_tokens_that_begin_alike_are_told_apart(model, texts):
    tokenizer = Tokenizer(model)
    for _ in range(2):
        assert tokenizer.to_lists(tokenizer(Ragged.from_strings(texts))) == [one_by_one(model, t) for t in texts]


def test_a_pre_token_has_one_line_whatever_follows_it(model):
    text = Ragged.from_strings(["".join(f" mill {letter}" for letter in "abcdefgh") + " mill" * 8])
    ends = pretokenize(text, model.pretokenizer).offsets.tolist()
    different = {text.data[a:b].tobytes() for a, b in pairwise(ends) if a + 16 <= text.data.size}
    encoder = Tokenizer(model)._encode
    encoder(text)
    assert encoder.buffers.cache.used[0] == len(different)


def test_the_vocabulary_is_cached_by_the_first_large_text(model):
    tokenizer, text = Tokenizer(model), "the mill" * 1000
    assert not tokenizer._encode.buffers.cache.used.any()
    assert tokenizer.encode(text) == one_by_one(model, text)
    assert tokenizer._encode.buffers.cache.used[0] > 256


def test_threads_have_caches_of_their_own(model):
    tokenizer, texts = Tokenizer(model), [f"the mill {n} " * 50 for n in range(64)]
    expected = [one_by_one(model, text) for text in texts]
    with ThreadPoolExecutor(4) as threads:
        assert [*threads.map(tokenizer.encode, texts)] == expected
        assert [
            ids.data.tolist() for ids in threads.map(lambda t: tokenizer(Ragged.from_strings([t])), texts)
        ] == expected


def test_an_encoder_is_pickled_without_its_cache(model):
    tokenizer = Tokenizer(model)
    ids = tokenizer.encode("the mill")
    again = pickle.loads(pickle.dumps(tokenizer._encode))
    assert again.encode_text(b"the mill").tolist() == ids and tokenizer._encode.buffers.cache.used.any()


def test_a_cache_takes_54_bytes_per_line():
    cache, lines = PretokenCache.empty(1 << 16, np.dtype(np.uint16)), 1 << 16
    arrays = (cache.lines, cache.slots, cache.places, cache.text, cache.known)
    assert sum(array.nbytes for array in arrays) / lines == pytest.approx(54, abs=0.1)
