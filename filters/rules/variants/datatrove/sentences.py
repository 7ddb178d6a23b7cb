"""Sentences as spaCy's sentencizer counts them, which datatrove's C4 asks for: over words of either splitter."""

import numpy as np

from gristmill.filters.rules.variants.characters import ENDS, PUNCT, all_bits, characters
from gristmill.filters.words.str_compat import characters_in
from gristmill.filters.words.words import Words
from gristmill.pipelines.kernels.intrinsics import kernel

MAY_BE_MARK = np.array([i >= 33 and not chr(i).isalnum() for i in range(128)])  # which ASCII words begin with


def count_sentences(data: np.ndarray, words: Words, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Lines ``data[start:end]`` in their order -> int64[m]. White space alone is a sentence, an empty line is none."""
    counts = np.zeros(start.size, np.int64)
    _count(data, *words[1:3], start, end, *characters(), counts)
    return counts


@kernel
def _count(data, begin, stop, start, end, numbers, blocks, counts):
    """A sentence begins at the first piece, and at the first behind an ending mark that is no punctuation.

    White space is such a piece, except for a single space behind another piece.
    """
    j = 0
    for i in range(start.size):
        at, ended = start[i], False
        sentences = np.int64(at < end[i])
        while j < begin.size and begin[j] < end[i]:
            if begin[j] < start[i]:
                j += 1
                continue
            if ended and is_piece(data, start[i], at, begin[j]):
                sentences, ended = sentences + 1, False
            byte = data[begin[j]]
            if byte > 0x7F or MAY_BE_MARK[byte]:
                bits = all_bits(data, begin[j], stop[j], numbers, blocks)
                if bits & ENDS and characters_in(data, begin[j], stop[j]) == 1:
                    ended = True
                elif ended and not bits & PUNCT:
                    sentences, ended = sentences + 1, False
            elif ended:
                sentences, ended = sentences + 1, False
            at = np.int64(stop[j])
            j += 1
        sentences += ended and is_piece(data, start[i], at, end[i])
        counts[i] = sentences


@kernel
def is_piece(data, begin, at, end):
    """Is the white space between two words a piece of its own?"""
    return end > at and not (at > begin and end - at == 1 and data[at] == 0x20)
