"""Words of a text, which a splitter computes once for all rules."""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.hashing import hash_word
from gristmill.pipelines.ragged import Ragged

# Flags of a word.
HAS_LETTER = 1
HAS_NUMBER = 2  # a digit or another number
CAPITALS = 4  # has upper-case and no lower-case letters
PUNCTUATION_ONLY = 8  # only ASCII symbols, punctuation and control characters
ELLIPSIS = 16  # "…", or three and more full stops
BEGINS_LINE = 32  # the first word of a line that is not blank
BEGINS_PARAGRAPH = 64  # the first word after a blank line, or of the document


class Words(NamedTuple):
    """The words of document i are ``offsets[i]:offsets[i + 1]``; word j is the bytes ``start[j]:end[j]`` of the text.

    A word takes 21 bytes: 36 MB for 8 MB of English.
    """

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int32[m]; batches stay below 2 GiB
    end: np.ndarray  # int32[m]
    hash: np.ndarray  # uint64[m], gristmill.pipelines.kernels.hashing.hash_word of the bytes
    length: np.ndarray  # int32[m], in characters
    flags: np.ndarray  # uint8[m], the flags above


def hashes_of(words: list[str]) -> np.ndarray:
    """Return the hash of each word as splitters compute it, uint64[words]."""
    text = Ragged.from_strings(words)
    return np.array([hash_word(text.data, a, b) for a, b in zip(text.offsets, text.offsets[1:])], np.uint64)  # noqa: B905
