"""Merges balance languages as the plain definition does, and the worst language gains."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.parity_loop import ParityLoop
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
