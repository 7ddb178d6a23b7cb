"""Merges are those of the plain definition, of tokenizers and of the published examples; vocabularies are extended."""

from itertools import pairwise

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Regex, models, pre_tokenizers, trainers

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.pair_heap import _spelled_before
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings, train_bpe
from gristmill.tokenizers_lab.count.word_counts import WordCounts, count_words
from gristmill.tokenizers_lab.extend import extend
from gristmill.tokenizers_lab.pretokenize import PATTERNS
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from tests.reference import bpe_training as plain

COURSE = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
TEXT = (
    "The miller's mill ground 1,234 sacks of grain; they'd GRIND, wouldn't they?  Ja, natürlich!\n\n\tif x_y == 3:\n"
    "漢字かな交じり文 и русский текст، عربي مُشَكَّل, हिन्दी ภาษาไทย 👩‍👩‍👧 🇩🇪 é\u0301 naïve aaaa aaaaaaa \0\u2028\r"
)
TEXTS = [TEXT * 3, TEXT[::-1], TEXT.upper(), "", "the mill of the miller " * 9]


def spelled(trained):
    return [(trained.pieces[a] + trained.pieces[b]).decode() for a, b in trained.merges.tolist()]


def test_the_course_of_hugging_face():
    settings = BpeSettings(vocab_size=10, alphabet="characters", byte_fallback=False)
    assert spelled(train_bpe(WordCounts.from_dict(COURSE), settings)) == ["ug", "un", "hug"]


@pytest.mark.parametrize("compat", ["minbpe", "tiktoken"])
def test_the_example_of_wikipedia(compat):
    trained = train_bpe(WordCounts.from_dict({"aaabdaaabac": 1}), BpeSettings(vocab_size=259, compat=compat))
    assert spelled(trained) == {"minbpe": ["aa", "aaa", "aaab"], "tiktoken": ["aa", "ab", "aaab"]}[compat]


@given(
    st.dictionaries(st.text("abcé", min_size=1, max_size=12), st.integers(1, 9), min_size=1, max_size=8),
    st.integers(257, 290),
)
@example({"aaaa": 1, "aaaaa": 3}, 262)
@example({"abababab": 2, "baba": 2}, 262)
def test_merges_are_those_of_the_definition(words, target):
    settings = BpeSettings(vocab_size=target, compat="tiktoken", allow_smaller=True)
    trained = train_bpe(WordCounts.from_dict(words), settings)
    expected = plain.train({tuple(word.encode()): count for word, count in words.items()}, 256, target)
    assert np.column_stack((trained.merges, trained.made)).tolist() == [list(merge) for merge in expected]


@pytest.mark.parametrize("length", [1, 2, 30, 31, 32, 33, 63, 64, 65])
def test_words_across_blocks_of_cells_count_as_their_own(length):
    words = {("ab" * length)[:length] + "c": 3, "c" * length: 5, ("abc" * length)[:length]: 7, "q": 1}
    settings = BpeSettings(vocab_size=270, compat="tiktoken", allow_smaller=True)
    trained = train_bpe(WordCounts.from_dict(words), settings)
    expected = plain.train({tuple(word.encode()): count for word, count in words.items()}, 256, 270)
    assert np.column_stack((trained.merges, trained.made)).tolist() == [list(merge) for merge in expected]


@pytest.mark.parametrize("limit", range(1, 7))
def test_no_merge_is_longer_or_rarer_than_allowed(limit):
    words = {"abcdef": 4, "abc": 1, "xyz": 3, "abababab": 2}
    counts = WordCounts.from_dict(words)
    settings = BpeSettings(vocab_size=300, compat="tiktoken", max_token_length=limit, allow_smaller=True)
    expected = plain.train({tuple(word.encode()): count for word, count in words.items()}, 256, 300, limit)
    assert spelled(train_bpe(counts, settings)) == [spell(whole, expected) for _, _, whole in expected]
    rare = train_bpe(WordCounts.from_dict({"xyz": 4, "xy": 1}), BpeSettings(min_frequency=limit, allow_smaller=True))
    assert spelled(rare) == (["xy", "xyz"] if limit <= 4 else ["xy"] if limit == 5 else [])


def spell(symbol, merges):
    """The text of a symbol of the plain trainer."""
    left, right, _ = merges[symbol - 256] if symbol >= 256 else (None, None, None)
    return chr(symbol) if left is None else spell(left, merges) + spell(right, merges)


def by_tokenizers(texts, pretokenizer, size, frequency):
    bpe = tokenizers.Tokenizer(models.BPE())
    cut = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in PATTERNS[pretokenizer]]
    bpe.pre_tokenizer = pre_tokenizers.Sequence([*cut, pre_tokenizers.ByteLevel(False, use_regex=False)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=frequency, initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    return bpe.get_vocab()


@pytest.mark.parametrize("pretokenizer", ["gpt2", "cl100k", "lines"])
@pytest.mark.parametrize("frequency", [0, 2, 5])
def test_vocabularies_are_those_of_tokenizers(pretokenizer, frequency):
    counts = count_words([Ragged.from_strings(TEXTS)], pretokenizer)
    settings = BpeSettings(vocab_size=700, min_frequency=frequency, allow_smaller=True)
    trained = train_bpe(counts, settings)
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [b for b in range(256) if b not in printable]
    shown = {b: chr(b) for b in printable} | {b: chr(256 + i) for i, b in enumerate(others)}
    ours = {"".join(shown[b] for b in piece): id for id, piece in enumerate(trained.pieces)}
    assert ours == by_tokenizers(TEXTS, pretokenizer, 700, frequency)


@pytest.mark.parametrize("compat", ["hf", "tiktoken", "minbpe", "sentencepiece"])
def test_a_smaller_vocabulary_begins_a_larger_one(compat):
    counts = count_words([Ragged.from_strings(TEXTS)], "gpt2")
    small, large = (train_bpe(counts, BpeSettings(vocab_size=size, compat=compat)) for size in (300, 330))
    assert large.merges[: len(small.merges)].tolist() == small.merges.tolist()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"vocab_size": 255}, "has no room for 256 bytes"),
        ({"vocab_size": 999}, "256 bytes and 7 merges make 263"),
        ({"special_tokens": ["a"]}, "is also a piece of the alphabet"),
        ({"special_tokens": ["xx", "xx"]}, "named twice"),
        ({"vocab_size": 261, "special_tokens": ["hug"]}, "also a piece that merges make"),
    ],
)
def test_what_cannot_be_is_said(settings, told):
    with pytest.raises(RecipeError, match=told):
        train_bpe(WordCounts.from_dict(COURSE), BpeSettings(**settings))


def test_nothing_to_train_on():
    with pytest.raises(InputError, match="the corpus has no words"):
        train_bpe(WordCounts.from_dict({}), BpeSettings())


def trained_model(size, pretokenizer="gpt2", **bpe):
    counts = count_words([Ragged.from_strings(TEXTS)], pretokenizer)
    return train(counts, TokenizerSettings(pretokenizer=pretokenizer, vocab_size=size, bpe=BpeSettings(**bpe))), counts


@pytest.mark.parametrize("bpe", [{}, {"compat": "tiktoken"}, {"alphabet": "characters", "character_coverage": 0.98}])
def test_an_extended_vocabulary_is_one_that_was_trained_at_once(bpe):
    text = [TEXT.replace("aaaa", "") for TEXT in TEXTS]  # pairs that overlap are counted anew where training goes on
    counts = count_words([Ragged.from_strings(text)], "gpt2")
    small, large = (
        train(counts, TokenizerSettings(pretokenizer="gpt2", special_tokens=[], vocab_size=n, bpe=BpeSettings(**bpe)))
        for n in (350, 380)
    )
    more = extend(small, counts, 380, settings=BpeSettings(**bpe))
    assert more.pieces == large.pieces and more.merges.tolist() == large.merges.tolist()


def test_the_second_phase_joins_words():
    model, _ = trained_model(330)
    lines = count_words([Ragged.from_strings(TEXTS)], "lines")
    joined = extend(model, lines, 370, pretokenizer="lines")
    assert joined.pieces[:330] == model.pieces and joined.special == model.special
    assert any(b" " in piece.strip() for piece in joined.pieces[330:])
    before, after = Tokenizer(model), Tokenizer(joined)
    for text in TEXTS:
        ids = after(Ragged.from_strings([text]))
        assert after.decode(ids).row(0) == text.encode()
        assert ids.data.size <= before(Ragged.from_strings([text])).data.size


def test_bytes_of_unknown_characters_do_not_merge():
    model, counts = trained_model(340, alphabet="characters", character_coverage=0.9)
    more = extend(model, counts, 350, settings=BpeSettings(allow_smaller=True))
    for piece in more.pieces[340:]:
        piece.decode()


def test_what_cannot_be_extended_is_said():
    model, counts = trained_model(330)
    with pytest.raises(RecipeError, match="not above the tokenizer's 330 pieces"):
        extend(model, counts, 330)
    with pytest.raises(RecipeError, match="merges make"):
        extend(model, counts, 100_000)
    by_piece, counts = trained_model(340, alphabet="characters", compat="sentencepiece", character_coverage=0.9)
    with pytest.raises(RecipeError, match="only BPE"):
        extend(by_piece, counts, 400)


@given(st.lists(st.text("ab "), min_size=1, max_size=5))
def test_no_piece_crosses_a_word(texts):
    counts = count_words([Ragged.from_strings(texts)], "whitespace")
    if counts.words.rows:
        trained = train_bpe(counts, BpeSettings(vocab_size=280, allow_smaller=True))
        assert not any(b" " in piece for piece in trained.pieces[256:])
        assert all(a < b for a, b in pairwise(trained.made.tolist()))


@pytest.mark.parametrize(
    ("a", "b", "before"), [(0, 3, True), (3, 0, False), (0, 6, False), (3, 9, False), (9, 3, True)]
)
def test_pairs_of_equal_length_are_in_the_order_of_their_spelling(a, b, before):
    assert _spelled_before(np.array([1, 2, 3, 1, 2, 4, 1, 2, 3, 0, 9, 9]), a, b, 3) == before
