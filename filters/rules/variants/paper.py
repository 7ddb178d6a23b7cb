"""Gopher by the words of its paper (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1, table A1).

The paper leaves counts open; the plainest reading is taken. Words lie between white space. Blank lines do not
count, and end paragraphs. Symbols are counted per word. A stop word counts once, in any case. Every copy
of a repeated part counts, in characters of words. A document of one line or paragraph repeats nothing.
"""

from typing import Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.rules.paper_thresholds import SHARES, GopherSettings, RepetitionSettings
from gristmill.filters.rules.variants.characters import characters
from gristmill.filters.rules.variants.dclm import count_lines
from gristmill.filters.rules.variants.dclm import count_words as count_letters
from gristmill.filters.rules.variants.ngram_shares import (
    LONGEST,
    OF_WORDS,
    black_parts,
    copies,
    n_gram_shares,
    split_words,
)
from gristmill.filters.rules.variants.shared import Published, cases, count_symbols
from gristmill.filters.words.str_compat import split_at_newlines
from gristmill.filters.words.words import hashes_of
from gristmill.pipelines.kernels.intrinsics import kernel, popcount


class PaperGopher(Published, GopherSettings):
    """Rule set that drops documents that are not prose."""

    variant: Literal["paper"] = "paper"

    def measure(self, batch: Batch) -> pl.DataFrame:
        text = batch.text
        offsets, start, end, hashes, sizes = split_words(text)
        letters, symbols = np.zeros((2, text.rows), np.int64), np.zeros((2, text.rows), np.int64)
        count_letters(text.data, offsets, start, end, hashes, sizes, 0, hashes_of([]), *characters(), letters)
        count_symbols(*text, symbols)
        stop_words = [cases(word) for word in self.stop_words]
        forms = hashes_of([form for forms in stop_words for form in forms])
        number = np.repeat(np.arange(len(stop_words)), [len(forms) for forms in stop_words])
        distinct = np.zeros(text.rows, np.int64)
        count_distinct(offsets, hashes, sizes, max(map(len, self.stop_words), default=0), forms, number, distinct)
        lines = black_parts(text.data, split_at_newlines(text))
        marked = np.zeros((2, text.rows), np.int64)
        count_lines(text.data, *lines[:3], marked)
        words, n_lines = np.diff(offsets), np.diff(lines.offsets).clip(1)
        total = np.concatenate(([0], np.cumsum(sizes)))
        return pl.DataFrame(
            {
                "words": words,
                "word_length": np.diff(total[offsets]) / words.clip(1),
                "hash_ratio": symbols[0] / words.clip(1),
                "ellipsis_ratio": symbols[1] / words.clip(1),
                "bullet_lines": marked[0] / n_lines,
                "ellipsis_lines": marked[1] / n_lines,
                "alpha_words": letters[0] / words.clip(1),
                "stop_words": distinct,
            }
        )


class PaperRepetition(Published, RepetitionSettings):
    """Rule set that drops documents that repeat lines, paragraphs or n-grams of words."""

    variant: Literal["paper"] = "paper"

    def measure(self, batch: Batch) -> pl.DataFrame:
        text = batch.text
        offsets, _, _, hashes, sizes = split_words(text)
        shares = n_gram_shares(offsets, hashes, sizes, LONGEST, OF_WORDS)
        paragraphs = black_parts(text.data, split_at_newlines(text, least=2, runs=True))
        for level, parts in enumerate((paragraphs, black_parts(text.data, split_at_newlines(text)))):
            again, chars = copies(parts)
            total = np.concatenate(([0], np.cumsum(parts.length)))
            shares[2 * level] = again / np.diff(parts.offsets).clip(1)
            shares[2 * level + 1] = chars / np.diff(total[parts.offsets]).clip(1)
        return pl.DataFrame(dict(zip(SHARES, shares, strict=True)))


@kernel
def count_distinct(offsets, hashes, sizes, longest, forms, number, distinct):
    """Count the different stop words in each document; ``number`` is the stop word of each form."""
    for row in range(offsets.size - 1):
        found = np.uint64(0)
        for i in range(offsets[row], offsets[row + 1]):
            if sizes[i] <= longest:
                for k in range(forms.size):
                    if hashes[i] == forms[k]:
                        found |= np.uint64(1) << np.uint64(number[k])
        distinct[row] = popcount(found)
