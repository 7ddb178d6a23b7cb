"""Merges balance languages as the plain definition does, and the worst language gains."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.parity_loop import ParityLoop
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.parity import LanguageCounts, ParitySettings, content_of
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train_parity
from tests.reference import parity as plain

BYTES = [bytes([b]) for b in range(256)]
WORDS = st.dictionaries(st.text("abc", min_size=1, max_size=9), st.integers(1, 5), min_size=1, max_size=6)


def loop_of(languages, content, target, rarest):
    rows = [(Ragged.from_strings([*words]), np.array([*words.values()], np.int64)) for words in languages]
    return ParityLoop(rows, content, BYTES, target, min_frequency=rarest, max_length=None)


@given(st.lists(WORDS, min_size=1, max_size=4), st.integers(257, 275), st.integers(1, 3), st.data())
@example([{"abab": 3, "aaaa": 2}, {"abc": 1, "ababab": 4}], 270, 1, None)
def test_merges_are_those_of_the_definition(languages, target, rarest, data):
    draw = st.lists(st.integers(1, 50), min_size=len(languages), max_size=len(languages))
    content = data.draw(draw) if data else [10, 7]
    spelled = [{tuple(word.encode()): count for word, count in words.items()} for words in languages]
    loop = loop_of(languages, content, target, rarest)
    while loop.merge(3):
        pass
    assert loop.result().tolist() == [*map(list, plain.balance(spelled, content, BYTES, target, rarest))]
    left = [sum(len(word) * count for word, count in words.items()) for words in spelled]
    assert (loop.languages.tokens <= left).all()


def counted(text, times):
    """A text and its content, which repetitions of one sentence have and zlib does not see."""
    return LanguageCounts(count_words([Ragged.from_strings([text * times])], "o200k"), times)


ENGLISH = "the miller of the mill grinds the grain of the town and the people eat the bread of the miller "
GREEK = "ο μυλωνάς του μύλου αλέθει το σιτάρι της πόλης και ο κόσμος τρώει το ψωμί του μυλωνά "


def trained(share, size=320):
    settings = TokenizerSettings(vocab_size=size, parity=ParitySettings(column="language", global_share=share))
    return train_parity([counted(ENGLISH, 40), counted(GREEK, 4)], settings)


def tokens(model, text):
    return Tokenizer(model)(Ragged.from_strings([text])).data.size


def test_a_vocabulary_without_room_for_merges_has_none():
    assert trained(1, size=257).size == 257  # bytes and the end marker


def test_the_worst_language_gains_the_more_the_fewer_merges_are_global():
    models = [trained(share) for share in (1, 0.5, 0)]
    assert all(model.size == 320 and len(model.merges) == 320 - 257 for model in models)
    greek, english = ([tokens(model, text) for model in models] for text in (GREEK, ENGLISH))
    assert greek[0] > greek[1] >= greek[2] and english[0] <= english[1] <= english[2]


def test_documents_count_by_themselves():
    together, apart = Ragged.from_strings([GREEK, ENGLISH]), [Ragged.from_strings([text]) for text in (ENGLISH, GREEK)]
    assert content_of(together) == sum(map(content_of, apart))
    assert content_of(Ragged.from_strings([])) == content_of(Ragged.from_strings([""])) == 1


def test_what_cannot_be_is_said():
    with pytest.raises(RecipeError, match="more than the corpus gives"):
        trained(0.1, 100_000)
    with pytest.raises(RecipeError, match="parity needs the algorithm bpe"):
        TokenizerSettings(algorithm="unigram", parity=ParitySettings(column="language")).resolved()
    with pytest.raises(RecipeError, match="1,001 values, at most 1,000"):
        settings = TokenizerSettings(parity=ParitySettings(column="url"))
        train_parity([counted(GREEK, 1)] * 1001, settings)
