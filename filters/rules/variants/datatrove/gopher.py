"""Gopher quality as datatrove 0.10.1 has it. Against ours (filters/rules/gopher.py):

* Marks are words: ``#``, ``...`` and letters are set against all of them. 80 % of all words must hold a letter, which
  tables, dialogue and dates fail.
* ``#`` and ``...`` count wherever they stand, in addresses too; six full stops are two ellipses.
* Lines are those of ``str.splitlines``, blank ones too; a bullet is • or -, anywhere in front.
* Stop words count in lower case only: "The" is none. There is one list, of English.
"""

from typing import Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.rules.variants.characters import characters, is_word
from gristmill.filters.rules.variants.published import PublishedGopher
from gristmill.filters.words.str_compat import stripped
from gristmill.pipelines.kernels.hashing import hash_word
from gristmill.pipelines.kernels.intrinsics import kernel, ones
from gristmill.pipelines.ragged import Ragged


class DatatroveGopher(PublishedGopher):
    """Drops what is not prose, by the words and thresholds of datatrove."""

    variant: Literal["datatrove-0.10.1"] = "datatrove-0.10.1"

    def measure(self, batch: Batch) -> pl.DataFrame:
        """A document without words has a mean word length, ratios and shares of 0."""
        data, words = batch.text.data, batch.words
        counts = np.zeros((5, batch.text.rows), np.int64)
        count_words(data, *words[:5], hashes_of(self.stop_words), *characters(), counts)
        every, real, chars, alpha, stop_words = counts
        symbols, lines = np.zeros((2, batch.text.rows), np.int64), np.zeros((2, batch.text.rows), np.int64)
        count_symbols(*batch.text, symbols)
        count_lines(data, *batch.lines, lines)
        n_lines = np.diff(batch.lines.offsets).clip(1)
        return pl.DataFrame(
            {
                "words": real,
                "word_length": chars / real.clip(1),
                "hash_ratio": symbols[0] / every.clip(1),
                "ellipsis_ratio": symbols[1] / every.clip(1),
                "bullet_lines": lines[0] / n_lines,
                "ellipsis_lines": lines[1] / n_lines,
                "alpha_words": alpha / every.clip(1),
                "stop_words": stop_words,
            }
        )


def hashes_of(words: list[str]) -> np.ndarray:
    text = Ragged.from_strings(words)
    return np.array([hash_word(text.data, a, b) for a, b in zip(text.offsets, text.offsets[1:])], np.uint64)  # noqa: B905


@kernel
def count_words(data, offsets, start, end, hashes, lengths, stop_words, numbers, blocks, counts):
    """Of each document: words; those that are no mere marks, and their characters; those with a letter; stop words."""
    for row in range(offsets.size - 1):
        real = chars = alpha = 0
        found = np.uint64(0)
        for i in range(offsets[row], offsets[row + 1]):
            word, letter = is_word(data, start[i], end[i], numbers, blocks)
            real += word
            chars += lengths[i] * word
            alpha += letter
            for k in range(stop_words.size):
                if hashes[i] == stop_words[k]:
                    found |= np.uint64(1) << np.uint64(k)
        counts[0, row], counts[1, row], counts[2, row] = offsets[row + 1] - offsets[row], real, chars
        counts[3, row], counts[4, row] = alpha, ones(found)


@kernel
def count_symbols(offsets, data, counts):
    """Of each document: "#", and "..." or "…"."""
    for row in range(offsets.size - 1):
        hashes = ellipses = dots = 0
        stop = offsets[row + 1]
        for at in range(offsets[row], stop):
            byte = data[at]
            hashes += byte == 0x23
            dots = dots + 1 if byte == 0x2E else 0
            if dots == 3:
                ellipses, dots = ellipses + 1, 0
            ellipses += byte == 0xE2 and is_ellipsis(data, at, stop)
        counts[0, row], counts[1, row] = hashes, ellipses


@kernel
def is_ellipsis(data, at, stop):
    return at + 2 < stop and data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA6


@kernel
def count_lines(data, offsets, start, end, counts):
    """Of each document: lines that begin with • or -, and that end with an ellipsis, white space aside."""
    for row in range(offsets.size - 1):
        bullets = faded = 0
        for j in range(offsets[row], offsets[row + 1]):
            begin, stop = stripped(data, start[j], end[j])
            if begin < stop:
                is_bullet = begin + 2 < stop and data[begin + 1] == 0x80 and data[begin + 2] == 0xA2
                bullets += data[begin] == 0x2D or (data[begin] == 0xE2 and is_bullet)
                faded += ends_with_ellipsis(data, begin, stop)
        counts[0, row], counts[1, row] = bullets, faded


@kernel
def ends_with_ellipsis(data, begin, stop):
    if stop - begin < 3:
        return False
    dots = data[stop - 1] == 0x2E and data[stop - 2] == 0x2E and data[stop - 3] == 0x2E
    return dots or is_ellipsis(data, stop - 3, stop)
