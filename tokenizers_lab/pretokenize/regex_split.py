"""A user's own regex as a pretokenizer: slow, by PyPI's ``regex``, for what no scanner does."""

from functools import cache

import numpy as np
import regex

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged


@cache
def compiled(pattern: str) -> regex.Pattern:
    """The pattern, ready to search. Raises RecipeError, with the place, where it is none."""
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise RecipeError(f"the pretokenizer's pattern {pattern!r} is no regular expression: {error}") from None


def split_by_regex(pattern: str, text: Ragged) -> tuple[np.ndarray, np.ndarray]:
    """The first piece of each document and the first byte of each piece, as ``Pieces`` has them."""
    search, counts, ends = compiled(pattern).finditer, [0], [np.zeros(1, np.int64)]
    for row in range(text.rows):
        document = text.row(row).decode("utf-8", "surrogateescape")  # a bad byte is a character that no class has
        cuts = {place for match in search(document) for place in match.span()} | {0, len(document)}
        cuts = np.array(sorted(cuts - {0}), np.int64)
        ends.append(text.offsets[row] + _bytes_before(document)[cuts])
        counts.append(cuts.size)
    return np.cumsum(counts), np.concatenate(ends)


def _bytes_before(document: str) -> np.ndarray:
    """int64[n + 1]: how many bytes of UTF-8 come before each character."""
    codes = np.frombuffer(document.encode("utf-32-le", "surrogatepass"), np.uint32)
    sizes = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
    sizes[(codes >= 0xDC80) & (codes <= 0xDCFF)] = 1  # stands for one bad byte
    return np.concatenate(([0], np.cumsum(sizes)))
