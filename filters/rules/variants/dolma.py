"""Gopher as in dolma's tagger gopher_v1 (allenai/dolma at 1c696dd, python/dolma/taggers/gopher.py).

* Words lie between white space. Their *median* length must lie between the limits. A word with ``#`` or ``…`` is a
  symbol; ``...`` is none.
* Lines lie between \\n, blank ones included. A bullet is ``*`` or ``-`` as the first character.
* Stop words count at each occurrence, in lower case only.
* Every copy of a line or n-gram counts, the first included; shares are of the characters in words. A top n-gram that
  occurs once counts. There is no rule on paragraphs.
"""

from typing import Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Ratio, Share
from gristmill.filters.rules.paper_thresholds import SHARES, GopherSettings, RepetitionSettings
from gristmill.filters.rules.variants.characters import characters, is_word
from gristmill.filters.rules.variants.ngram_shares import OF_N_GRAMS, SINGLES, copies, n_gram_shares, split_words
from gristmill.filters.rules.variants.shared import Published, is_ellipsis
from gristmill.filters.words.str_compat import split_at_newlines
from gristmill.filters.words.words import hashes_of
from gristmill.pipelines.kernels.intrinsics import contains, kernel

LONG = 1024  # characters; longer words count as this long


class DolmaGopher(Published, GopherSettings):
    """Rule set that drops documents that are not prose. ``hash_ratio_too_high`` is dolma's symbol_to_word_ratio."""

    variant: Literal["dolma"] = "dolma"
    max_ellipsis_ratio: Ratio | None = None  # counted with "#"

    def measure(self, batch: Batch) -> pl.DataFrame:
        text, lines = batch.text, split_at_newlines(batch.text)
        offsets, start, end, hashes, sizes = split_words(text)
        counts, median = np.zeros((3, text.rows), np.int64), np.zeros(text.rows)
        histogram = np.zeros(LONG + 1, np.int64)
        forms = hashes_of(self.stop_words)
        count_words(text.data, offsets, start, end, hashes, sizes, forms, *characters(), histogram, counts, median)
        marked = np.zeros((2, text.rows), np.int64)
        count_lines(text.data, *lines[:3], marked)
        words, n_lines = np.diff(offsets), np.diff(lines.offsets)
        symbols, alpha, stop_words = counts
        return pl.DataFrame(
            {
                "words": words,
                "word_length": median,
                "hash_ratio": symbols / words.clip(1),
                "ellipsis_ratio": np.zeros(text.rows),
                "bullet_lines": marked[0] / n_lines,
                "ellipsis_lines": marked[1] / n_lines,
                "alpha_words": alpha / words.clip(1),
                "stop_words": stop_words,
            }
        )


class DolmaRepetition(Published, RepetitionSettings):
    """Rule set that drops documents that repeat lines or n-grams of words, every copy counted."""

    variant: Literal["dolma"] = "dolma"
    max_dup_paragraphs: Share | None = None  # not measured
    max_dup_paragraph_chars: Share | None = None

    def measure(self, batch: Batch) -> pl.DataFrame:
        offsets, _, _, hashes, sizes = split_words(batch.text)
        lines = split_at_newlines(batch.text)
        shares = n_gram_shares(offsets, hashes, sizes, SINGLES, OF_N_GRAMS)
        total = np.concatenate(([0], np.cumsum(sizes)))
        again, chars = copies(lines)
        shares[2] = again / np.diff(lines.offsets)
        shares[3] = chars / np.diff(total[offsets]).clip(1)
        return pl.DataFrame(dict(zip(SHARES, shares, strict=True)))


@kernel
def count_words(data, offsets, start, end, hashes, sizes, stop_words, numbers, blocks, histogram, counts, median):
    """Count in each document symbols, words with a letter and stop words; find the median length of its words."""
    for row in range(offsets.size - 1):
        symbols = alpha = stops = 0
        histogram[:] = 0
        for i in range(offsets[row], offsets[row + 1]):
            alpha += is_word(data, start[i], end[i], numbers, blocks)[1]
            stops += contains(hashes[i], stop_words)
            symbols += is_symbol(data, start[i], end[i])
            histogram[min(sizes[i], LONG)] += 1
        counts[0, row], counts[1, row], counts[2, row] = symbols, alpha, stops
        n = offsets[row + 1] - offsets[row]
        if n:
            median[row] = (at_rank(histogram, (n - 1) // 2) + at_rank(histogram, n // 2)) / 2


@kernel
def at_rank(histogram, rank):
    """Return the value at a rank, counted from 0, among the values of a histogram."""
    value, below = 0, histogram[0]
    while below <= rank:
        value += 1
        below += histogram[value]
    return value


@kernel
def is_symbol(data, begin, end):
    for at in range(begin, end):
        if data[at] == 0x23 or (data[at] == 0xE2 and is_ellipsis(data, at, end)):
            return True
    return False


@kernel
def count_lines(data, offsets, start, end, counts):
    """Count in each document lines that begin with * or -, and lines that end with …, unstripped."""
    for row in range(offsets.size - 1):
        for j in range(offsets[row], offsets[row + 1]):
            if start[j] < end[j]:
                counts[0, row] += data[start[j]] == 0x2A or data[start[j]] == 0x2D
                counts[1, row] += end[j] - start[j] >= 3 and is_ellipsis(data, end[j] - 3, end[j])
