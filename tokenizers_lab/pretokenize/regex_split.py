"""A user's regex as a pre-tokenizer, by the ``regex`` package: slow, for rules that no scanner implements."""

import re
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged

if TYPE_CHECKING:
    import regex

SECONDS = 10  # for each started megabyte of a document, most patterns taking under one
FORM = re.compile(r"regex(?:/([1-9][0-9]{0,6}))?:(.*)", re.DOTALL)


class RegexSplit(NamedTuple):
    """Pre-tokenizer ``regex:PATTERN``, or ``regex/SECONDS:PATTERN`` with another limit of time."""

    pattern: str
    seconds: int = SECONDS  # of CPU time, for each started megabyte of a document

    @classmethod
    def of(cls, pretokenizer: str) -> "RegexSplit | None":
        """Parse the name of a pre-tokenizer; None if it is no pattern."""
        form = FORM.fullmatch(pretokenizer)
        return cls(form[2], int(form[1] or SECONDS)) if form else None


@cache
def compiled(pattern: str) -> "regex.Pattern":
    """Compile a pattern. Raises RecipeError, with the place, if it is invalid."""
    import regex

    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise RecipeError(f"pre-tokenizer pattern {pattern!r} is not a valid regular expression: {error}") from None


def split_by_regex(split: RegexSplit, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Return the first pre-token of each document and the first byte of each pre-token, as PreTokens has them.

    Raises RecipeError for a document that takes longer than the limit.
    """
    search, counts, ends = compiled(split.pattern).finditer, [0], [np.zeros(1, np.int64)]
    for row in range(text.rows):
        document = text.row(row).decode("utf-8", "surrogateescape")  # a bad byte is a character of no class
        limit = split.seconds * (1 + len(document) // 1_000_000)
        try:
            places = {place for match in search(document, timeout=limit) for place in match.span()} | {len(document)}
        except TimeoutError:
            raise RecipeError(
                f"pre-tokenizer pattern {split.pattern!r} took over {limit} s for a document of {len(document):,} "
                f"characters: it backtracks; use ++, *+ or (?>…), or allow more by regex/{6 * split.seconds}:PATTERN"
            ) from None
        cuts = np.array(sorted(places - {0}), np.int64)
        ends.append(text.offsets[row] + _bytes_before(document)[cuts])
        counts.append(cuts.size)
    return np.cumsum(counts), np.concatenate(ends)


def _bytes_before(document: str) -> np.ndarray:
    """Return the number of UTF-8 bytes before each character, int64[n + 1]."""
    codes = np.frombuffer(document.encode("utf-32-le", "surrogatepass"), np.uint32)
    sizes = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    sizes[(codes >= 0xDC80) & (codes <= 0xDCFF)] = 1  # stands for one bad byte
    return np.concatenate(([0], np.cumsum(sizes)))
