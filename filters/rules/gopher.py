"""Gopher's quality rules (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1), over filters/words/words.py.

How we count, where the paper leaves it open or the common code errs:

* Words, and their mean length, are those with a letter or a digit; ``#`` and ``...`` are set against all, marks too.
* The words of which 80 % must hold a letter are those between white space, as the paper has them. Where each mark is
  a word of its own, a fifth of them is soon reached: 68 % of a German manual's pages fail.
* ``#`` counts where it is a mark (``#tag``, ``C#``), not inside an address; a run of full stops is one ellipsis.
* Lines are those that are not blank. A bullet is one of • ‣ ⁃ ◦ · ● ○ ■ □ ▪ ▫ ▶ ►, or of - – * with white space
  behind it: "-5" and "*sic*" are none. (datatrove knows • and -, anywhere, and counts blank lines.)
* Stop words count once each, in lower, upper or title case, by the document's language profile: where that has no
  list, or no language is known, those of ``stop_words``.
* One rule is ours: text in capitals, a word of one letter being none.
"""

from typing import ClassVar, Literal

import numpy as np
import polars as pl
from pydantic import field_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.core.filter import LANGUAGE, Filter, Rule
from gristmill.filters.core.profiles import stop_words
from gristmill.filters.words.words import BEGINS_LINE, CAPITALS, ELLIPSIS, HAS_LETTER, HAS_NUMBER, PUNCTUATION_ONLY
from gristmill.pipelines.kernels.hashing import hash_word, load_short
from gristmill.pipelines.kernels.intrinsics import contains, inline_kernel, kernel, popcount
from gristmill.pipelines.ragged import Ragged

PAPER = ["the", "be", "to", "of", "and", "that", "have", "with"]
MAX_STOP_WORDS = 64  # of a list: a bit each


class Gopher(Filter):
    """Drops what is not prose: too short or long, odd words, lists, symbols, no stop words."""

    NAME: ClassVar[str] = "gopher"
    NEEDS: ClassVar[tuple[str, ...]] = (LANGUAGE,)
    MEASURED: ClassVar[tuple[str, ...]] = ("variant", "stop_words")

    variant: Literal["gristmill"] = "gristmill"  # others: filters/variants
    stop_words: list[str] = PAPER  # lower case; those of a language profile come first

    min_words: int | None = 50
    max_words: int | None = 100_000
    min_word_length: float | None = 3.0  # characters, on average
    max_word_length: float | None = 10.0
    max_hash_ratio: float | None = 0.1  # "#" a word
    max_ellipsis_ratio: float | None = 0.1  # "..." and "…" a word
    max_bullet_lines: float | None = 0.9  # share of lines
    max_ellipsis_lines: float | None = 0.3
    min_alpha_words: float | None = 0.8  # share of what stands between white space that holds a letter
    min_stop_words: int | None = 2  # different ones
    max_capital_words: float | None = 0.5  # share of words with a letter

    @field_validator("stop_words")
    @classmethod
    def _has_a_bit_for_each(cls, words: list[str]) -> list[str]:
        if len(words) > MAX_STOP_WORDS:
            raise ValueError(f"{len(words)} stop words are more than {MAX_STOP_WORDS}; the most frequent ones do")
        return words

    def measure(self, batch: Batch) -> pl.DataFrame:
        """A document without words has a mean word length, ratios and shares of 0."""
        profiles, profile = np.unique(batch.profile.astype(str), return_inverse=True)
        lists = [stop_words(name) or self.stop_words for name in profiles]
        tables = stop_word_tables(lists)
        counts = np.zeros((len(COUNTS), batch.text.rows), np.int64)
        count(batch.text.data, *batch.words, profile, *tables, counts)
        of = dict(zip(COUNTS, counts, strict=True))
        every, lines = of["all_words"].clip(1), of["lines"].clip(1)
        return pl.DataFrame(
            {
                "words": of["words"],
                "word_length": of["chars"] / of["words"].clip(1),
                "hash_ratio": of["hashes"] / every,
                "ellipsis_ratio": of["ellipses"] / every,
                "bullet_lines": of["bullet_lines"] / lines,
                "ellipsis_lines": of["ellipsis_lines"] / lines,
                "alpha_words": of["alpha_chunks"] / of["chunks"].clip(1),
                "stop_words": of["stop_words"],
                "capital_words": of["capital_words"] / of["letter_words"].clip(1),
            }
        )

    def rules(self) -> dict[str, Rule]:
        return {
            "too_few_words": Rule("words", "<", self.min_words),
            "too_many_words": Rule("words", ">", self.max_words),
            "words_too_short": Rule("word_length", "<", self.min_word_length),
            "words_too_long": Rule("word_length", ">", self.max_word_length),
            "too_many_hashes": Rule("hash_ratio", ">", self.max_hash_ratio),
            "too_many_ellipses": Rule("ellipsis_ratio", ">", self.max_ellipsis_ratio),
            "too_many_bullets": Rule("bullet_lines", ">", self.max_bullet_lines),
            "too_many_ellipsis_lines": Rule("ellipsis_lines", ">", self.max_ellipsis_lines),
            "too_few_alphabetic_words": Rule("alpha_words", "<", self.min_alpha_words),
            "too_few_stop_words": Rule("stop_words", "<", self.min_stop_words),
            "too_many_capitals": Rule("capital_words", ">", self.max_capital_words),
        }


COUNTS = (
    *("words", "chars", "all_words", "chunks", "alpha_chunks", "hashes", "ellipses"),
    *("lines", "bullet_lines", "ellipsis_lines", "letter_words", "capital_words", "stop_words"),
)
SLOTS = 1024  # of a stop word table: 64 words in 3 cases leave four of five empty, so most words need one look


def stop_word_tables(lists: list[list[str]]) -> tuple[np.ndarray, np.ndarray]:
    """Word lists -> hash tables uint64[lists, SLOTS] of the words in three cases, and their bits uint64."""
    keys, bits = np.zeros((len(lists), SLOTS), np.uint64), np.zeros((len(lists), SLOTS), np.uint64)
    for row, words in enumerate(lists):
        for bit, word in enumerate(words):
            for form in {word, word.upper(), word[:1].upper() + word[1:]}:
                text = Ragged.from_strings([form]).data
                _enter(keys[row], bits[row], np.uint64(hash_word(text, 0, text.size)), np.uint64(1 << bit))
    return keys, bits


@kernel
def _enter(keys, bits, key, bit):
    slot = np.int64(key & np.uint64(SLOTS - 1))
    while bits[slot] and keys[slot] != key:
        slot = (slot + 1) % SLOTS
    keys[slot] = key
    bits[slot] |= bit


@inline_kernel
def _look_up(keys, bits, row, key):
    """The bit of a stop word; 0 for another word."""
    slot = np.int64(key & np.uint64(SLOTS - 1))
    while bits[row, slot] and keys[row, slot] != key:
        slot = (slot + 1) % SLOTS
    return bits[row, slot]


@kernel
def count(data, offsets, start, end, hashes, lengths, flags, profile, keys, bits, counts):
    """Words -> int64[13, documents] in the order of COUNTS."""
    for row in range(offsets.size - 1):
        words = chars = chunks = alpha = marks = ellipses = lines = bullets = faded = letters = capitals = 0
        found, previous, edge, has_letter = np.uint64(0), 0, -1, 0  # edge: where the word before ended
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
                marks += lengths[i]
            if flag & BEGINS_LINE:
                lines += 1
                faded += previous & ELLIPSIS != 0
                if not is_word:
                    spaced = i + 1 == offsets[row + 1] or start[i + 1] > end[i]
                    bullets += _is_bullet(data, start[i], end[i], spaced)
            if flag & HAS_LETTER:
                letters += 1
                capitals += flag & CAPITALS != 0 and lengths[i] > 1
                found |= _look_up(keys, bits, profile[row], hashes[i])
            previous = flag
        alpha += has_letter
        faded += previous & ELLIPSIS != 0
        every = offsets[row + 1] - offsets[row]
        values = (words, chars, every, chunks, alpha, marks, ellipses, lines, bullets, faded, letters, capitals)
        for j, value in enumerate(values):
            counts[j, row] = value
        counts[len(values), row] = popcount(found)


BULLETS = np.array([int.from_bytes(c.encode(), "little") for c in "•‣⁃◦·●○■□▪▫▶►"], np.uint64)
SPACED_BULLETS = np.array([int.from_bytes(c.encode(), "little") for c in "-–*"], np.uint64)


@kernel
def _is_bullet(data, begin, end, spaced):
    """Does this word of marks, the first of its line, make the line an item?"""
    if end - begin > 3:
        return False
    mark = load_short(data, begin, end - begin)
    return contains(mark, BULLETS) or (spaced and contains(mark, SPACED_BULLETS))
