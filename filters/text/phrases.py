"""Search for a few fixed phrases by their rarest letter, inside a kernel that reads the text anyway.

The keyword filter's automaton searches for thousands of terms. For a dozen, this search needs no state, and reads only
the bytes that are a rare letter.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

RARE_FIRST = "zqxjkvbpygfwmucldrhsnioate"  # English letters, rarest first


class Phrases(NamedTuple):
    """Phrase p is the bytes ``offsets[p]:offsets[p + 1]`` of ``data``; byte b anchors the phrases first[b]:last[b]."""

    offsets: np.ndarray  # int64[n + 1]
    data: np.ndarray  # uint8
    anchor: np.ndarray  # int64[n]: position of the anchor in the phrase
    number: np.ndarray  # int64[n]: number of the phrase in the given list
    first: np.ndarray  # int64[256]
    last: np.ndarray  # int64[256]


def phrases(terms: list[str]) -> Phrases:
    """Prepare a case-insensitive search for ASCII terms. Raises ValueError for other terms."""
    for term in terms:
        if not term or not term.isascii() or term != term.lower():
            raise ValueError(f"phrase {term!r} must be lower-case ASCII, and not empty")
    order = sorted(range(len(terms)), key=lambda i: _anchor(terms[i])[1])
    anchors = [_anchor(terms[i]) for i in order]
    letters = np.array([ord(letter) for _, letter in anchors], np.uint8)
    every = np.arange(256)
    first, last = np.searchsorted(letters, every, "left"), np.searchsorted(letters, every, "right")
    first[65:91], last[65:91] = first[97:123], last[97:123]  # upper-case bytes anchor the same phrases
    ragged = Ragged.from_strings([terms[i] for i in order])
    arrays = (np.array([at for at, _ in anchors], np.int64), np.array(order, np.int64), first, last)
    for array in arrays:
        array.flags.writeable = False
    return Phrases(*ragged, *arrays)


def _anchor(term: str) -> tuple[int, str]:
    """Return the position and letter of a term's rarest letter."""
    rarity = {letter: rank for rank, letter in enumerate(RARE_FIRST)}
    at = min(range(len(term)), key=lambda i: rarity.get(term[i], -1 if term[i] != " " else 99))
    return at, term[at]


@kernel
def phrase_around(data, at, start, end, search):
    """Return the number of the phrase in ``data[start:end]`` with its anchor at ``at``; -1 if there is none."""
    for p in range(search.first[data[at]], search.last[data[at]]):
        begin = at - search.anchor[p]
        length = search.offsets[p + 1] - search.offsets[p]
        if begin < start or begin + length > end:
            continue
        k = 0
        while k < length and _lower(data[begin + k]) == search.data[search.offsets[p] + k]:
            k += 1
        if k == length:
            return search.number[p]
    return -1


@inline_kernel
def _lower(byte):
    return byte + 0x20 if 0x41 <= byte <= 0x5A else byte
