"""Gopher as in NeMo Curator (NVIDIA-NeMo/Curator at 1e223f1, nemo_curator/stages/text/filters/heuristic_filter.py).

* Words lie between white space. A word is a symbol if it is one of eight ellipses or a single "#".
* Blank lines do not count. Bullets are twelve round signs, without * and -. A line ends with an ellipsis also
  if it ends with "read more" or "-»". Stop words count at each occurrence, in lower case only.
* Lines and paragraphs (between \\n\\n, blank ones included) are measured without their copies: distinct ones, of all,
  and their characters.
* The top n-gram counts what ``str.replace`` would remove, inside words and across n-grams. Of equally frequent ones the
  first is taken; NeMo takes one in the order of a hash set. Of n-grams of five words and more, every copy except the
  first counts, with its spaces, each character once. Both are shares of the whole text. A document of fewer words than
  n has a share of 1.

Python's own functions define these counts, so Python measures them, document by document, at 2 MB/s.
"""

from collections import Counter
from typing import ClassVar, Literal

import polars as pl
import regex

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import Ratio, Share
from gristmill.filters.rules.paper_thresholds import DUPLICATE, SHARES, TOP, GopherSettings, RepetitionSettings
from gristmill.filters.rules.variants.shared import Published

ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
BULLETS = tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")
UNIQUE = tuple(name.replace("dup_", "unique_") for name in SHARES[:4])
LETTER = regex.compile("[[:alpha:]]")


class NemoGopher(Published, GopherSettings):
    """Rule set that drops documents that are not prose. ``hash_ratio_too_high`` is NeMo's SymbolsToWordsFilter."""

    variant: Literal["nemo"] = "nemo"
    max_ellipsis_ratio: Ratio | None = None  # counted with "#"

    def measure(self, batch: Batch) -> pl.DataFrame:
        rows = [self._counts(text) for text in batch.text.to_text().to_pylist()]
        return pl.DataFrame(rows, schema=MEASURES, orient="row")

    def _counts(self, text: str) -> tuple:
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


class NemoRepetition(Published, RepetitionSettings):
    """Rule set that drops documents that shrink too much without their copies."""

    RULES: ClassVar[tuple[str, ...]] = (*(f"min_{name}" for name in UNIQUE), *RepetitionSettings.RULES[4:])

    variant: Literal["nemo"] = "nemo"
    min_unique_paragraphs: Share | None = 0.7  # of the paragraphs
    min_unique_paragraph_chars: Share | None = 0.8
    min_unique_lines: Share | None = 0.7
    min_unique_line_chars: Share | None = 0.8
    max_dup_paragraphs: None = None
    max_dup_paragraph_chars: None = None
    max_dup_lines: None = None
    max_dup_line_chars: None = None

    def measure(self, batch: Batch) -> pl.DataFrame:
        rows = [_shares(text) for text in batch.text.to_text().to_pylist()]
        return pl.DataFrame(rows, schema=dict.fromkeys([*UNIQUE, *SHARES[4:]], pl.Float64), orient="row")


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
    """Return the characters that removing the most frequent n-gram from the text removes."""
    gram = " ".join(Counter(grams).most_common(1)[0][0])  # of equally frequent ones, the first met
    return text.count(gram) * len(gram)


def _copied(grams: list[tuple[str, ...]], text: str) -> int:
    """Return the characters of n-grams that occurred before, spaces between their words included, each once."""
    seen, total, shared = set(), 0, 0  # shared: words that the previous copy counted
    for gram in grams:
        if gram in seen:
            total += sum(map(len, gram[shared:])) + min(len(gram) - shared, len(gram) - 1)
            shared = len(gram)
        seen.add(gram)
        shared = max(shared - 1, 0)
    return total
