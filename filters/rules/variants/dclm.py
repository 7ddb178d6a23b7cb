"""Gopher as in DCLM (mlfoundations/dclm at c7ed275, baselines/mappers/filters/content_filters.py).

* Words lie between white space. ``#``, ``...``, ``. . .`` and ``…`` are counted together, per word.
* Lines are stripped, and blank ones do not count. A bullet is ● • * or -, before anything.
* Stop words count at each occurrence, in any case.
* Every copy of a line or paragraph counts, the first included; blank ones do not. A document of a single line or
  paragraph repeats nothing. \\n\\n ends a paragraph.
* The top n-gram occurs at least twice; of several, the longest counts. Of n-grams of five words and more, each word in
  a repeated one counts once. Words that are only punctuation do not count, and shares are of the characters of the
  others: the recipe's words, where DCLM uses ``uniseg``.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Count, Ratio
from gristmill.filters.rules.paper_thresholds import SHARES, GopherSettings, RepetitionSettings
from gristmill.filters.rules.variants.characters import characters, is_word
from gristmill.filters.rules.variants.ngram_shares import (
    LONGEST,
    OF_WORDS,
    black_parts,
    copies,
    ends_with,
    n_gram_shares,
    split_words,
)
from gristmill.filters.rules.variants.shared import Published, cases, count_symbols, is_ellipsis
from gristmill.filters.words.str_compat import split_at_newlines
from gristmill.filters.words.words import HAS_LETTER, HAS_NUMBER, hashes_of
from gristmill.pipelines.kernels.intrinsics import contains, kernel

SPACED_DOTS = np.frombuffer(b". . .", np.uint8)
DOTS = np.frombuffer(b"...", np.uint8)
BULLETS = tuple(np.frombuffer(mark.encode(), np.uint8) for mark in "●•*-")


class DclmGopher(Published, GopherSettings):
    """Rule set that drops documents that are not prose. ``hash_ratio_too_high`` is DCLM's symbol_ratio_filter."""

    variant: Literal["dclm"] = "dclm"
    max_ellipsis_ratio: Ratio | None = None  # counted with "#"

    def measure(self, batch: Batch) -> pl.DataFrame:
        text = batch.text
        offsets, start, end, hashes, sizes = split_words(text)
        counts, symbols = np.zeros((2, text.rows), np.int64), np.zeros((2, text.rows), np.int64)
        spaced, marked = np.zeros(text.rows, np.int64), np.zeros((2, text.rows), np.int64)
        longest = max(map(len, self.stop_words), default=0)
        stop_words = hashes_of([form for word in self.stop_words for form in cases(word)])
        count_words(text.data, offsets, start, end, hashes, sizes, longest, stop_words, *characters(), counts)
        count_symbols(*text, symbols)
        count_spaced_dots(*text, spaced)
        lines = black_parts(text.data, split_at_newlines(text))
        count_lines(text.data, *lines[:3], marked)
        words, n_lines = np.diff(offsets), np.diff(lines.offsets).clip(1)
        total = np.concatenate(([0], np.cumsum(sizes)))
        return pl.DataFrame(
            {
                "words": words,
                "word_length": np.diff(total[offsets]) / words.clip(1),
                "hash_ratio": (symbols.sum(0) + spaced) / words.clip(1),
                "ellipsis_ratio": np.zeros(text.rows),
                "bullet_lines": marked[0] / n_lines,
                "ellipsis_lines": marked[1] / n_lines,
                "alpha_words": counts[0] / words.clip(1),
                "stop_words": counts[1],
            }
        )


class DclmRepetition(Published, RepetitionSettings):
    """Rule set that drops documents that repeat lines, paragraphs or n-grams of words, every copy counted."""

    RULES: ClassVar[tuple[str, ...]] = ("min_lines", *RepetitionSettings.RULES)

    variant: Literal["dclm"] = "dclm"
    min_lines: Count | None = 1  # lines that are not blank

    def measure(self, batch: Batch) -> pl.DataFrame:
        text, words = batch.text, batch.words
        real = words.flags & (HAS_LETTER | HAS_NUMBER) > 0
        offsets = np.concatenate(([0], np.cumsum(real)))[words.offsets]
        shares = n_gram_shares(offsets, words.hash[real], words.length[real], LONGEST, OF_WORDS)
        paragraphs = black_parts(text.data, split_at_newlines(text, least=2, runs=True))
        lines = black_parts(text.data, split_at_newlines(text))
        for level, parts in enumerate((paragraphs, lines)):
            again, chars = copies(parts)
            total = np.concatenate(([0], np.cumsum(parts.length)))
            shares[2 * level] = again / np.diff(parts.offsets).clip(1)
            shares[2 * level + 1] = chars / np.diff(total[parts.offsets]).clip(1)
        return pl.DataFrame({"lines": np.diff(lines.offsets), **dict(zip(SHARES, shares, strict=True))})


@kernel
def count_words(data, offsets, start, end, hashes, sizes, longest, stop_words, numbers, blocks, counts):
    """Count in each document words with a letter, and stop words."""
    for row in range(offsets.size - 1):
        for i in range(offsets[row], offsets[row + 1]):
            counts[0, row] += is_word(data, start[i], end[i], numbers, blocks)[1]
            counts[1, row] += sizes[i] <= longest and contains(hashes[i], stop_words)


@kernel
def count_spaced_dots(offsets, data, counts):
    """Count ". . ." in each document, without overlaps."""
    for row in range(offsets.size - 1):
        at = offsets[row] + SPACED_DOTS.size
        while at <= offsets[row + 1]:
            found = ends_with(data, offsets[row], at, SPACED_DOTS)
            counts[row] += found
            at += SPACED_DOTS.size if found else 1


@kernel
def count_lines(data, offsets, start, end, counts):
    """Count in each document lines that begin with a bullet, and lines that end with an ellipsis."""
    for row in range(offsets.size - 1):
        for j in range(offsets[row], offsets[row + 1]):
            begin, stop = np.int64(start[j]), np.int64(end[j])
            for bullet in BULLETS:
                counts[0, row] += stop - begin >= bullet.size and ends_with(data, begin, begin + bullet.size, bullet)
            dots = ends_with(data, begin, stop, DOTS) or ends_with(data, begin, stop, SPACED_DOTS)
            counts[1, row] += dots or (stop - begin >= 3 and is_ellipsis(data, stop - 3, stop))
