"""Gopher as NeMo Curator has it (NVIDIA-NeMo/Curator at 1e223f1, nemo_curator/stages/text/filters/heuristic_filter.py).

* Words stand between white space, marks and all. A word is a symbol if it is one of eight ellipses or a "#" alone.
* Lines are those that are not blank. Bullets are twelve round signs, and neither * nor -; a line also ends faded in
  "read more" or "-»". Stop words count as often as they come, in lower case only.
* Lines and paragraphs (between \\n\\n, blank ones too) count by what is left without copies: different ones of all, and
  their characters.
* The top n-gram counts by what ``str.replace`` would take out, inside of words and across n-grams; of equally frequent
  ones, which NeMo takes in the order of a hash set, the first met is taken here. Of n-grams of five and more, every
  copy but the first counts, with the spaces in it, characters once. Both are shares of the whole text, and a document
  of fewer words than n has a share of 1.

It is defined by Python's own functions, so it is measured by them, one document after the other, at 2 MB/s.
"""

from collections import Counter
from typing import Literal

import polars as pl
import regex

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Rule
from gristmill.filters.rules.variants.published import (
    DUPLICATE,
    REPETITION,
    SHARES,
    TOP,
    PublishedGopher,
    PublishedRepetition,
)

ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
BULLETS = tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")
LETTER = regex.compile("[[:alpha:]]")


class NemoGopher(PublishedGopher):
    """Drops what is not prose, as NeMo Curator tells it. ``gopher_too_many_hashes`` is its SymbolsToWordsFilter."""

    variant: Literal["nemo"] = "nemo"
    max_ellipsis_ratio: float | None = None  # counted with the "#"

    def measure(self, batch: Batch) -> pl.DataFrame:
        rows = [self._of(text) for text in batch.text.to_text().to_pylist()]
        return pl.DataFrame(rows, schema=MEASURES, orient="row")

    def _of(self, text: str) -> tuple:
        words, lines = text.split(), _lines(text)
        n, n_lines, stop_words = max(len(words), 1), max(len(lines), 1), set(self.stop_words)
        stripped = [line.strip() for line in lines]
        return (
            len(words),
            sum(map(len, words)) / n,
            sum(word in ELLIPSES or word == "#" for word in words) / n,
            0.0,
            sum(line.startswith(BULLETS) for line in stripped) / n_lines,
            sum(line.lower().endswith(ELLIPSES) for line in stripped) / n_lines,
            sum(bool(LETTER.search(word)) for word in words) / n,
            sum(word in stop_words for word in words),
        )


MEASURES = {
    **{"words": pl.Int64, "word_length": pl.Float64, "hash_ratio": pl.Float64, "ellipsis_ratio": pl.Float64},
    **{"bullet_lines": pl.Float64, "ellipsis_lines": pl.Float64, "alpha_words": pl.Float64, "stop_words": pl.Int64},
}


class NemoRepetition(PublishedRepetition):
    """Drops documents that shrink too much without their copies."""

    variant: Literal["nemo"] = "nemo"
    # Shares of what is different, which must not be below these; the names are those of the measures.
    min_unique_paragraphs: float | None = 0.7
    min_unique_paragraph_chars: float | None = 0.8
    min_unique_lines: float | None = 0.7
    min_unique_line_chars: float | None = 0.8
    max_dup_paragraphs: None = None
    max_dup_paragraph_chars: None = None
    max_dup_lines: None = None
    max_dup_line_chars: None = None

    def measure(self, batch: Batch) -> pl.DataFrame:
        names = [name.replace("dup_", "unique_") if i < 4 else name for i, name in enumerate(SHARES)]
        rows = [_shares(text) for text in batch.text.to_text().to_pylist()]
        return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64), orient="row")

    def rules(self) -> dict[str, Rule]:
        names = [name.replace("dup_", "unique_") for name in SHARES[:4]]
        unique = {rule: Rule(name, "<", getattr(self, f"min_{name}")) for rule, name in zip(REPETITION, names)}  # noqa: B905
        return {**unique, **{rule: kept for rule, kept in super().rules().items() if rule not in unique}}


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.strip()]


def _shares(text: str) -> list[float]:
    words, found = text.split(), []
    for parts in (text.split("\n\n"), _lines(text)):
        different, characters = set(parts), sum(map(len, parts))
        found.append(len(different) / len(parts) if parts else 1.0)
        found.append(sum(map(len, different)) / characters if characters else 1.0)
    for n in (*TOP, *DUPLICATE):
        if len(words) < n:
            found.append(1.0)
            continue
        grams = list(zip(*(words[i:] for i in range(n)), strict=False))
        found.append((_top if n in TOP else _copied)(grams, text) / len(text))
    return found


def _top(grams: list[tuple[str, ...]], text: str) -> int:
    """Characters that go if the most frequent n-gram is taken out of the text."""
    gram = " ".join(Counter(grams).most_common(1)[0][0])  # of equally frequent ones, the first met
    return text.count(gram) * len(gram)


def _copied(grams: list[tuple[str, ...]], text: str) -> int:
    """Characters of n-grams that came before, the spaces between their words among them, each once."""
    seen, total, shared = set(), 0, 0  # shared: words that the copy before has counted
    for gram in grams:
        if gram in seen:
            total += sum(map(len, gram[shared:])) + min(len(gram) - shared, len(gram) - 1)
            shared = len(gram)
        seen.add(gram)
        shared = max(shared - 1, 0)
    return total
