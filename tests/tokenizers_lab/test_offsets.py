"""Offsets of tokens in characters, also of tokens that are parts of characters."""

import numpy as np
import pytest

from gristmill.pipelines.errors import RecipeError
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.offsets import encode_with_offsets
from gristmill.tokenizers_lab.tokenizer import Tokenizer

BYTES = tuple(bytes([byte]) for byte in range(256))


def bpe(**more):
    """A tokenizer of bytes that merges a and b."""
    merges = np.array([[ord("a"), ord("b"), 256]], np.int32)
    return Tokenizer(Model(algorithm="bpe", pretokenizer="gpt2", pieces=(*BYTES, b"ab"), merges=merges, **more))


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("", []),
        ("a", [(0, 1)]),
        ("abab", [(0, 2), (2, 4)]),
        ("é", [(0, 1), (0, 1)]),  # two bytes of one character
        ("aé字b", [(0, 1), (1, 2), (1, 2), (2, 3), (2, 3), (2, 3), (3, 4)]),
    ],
)
def test_each_token_has_the_characters_that_it_touches(text, spans):
    ids, found = encode_with_offsets(bpe(), text, frozenset())
    assert found == spans and len(ids) == len(spans)


def test_a_text_that_the_tokens_do_not_spell_is_refused():
    with pytest.raises(RecipeError, match="offsets need tokens that spell the text"):
        encode_with_offsets(bpe(normalizers=("lower",)), "A", frozenset())
