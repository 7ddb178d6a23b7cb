"""Sentences as spaCy's sentencizer counts them, which datatrove's C4 asks for: over words of either splitter."""

import numpy as np

from filters.python_text import characters_in
from filters.variants.datatrove.characters import ENDS, PUNCT, all_bits, characters
from filters.words import Words
from pipelines.bits import kernel
from pipelines.ragged import Ragged


def count_sentences(text: Ragged, words: Words) -> np.ndarray:
    """int64[n]. White space alone is a sentence, an empty text is none."""
    counts = np.zeros(text.rows, np.int64)
    _count(*text, *words[:3], *characters(), counts)
    return counts


@kernel
def _count(offsets, data, first, start, end, numbers, blocks, counts):
    """A sentence begins at the first piece, and at the first behind an ending mark that is no punctuation.

    White space is such a piece, except for a single space behind another piece.
    """
    for row in range(offsets.size - 1):
        at, ended = offsets[row], False
        sentences = np.int64(at < offsets[row + 1])
        for j in range(first[row], first[row + 1]):
            if ended and is_piece(data, offsets[row], at, start[j]):
                sentences, ended = sentences + 1, False
            bits = all_bits(data, start[j], end[j], numbers, blocks)
            if bits & ENDS and characters_in(data, start[j], end[j]) == 1:
                ended = True
            elif ended and not bits & PUNCT:
                sentences, ended = sentences + 1, False
            at = np.int64(end[j])
        sentences += ended and is_piece(data, offsets[row], at, offsets[row + 1])
        counts[row] = sentences


@kernel
def is_piece(data, begin, at, end):
    """Is the white space between two words a piece of its own?"""
    return end > at and not (at > begin and end - at == 1 and data[at] == 0x20)
