"""Gopher's quality rules (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1), counted by our own word rules.

The paper leaves some counts open, and common code counts some of them wrongly. We count as follows:

* Words, and their mean length: tokens of filters/words/unicode_words.py with a letter or a digit. ``#`` and ``...`` are
  divided by all tokens, punctuation included.
* Alphabetic words: runs between white space, as in the paper, of which 80 % must hold a letter. With punctuation as
  tokens of its own, a fifth is soon reached: 68 % of the pages of a German manual would fail.
* ``#`` counts where it is a token (``#tag``, ``C#``), not inside a URL. A run of full stops is one ellipsis.
* Lines: all that are not blank. A bullet is one of • ‣ ⁃ ◦ · ● ○ ■ □ ▪ ▫ ▶ ►, or one of - – * before white space.
  "-5" and "*sic*" are no bullets. (datatrove accepts • and - before anything, and counts blank lines.)
* Stop words: distinct ones, in lower, upper or title case. The list is that of the document's language profile, or
  ``stop_words`` if the profile has none or the language is unknown.
* Capitals: a rule of ours. Words of one letter do not count as capitals.
* Stop-word ratio: a rule of ours. Two stop words prove little in a long text: a text whose stop words were removed may
  keep a few. Of novels, speeches, essays and reviews 99 in 100 have a ratio of 0.1 or more; of texts whose stop words
  were removed three quarters have 0.005 or less:
  ``python -m benchmarks.quality DATA --spread gopher.stop_word_ratio``.
"""

from functools import cache
from typing import ClassVar, Literal

import numpy as np
import polars as pl

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE, Share
from gristmill.filters.core.profiles import shipped_profile, stop_words
from gristmill.filters.rules.paper_thresholds import GopherSettings
from gristmill.filters.words.words import BEGINS_LINE, CAPITALS, ELLIPSIS, HAS_LETTER, HAS_NUMBER, PUNCTUATION_ONLY
from gristmill.pipelines.kernels.hashing import hash_word, load_short
from gristmill.pipelines.kernels.intrinsics import contains, inline_kernel, kernel, popcount
from gristmill.pipelines.ragged import Ragged


class Gopher(GopherSettings):
    """Rule set that drops documents that are not prose: too short or long, odd words, lists, symbols, no stop words."""

    RULES: ClassVar[tuple[str, ...]] = (*GopherSettings.RULES, "max_capital_words", "min_stop_word_ratio")

    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED_BY_PROFILE: ClassVar[tuple[str, ...]] = ("stop_words",)

    variant: Literal["gristmill"] = "gristmill"  # others: filters/rules/variants
    max_capital_words: Share | None = 0.5  # of the words with a letter
    min_stop_word_ratio: Share | None = 0.01  # stop words, of the words with a letter; 1 for fewer than MIN_WORDS

    def stop_words_of(self, profile: str) -> list[str]:
        """Return the stop words of a profile: of the recipe, or of the shipped profile behind it, or the default."""
        return self.overrides(profile).get("stop_words") or stop_words(shipped_profile(profile)) or self.stop_words

    def measure(self, batch: Batch) -> pl.DataFrame:
        """Return the columns of GopherSettings.RULES; a document without words has 0 in each, and 1 in the last."""
        profiles, profile = np.unique(self.profile_of(batch.language, batch.text.rows).astype(str), return_inverse=True)
        tables = stop_word_tables([self.stop_words_of(name) for name in profiles])
        counts = np.zeros((len(COUNTS), batch.text.rows), np.int64)
        count(batch.text.data, *batch.words, profile, *tables, counts)
        total = dict(zip(COUNTS, counts, strict=True))
        tokens, lines = total["tokens"].clip(1), total["lines"].clip(1)
        letters = total["letter_words"]
        return pl.DataFrame(
            {
                "words": total["words"],
                "word_length": total["chars"] / total["words"].clip(1),
                "hash_ratio": total["hashes"] / tokens,
                "ellipsis_ratio": total["ellipses"] / tokens,
                "bullet_lines": total["bullet_lines"] / lines,
                "ellipsis_lines": total["ellipsis_lines"] / lines,
                "alpha_words": total["alpha_chunks"] / total["chunks"].clip(1),
                "stop_words": total["stop_words"],
                "capital_words": total["capital_words"] / letters.clip(1),
                "stop_word_ratio": np.where(letters >= MIN_WORDS, total["stop_hits"] / letters.clip(1), 1.0),
            }
        )


COUNTS = (
    *("words", "chars", "tokens", "chunks", "alpha_chunks", "hashes", "ellipses"),
    *("lines", "bullet_lines", "ellipsis_lines", "letter_words", "capital_words", "stop_hits", "stop_words"),
)
MIN_WORDS = 100  # words with a letter, to measure the stop-word ratio by
SLOTS = 1024  # of a table of stop words: 64 words in 3 cases fill a fifth, so most lookups take one probe


def stop_word_tables(lists: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Return hash tables uint64[lists, SLOTS] of the words in three cases, and the bit of each, uint64."""
    tables = np.zeros((2, len(lists), SLOTS), np.uint64)
    for row, words in enumerate(lists):
        tables[:, row] = _stop_word_table(tuple(words))
    return tables[0], tables[1]


@cache
def _stop_word_table(words: tuple[str, ...]) -> np.ndarray:
    """Return the table of one list, uint64[2, SLOTS]; those of a batch in ten languages took 30 ms to make."""
    table = np.zeros((2, SLOTS), np.uint64)
    for bit, word in enumerate(words):
        for form in {word, word.upper(), word[:1].upper() + word[1:]}:
            text = Ragged.from_strings([form]).data
            _insert(*table, np.uint64(hash_word(text, 0, text.size)), np.uint64(1 << bit))
    return table


@kernel
def _insert(keys, bits, key, bit):
    slot = np.int64(key & np.uint64(SLOTS - 1))
    while bits[slot] and keys[slot] != key:
        slot = (slot + 1) % SLOTS
    keys[slot] = key
    bits[slot] |= bit


@inline_kernel
def _find(keys, bits, row, key):
    """Return the bit of a stop word; 0 for any other word."""
    slot = np.int64(key & np.uint64(SLOTS - 1))
    while bits[row, slot] and keys[row, slot] != key:
        slot = (slot + 1) % SLOTS
    return bits[row, slot]


@kernel
def count(data, offsets, start, end, hashes, lengths, flags, profile, keys, bits, counts):
    """Fill ``counts`` int64[14, documents], in the order of COUNTS."""
    for row in range(offsets.size - 1):
        words = chars = chunks = alpha = hashtags = ellipses = lines = bullets = ellipsis_lines = 0
        letters = capitals = hits = 0
        found, previous, edge, has_letter = np.uint64(0), 0, -1, 0  # edge: the end of the previous word
        for i in range(offsets[row], offsets[row + 1]):
            flag = flags[i]
            is_word = flag & (HAS_LETTER | HAS_NUMBER) != 0
            words += is_word
            chars += lengths[i] * is_word
            ellipses += flag & ELLIPSIS != 0
            if start[i] != edge:
                chunks += 1
                alpha += has_letter
                has_letter = 0
            has_letter |= flag & HAS_LETTER
            edge = end[i]
            if flag & PUNCTUATION_ONLY and data[start[i]] == ord("#"):
                hashtags += lengths[i]
            if flag & BEGINS_LINE:
                lines += 1
                ellipsis_lines += previous & ELLIPSIS != 0
                if not is_word:
                    spaced = i + 1 == offsets[row + 1] or start[i + 1] > end[i]
                    bullets += _is_bullet(data, start[i], end[i], spaced)
            if flag & HAS_LETTER:
                letters += 1
                capitals += flag & CAPITALS != 0 and lengths[i] > 1
                bit = _find(keys, bits, profile[row], hashes[i])
                found |= bit
                hits += bit != 0
            previous = flag
        alpha += has_letter
        ellipsis_lines += previous & ELLIPSIS != 0
        tokens = offsets[row + 1] - offsets[row]
        values = (
            *(words, chars, tokens, chunks, alpha, hashtags, ellipses),
            *(lines, bullets, ellipsis_lines, letters, capitals, hits),
        )
        for j, value in enumerate(values):
            counts[j, row] = value
        counts[len(values), row] = popcount(found)


BULLETS = np.array([int.from_bytes(c.encode(), "little") for c in "•‣⁃◦·●○■□▪▫▶►"], np.uint64)
SPACED_BULLETS = np.array([int.from_bytes(c.encode(), "little") for c in "-–*"], np.uint64)


@kernel
def _is_bullet(data, begin, end, spaced):
    """True if this token, the first of its line and not a word, is a bullet."""
    if end - begin > 3:
        return False
    mark = load_short(data, begin, end - begin)
    return contains(mark, BULLETS) or (spaced and contains(mark, SPACED_BULLETS))
