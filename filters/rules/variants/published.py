"""Gopher's rules with the thresholds of its paper (Rae et al. 2021, arXiv:2112.11446, appendix A.1.1 and table A1).

Every published variant counts in its own way, and starts from these. Language profiles are ours, so they are off.
"""

from typing import ClassVar

from gristmill.filters.core.filter import Filter, Rule

GOPHER = (
    *("short_doc", "long_doc", "below_avg_threshold", "above_avg_threshold", "too_many_hashes", "too_many_ellipsis"),
    *("too_many_bullets", "too_many_end_ellipsis", "below_alpha_threshold", "enough_stop_words"),  # sic: too few
)
TOP, DUPLICATE = range(2, 5), range(5, 11)  # lengths of n-grams
SHARES = (
    *("dup_paragraphs", "dup_paragraph_chars", "dup_lines", "dup_line_chars"),
    *(f"top_{n}_gram" for n in TOP),
    *(f"dup_{n}_grams" for n in DUPLICATE),
)
REPETITION = (
    *("dup_para_frac", "dup_para_char_frac", "dup_line_frac", "dup_line_char_frac"),
    *(f"top_{n}_gram" for n in TOP),
    *(f"duplicated_{n}_n_grams" for n in DUPLICATE),
)


class PublishedGopher(Filter):
    """Rules are named and ordered as in datatrove."""

    NAME: ClassVar[str] = "gopher"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant", "stop_words")

    use_profiles: bool = False
    stop_words: list[str] = ["the", "be", "to", "of", "and", "that", "have", "with"]

    min_words: int | None = 50
    max_words: int | None = 100_000
    min_word_length: float | None = 3.0  # characters, on average
    max_word_length: float | None = 10.0
    max_hash_ratio: float | None = 0.1  # "#" a word
    max_ellipsis_ratio: float | None = 0.1  # "..." and "…" a word
    max_bullet_lines: float | None = 0.9  # share of lines
    max_ellipsis_lines: float | None = 0.3
    min_alpha_words: float | None = 0.8  # share of words with a letter
    min_stop_words: int | None = 2

    def rules(self) -> dict[str, Rule]:
        rules = (
            Rule("words", "<", self.min_words),
            Rule("words", ">", self.max_words),
            Rule("word_length", "<", self.min_word_length),
            Rule("word_length", ">", self.max_word_length),
            Rule("hash_ratio", ">", self.max_hash_ratio),
            Rule("ellipsis_ratio", ">", self.max_ellipsis_ratio),
            Rule("bullet_lines", ">", self.max_bullet_lines),
            Rule("ellipsis_lines", ">", self.max_ellipsis_lines),
            Rule("alpha_words", "<", self.min_alpha_words),
            Rule("stop_words", "<", self.min_stop_words),
        )
        return dict(zip((f"gopher_{name}" for name in GOPHER), rules, strict=True))


class PublishedRepetition(Filter):
    """Rules are named and ordered as in datatrove. Each measure is a share."""

    NAME: ClassVar[str] = "repetition"
    MEASURED: ClassVar[tuple[str, ...]] = ("variant",)

    use_profiles: bool = False

    max_dup_paragraphs: float | None = 0.30  # of the paragraphs
    max_dup_paragraph_chars: float | None = 0.20
    max_dup_lines: float | None = 0.30  # of the lines
    max_dup_line_chars: float | None = 0.20
    max_top_2_gram: float | None = 0.20
    max_top_3_gram: float | None = 0.18
    max_top_4_gram: float | None = 0.16
    max_dup_5_grams: float | None = 0.15
    max_dup_6_grams: float | None = 0.14
    max_dup_7_grams: float | None = 0.13
    max_dup_8_grams: float | None = 0.12
    max_dup_9_grams: float | None = 0.11
    max_dup_10_grams: float | None = 0.10

    def rules(self) -> dict[str, Rule]:
        rules = (Rule(name, ">", getattr(self, f"max_{name}")) for name in SHARES)
        return dict(zip(REPETITION, rules, strict=True))
