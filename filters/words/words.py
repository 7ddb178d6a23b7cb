"""Words: what a splitter makes of a text, once, for every rule that counts."""

from typing import NamedTuple

import numpy as np

# What a word is, bit by bit.
HAS_LETTER = 1
HAS_NUMBER = 2  # a digit or another number
CAPITALS = 4  # upper-case letters and none in lower case
PUNCTUATION_ONLY = 8  # ASCII marks, punctuation and control characters, nothing else
ELLIPSIS = 16  # "…", or three and more full stops
BEGINS_LINE = 32  # the first word of a line that is not blank
BEGINS_PARAGRAPH = 64  # the first word after a blank line, or of the document


class Words(NamedTuple):
    """The words of document i are ``offsets[i]:offsets[i + 1]``; word j is the bytes ``start[j]:end[j]`` of the text.

    21 bytes a word: 36 MB for 8 MB of English.
    """

    offsets: np.ndarray  # int64[n + 1]
    start: np.ndarray  # int32[m]; batches stay below 2 GiB
    end: np.ndarray  # int32[m]
    hash: np.ndarray  # uint64[m], gristmill.pipelines.kernels.hashing.hash_word of the bytes
    length: np.ndarray  # int32[m], in characters
    flags: np.ndarray  # uint8[m], the bits above
