"""A user's regex as a pre-tokenizer, by the ``regex`` package: slow, for rules that no scanner implements."""

from functools import cache

import numpy as np
import regex

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged


@cache
def compiled(pattern: str) -> regex.Pattern:
    """Compile a pattern. Raises RecipeError, with the place, if it is invalid."""
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise RecipeError(f"pre-tokenizer pattern {pattern!r} is not a valid regular expression: {error}") from None


def split_by_regex(pattern: str, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """Return the first pre-token of each document and the first byte of each pre-token, as PreTokens has them."""
    search, counts, ends = compiled(pattern).finditer, [0], [np.zeros(1, np.int64)]
    for row in range(text.rows):
        document = text.row(row).decode("utf-8", "surrogateescape")  # a bad byte is a character of no class
        places = {place for match in search(document) for place in match.span()} | {len(document)}
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
