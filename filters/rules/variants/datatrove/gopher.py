"""Gopher quality as in datatrove 0.10.1. Differences from ours (filters/rules/gopher.py):

* Tokens include punctuation: ``#``, ``...`` and letters are counted per token. 80 % of all tokens must contain a
  letter: tables, dialogue and dates do not reach that.
* ``#`` and ``...`` count anywhere, also inside URLs; six full stops are two ellipses.
* Lines are those of ``str.splitlines``, blank ones included; a bullet is • or - before anything.
* Stop words count in lower case only: "The" is none. There is one list, of English.
"""

from typing import Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.rules.paper_thresholds import GopherSettings
from gristmill.filters.rules.variants.characters import characters, is_word
from gristmill.filters.rules.variants.shared import Published, count_symbols, is_ellipsis
from gristmill.filters.words.str_compat import stripped
from gristmill.filters.words.words import hashes_of
from gristmill.pipelines.kernels.intrinsics import kernel, popcount


class DatatroveGopher(Published, GopherSettings):
    """Rule set that drops documents that are not prose, by the words and thresholds of datatrove."""

    variant: Literal["datatrove-0.10.1"] = "datatrove-0.10.1"

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the columns of RULES; a document without words has 0 in each."""
        data = batch.text.data
        counts = np.zeros((5, batch.text.rows), np.int64)
        count_words(data, *batch.words[:5], hashes_of(self.stop_words), *characters(), counts)
        tokens, words, chars, alpha, stop_words = counts
        symbols, lines = np.zeros((2, batch.text.rows), np.int64), np.zeros((2, batch.text.rows), np.int64)
        count_symbols(*batch.text, symbols)
        count_lines(data, *batch.lines, lines)
        n_lines = np.diff(batch.lines.offsets).clip(1)
        return pl.DataFrame(
            {
                "words": words,
                "word_length": chars / words.clip(1),
                "hash_ratio": symbols[0] / tokens.clip(1),
                "ellipsis_ratio": symbols[1] / tokens.clip(1),
                "bullet_lines": lines[0] / n_lines,
                "ellipsis_lines": lines[1] / n_lines,
                "alpha_words": alpha / tokens.clip(1),
                "stop_words": stop_words,
            }
        )


@kernel
def count_words(data, offsets, start, end, hashes, lengths, stop_words, numbers, blocks, counts):
    """Count in each document tokens, words and their characters, tokens with a letter, different stop words."""
    for row in range(offsets.size - 1):
        words = chars = alpha = 0
        found = np.uint64(0)
        for i in range(offsets[row], offsets[row + 1]):
            word, letter = is_word(data, start[i], end[i], numbers, blocks)
            words += word
            chars += lengths[i] * word
            alpha += letter
            for k in range(stop_words.size):
                if hashes[i] == stop_words[k]:
                    found |= np.uint64(1) << np.uint64(k)
        counts[0, row], counts[1, row], counts[2, row] = offsets[row + 1] - offsets[row], words, chars
        counts[3, row], counts[4, row] = alpha, popcount(found)


@kernel
def count_lines(data, offsets, start, end, counts):
    """Count in each document stripped lines that begin with • or -, and lines that end with an ellipsis."""
    for row in range(offsets.size - 1):
        bullets = ellipsis_lines = 0
        for j in range(offsets[row], offsets[row + 1]):
            begin, stop = stripped(data, start[j], end[j])
            if begin < stop:
                is_bullet = begin + 2 < stop and data[begin + 1] == 0x80 and data[begin + 2] == 0xA2
                bullets += data[begin] == 0x2D or (data[begin] == 0xE2 and is_bullet)
                ellipsis_lines += ends_with_ellipsis(data, begin, stop)
        counts[0, row], counts[1, row] = bullets, ellipsis_lines


@kernel
def ends_with_ellipsis(data, begin, stop):
    if stop - begin < 3:
        return False
    dots = data[stop - 1] == 0x2E and data[stop - 2] == 0x2E and data[stop - 3] == 0x2E
    return dots or is_ellipsis(data, stop - 3, stop)
