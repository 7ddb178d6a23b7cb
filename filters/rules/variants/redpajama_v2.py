"""Gopher by the signals of RedPajama-V2 (togethercomputer/RedPajama-Data at 855a8e0, app/src/core/quality_signals).

The signals are published with the data. The thresholds are those of Gopher, which the data set's card applies.

* Words are counted in text without ASCII punctuation, in lower case, decomposed (NFD); ``don't`` is one word.
* Symbols and words with a letter are counted per token: a run of letters and digits, or of other signs.
* ``#``, ``...`` and ``…`` are counted together. A letter is one of A-Z and a-z, in any script.
* Lines lie between \\n, blank ones included. Bullets are ten signs, an en dash among them, without * and -.
* There are no rules on stop words (the signal uses lists by language that are not Gopher's), lines and paragraphs. The
  top n-gram counts if it occurs twice; of several, the first. Of longer n-grams, each word in a repeated one counts.
  Both are shares of the characters of words.

Python's own functions define these counts, so Python measures them, document by document, at 3 MB/s.
"""

import re
import string
import unicodedata
from collections import Counter
from typing import Literal

import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Count, Ratio, Share
from gristmill.filters.rules.paper_thresholds import DUPLICATE, SHARES, TOP, GopherSettings, RepetitionSettings
from gristmill.filters.rules.variants.nemo_curator import MEASURES
from gristmill.filters.rules.variants.shared import Published

MARKS = str.maketrans("", "", string.punctuation)
SYMBOLS = ("#", "...", "…")
BULLETS = ("\u2022", "\u2023", "\u25b6", "\u25c0", "\u25e6", "\u25a0", "\u25a1", "\u25aa", "\u25ab", "\u2013")
TOKEN = re.compile(r"\w+|[^\w\s]+")  # NLTK's WordPunctTokenizer
LETTER = re.compile("[a-zA-Z]")
LINE = re.compile(r"[^\n]*\n|[^\n]+$")
DECIMALS = 8  # of the published signals


def normalized_words(text: str) -> list[str]:
    """Return the words in lower case and NFD, without ASCII punctuation."""
    return unicodedata.normalize("NFD", text.translate(MARKS).lower().strip()).split()


class Rpv2Gopher(Published, GopherSettings):
    """Rule set that drops documents that are not prose. ``hash_ratio_too_high`` is RedPajama's symbol_to_word_ratio."""

    variant: Literal["rpv2"] = "rpv2"
    max_ellipsis_ratio: Ratio | None = None  # counted with "#"
    min_stop_words: Count | None = None

    def measure(self, batch: Batch) -> pl.DataFrame:
        rows = [self._counts(text) for text in batch.text.to_text().to_pylist()]
        return pl.DataFrame(rows, schema=MEASURES, orient="row")

    def _counts(self, text: str) -> tuple:
        words, tokens, lines = normalized_words(text), TOKEN.findall(text), LINE.findall(text)
        n, n_tokens, n_lines = max(len(words), 1), max(len(tokens), 1), max(len(lines), 1)
        return (
            len(words),
            round(sum(map(len, words)) / n, DECIMALS),
            round(sum(map(text.count, SYMBOLS)) / n_tokens, DECIMALS),
            0.0,
            sum(line.lstrip().startswith(BULLETS) for line in lines) / n_lines,
            round(sum(line.rstrip().endswith(SYMBOLS[1:]) for line in lines) / n_lines, DECIMALS),
            round(sum(bool(LETTER.search(token)) for token in tokens) / n_tokens, DECIMALS),
            0,
        )


class Rpv2Repetition(Published, RepetitionSettings):
    """Rule set that drops documents that repeat n-grams of words."""

    variant: Literal["rpv2"] = "rpv2"
    max_dup_paragraphs: Share | None = None  # not measured
    max_dup_paragraph_chars: Share | None = None
    max_dup_lines: Share | None = None
    max_dup_line_chars: Share | None = None

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
            found.append(round(sum(map(len, gram)) * count / total, DECIMALS) if count > 1 else 0.0)
            continue
        marked = {i + k for i, gram in enumerate(grams) if counts[gram] > 1 for k in range(n)}
        found.append(round(sum(len(words[i]) for i in marked) / total, DECIMALS))
    return found
