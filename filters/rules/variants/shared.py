"""Shared by the published rule sets: no language profiles, forms and hashes of stop words, counts of symbols."""

from itertools import product

from gristmill.filters.core.filter import Filter
from gristmill.pipelines.kernels.intrinsics import kernel


class Published(Filter):
    """Base of the published rule sets: language profiles are ours, so these do not use them."""

    use_profiles: bool = False


def cases(word: str) -> list[str]:
    """Return every way to write a word in upper and lower case."""
    return ["".join(letters) for letters in product(*({letter.lower(), letter.upper()} for letter in word))]


@kernel
def count_symbols(offsets, data, counts):
    """Count in each document "#", and "..." or "…"."""
    for row in range(offsets.size - 1):
        hashes = ellipses = dots = 0
        stop = offsets[row + 1]
        for at in range(offsets[row], stop):
            byte = data[at]
            hashes += byte == 0x23
            dots = dots + 1 if byte == 0x2E else 0
            if dots == 3:
                ellipses, dots = ellipses + 1, 0
            ellipses += byte == 0xE2 and is_ellipsis(data, at, stop)
        counts[0, row], counts[1, row] = hashes, ellipses


@kernel
def is_ellipsis(data, at, stop):
    return at + 2 < stop and data[at] == 0xE2 and data[at + 1] == 0x80 and data[at + 2] == 0xA6
