"""Sentence counts of spaCy's sentencizer, which datatrove's C4 uses, over the words of either splitter."""

import numpy as np

from gristmill.filters.rules.variants.characters import ENDS, PUNCT, all_bits, characters
from gristmill.filters.words.str_compat import characters_in
from gristmill.filters.words.words import Words
from gristmill.pipelines.kernels.intrinsics import kernel

MAY_BE_MARK = np.array([i >= 33 and not chr(i).isalnum() for i in range(128)])  # first bytes of ASCII punctuation words


def count_sentences(data: np.ndarray, words: Words, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the sentences of each line ``data[start:end]``, int64[m]: 1 for white space only, 0 for an empty line."""
    counts = np.zeros(start.size, np.int64)
    _count(data, *words[1:3], start, end, *characters(), counts)
    return counts


@kernel
def _count(data, begin, stop, start, end, numbers, blocks, counts):
    """Count sentence starts: the first token, and the first token after an ending mark that is no punctuation.

    White space is such a token, except a single space after another token.
    """
    j = 0
    for i in range(start.size):
        at, ended = start[i], False
        sentences = np.int64(at < end[i])
        while j < begin.size and begin[j] < end[i]:
            if begin[j] < start[i]:
                j += 1
                continue
            if ended and is_space_token(data, start[i], at, begin[j]):
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
        sentences += ended and is_space_token(data, start[i], at, end[i])
        counts[i] = sentences


@kernel
def is_space_token(data, begin, at, end):
    """True if the white space ``data[at:end]`` after a word is a token of its own."""
    return end > at and not (at > begin and end - at == 1 and data[at] == 0x20)
