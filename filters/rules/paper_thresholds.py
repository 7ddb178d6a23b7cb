"""Settings of Gopher, with the thresholds of its paper (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1, table A1).

Our rule sets and all published variants share these settings and rules. They differ in their measures.
"""

from typing import ClassVar

from pydantic import field_validator

from gristmill.filters.core.filter import Count, Filter, Ratio, Share

MAX_STOP_WORDS = 64  # of a list: a bit each
TOP, DUPLICATE = range(2, 5), range(5, 11)  # lengths of n-grams
SHARES = (
    *("dup_paragraphs", "dup_paragraph_chars", "dup_lines", "dup_line_chars"),
    *(f"top_{n}_gram" for n in TOP),
    *(f"dup_{n}_grams" for n in DUPLICATE),
)


class GopherSettings(Filter):
    """Settings of every rule set on the quality of a document."""

    NAME: ClassVar[str] = "gopher"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant", "stop_words")
    RULES: ClassVar[tuple[str, ...]] = (
        *("min_words", "max_words", "min_word_length", "max_word_length", "max_hash_ratio", "max_ellipsis_ratio"),
        *("max_bullet_lines", "max_ellipsis_lines", "min_alpha_words", "min_stop_words"),
    )

    stop_words: list[str] = ["the", "be", "to", "of", "and", "that", "have", "with"]  # lower case

    min_words: Count | None = 50
    max_words: Count | None = 100_000
    min_word_length: Ratio | None = 3.0  # mean, in characters
    max_word_length: Ratio | None = 10.0
    max_hash_ratio: Ratio | None = 0.1  # "#" per word
    max_ellipsis_ratio: Ratio | None = 0.1  # "..." and "…" per word
    max_bullet_lines: Share | None = 0.9  # of the lines
    max_ellipsis_lines: Share | None = 0.3  # of the lines
    min_alpha_words: Share | None = 0.8  # words with a letter, of all words
    min_stop_words: Count | None = 2

    @field_validator("stop_words")
    @classmethod
    def _has_a_bit_for_each(cls, words: list[str]) -> list[str]:
        if len(words) > MAX_STOP_WORDS:
            raise ValueError(f"{len(words)} stop words, at most {MAX_STOP_WORDS} are counted; keep the most frequent")
        return words


class RepetitionSettings(Filter):
    """Settings of every rule set on repetition. Each measure is a share."""

    NAME: ClassVar[str] = "repetition"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant",)
    RULES: ClassVar[tuple[str, ...]] = tuple(f"max_{name}" for name in SHARES)

    max_dup_paragraphs: Share | None = 0.30  # of the paragraphs
    max_dup_paragraph_chars: Share | None = 0.20  # characters of these, of all characters
    max_dup_lines: Share | None = 0.30  # of the lines
    max_dup_line_chars: Share | None = 0.20
    max_top_2_gram: Share | None = 0.20  # characters of the most frequent n-gram
    max_top_3_gram: Share | None = 0.18
    max_top_4_gram: Share | None = 0.16
    max_dup_5_grams: Share | None = 0.15  # characters of n-grams that occur more than once
    max_dup_6_grams: Share | None = 0.14
    max_dup_7_grams: Share | None = 0.13
    max_dup_8_grams: Share | None = 0.12
    max_dup_9_grams: Share | None = 0.11
    max_dup_10_grams: Share | None = 0.10
