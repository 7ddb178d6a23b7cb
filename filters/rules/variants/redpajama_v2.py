"""Gopher by the signals of RedPajama-V2 (togethercomputer/RedPajama-Data at 855a8e0, app/src/core/quality_signals).

The signals are published with the data; the thresholds are those of Gopher, as the data set's card applies them.

* Words are counted in text without ASCII marks, in lower case, decomposed (NFD); ``don't`` is one word.
* Marks are set against another kind of words: runs of letters and digits, and single signs.
* ``#``, ``...`` and ``…`` count together. A word without one of A-Z and a-z has no letter, in any script.
* Lines lie between \\n, blank ones too. Bullets are ten signs, an en dash among them, and neither * nor -.
* There are no rules on stop words (the signal takes lists by language that are not Gopher's), lines or paragraphs. The
  top n-gram counts if it comes twice, the first met of several; of longer ones, each word in one that repeats counts.
  Both are shares of the words' characters.

It is defined by Python's own functions, so it is measured by them, one document after the other, at 3 MB/s.
"""

import re
import string
import unicodedata
from collections import Counter
from typing import Literal

import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.rules.variants.nemo_curator import MEASURES
from gristmill.filters.rules.variants.published import DUPLICATE, SHARES, TOP, PublishedGopher, PublishedRepetition

MARKS = str.maketrans("", "", string.punctuation)
SYMBOLS = ("#", "...", "…")
BULLETS = ("\u2022", "\u2023", "\u25b6", "\u25c0", "\u25e6", "\u25a0", "\u25a1", "\u25aa", "\u25ab", "\u2013")
TOKEN = re.compile(r"\w+|[^\w\s]+")  # NLTK's WordPunctTokenizer
LETTER = re.compile("[a-zA-Z]")
LINE = re.compile(r"[^\n]*\n|[^\n]+$")
PLACES = 8  # decimals that the signals are published with


def normalized_words(text: str) -> list[str]:
    return unicodedata.normalize("NFD", text.translate(MARKS).lower().strip()).split()


class Rpv2Gopher(PublishedGopher):
    """Drops what is not prose, by RedPajama's signals. ``gopher_too_many_hashes`` is its symbol_to_word_ratio."""

    variant: Literal["rpv2"] = "rpv2"
    max_ellipsis_ratio: float | None = None  # counted with the "#"
    min_stop_words: int | None = None

    def measure(self, batch: Batch) -> pl.DataFrame:
        rows = [self._of(text) for text in batch.text.to_text().to_pylist()]
        return pl.DataFrame(rows, schema=MEASURES, orient="row")

    def _of(self, text: str) -> tuple:
        words, tokens, lines = normalized_words(text), TOKEN.findall(text), LINE.findall(text)
        n, n_tokens, n_lines = max(len(words), 1), max(len(tokens), 1), max(len(lines), 1)
        return (
            len(words),
            round(sum(map(len, words)) / n, PLACES),
            round(sum(map(text.count, SYMBOLS)) / n_tokens, PLACES),
            0.0,
            sum(line.lstrip().startswith(BULLETS) for line in lines) / n_lines,
            round(sum(line.rstrip().endswith(SYMBOLS[1:]) for line in lines) / n_lines, PLACES),
            round(sum(bool(LETTER.search(token)) for token in tokens) / n_tokens, PLACES),
            0,
        )


class Rpv2Repetition(PublishedRepetition):
    """Drops documents that repeat runs of words."""

    variant: Literal["rpv2"] = "rpv2"
    max_dup_paragraphs: float | None = None  # not measured
    max_dup_paragraph_chars: float | None = None
    max_dup_lines: float | None = None
    max_dup_line_chars: float | None = None

    def measure(self, batch: Batch) -> pl.DataFrame:
        rows = [_shares(normalized_words(text)) for text in batch.text.to_text().to_pylist()]
        return pl.DataFrame(rows, schema=dict.fromkeys(SHARES, pl.Float64), orient="row")


def _shares(words: list[str]) -> list[float]:
    total, found = max(sum(map(len, words)), 1), [0.0] * 4
    for n in (*TOP, *DUPLICATE):
        grams = list(zip(*(words[i:] for i in range(n)), strict=False))
        counts = Counter(grams)
        if n in TOP:
            gram, count = counts.most_common(1)[0] if grams else ((), 0)
            found.append(round(sum(map(len, gram)) * count / total, PLACES) if count > 1 else 0.0)
            continue
        marked = {i + k for i, gram in enumerate(grams) if counts[gram] > 1 for k in range(n)}
        found.append(round(sum(len(words[i]) for i in marked) / total, PLACES))
    return found
