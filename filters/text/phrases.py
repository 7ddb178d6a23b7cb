"""A few fixed phrases, looked for by their rarest letter while a kernel reads a text anyway.

For thousands of terms use the automaton of the keyword filter; for a dozen this needs no state, and touches only
the few bytes that are a rare letter.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

RARE_FIRST = "zqxjkvbpygfwmucldrhsnioate"  # letters of English, the rarest first


class Phrases(NamedTuple):
    """Phrase p is the bytes ``offsets[p]:offsets[p + 1]`` of ``data``; those of anchor byte b are first[b]:last[b]."""

    offsets: np.ndarray  # int64[n + 1]
    data: np.ndarray  # uint8
    anchor: np.ndarray  # int64[n]: where in the phrase its anchor is
    number: np.ndarray  # int64[n]: the phrase's place in the list given
    first: np.ndarray  # int64[256]
    last: np.ndarray  # int64[256]


def phrases(terms: list[str]) -> Phrases:
    """Prepare a search without regard to case for ASCII terms; raises ValueError for any other."""
    for term in terms:
        if not term or not term.isascii() or term != term.lower():
            raise ValueError(f"phrase {term!r} must be lower-case ASCII, and not empty")
    order = sorted(range(len(terms)), key=lambda i: _anchor(terms[i])[1])
    anchors = [_anchor(terms[i]) for i in order]
    letters = np.array([ord(letter) for _, letter in anchors], np.uint8)
    every = np.arange(256)
    first, last = np.searchsorted(letters, every, "left"), np.searchsorted(letters, every, "right")
    first[65:91], last[65:91] = first[97:123], last[97:123]  # capitals are looked up as they stand
    ragged = Ragged.from_strings([terms[i] for i in order])
    arrays = (np.array([at for at, _ in anchors], np.int64), np.array(order, np.int64), first, last)
    for array in arrays:
        array.flags.writeable = False
    return Phrases(*ragged, *arrays)


def _anchor(term: str) -> tuple[int, str]:
    """The place and letter of a term that a text holds most rarely."""
    rarity = {letter: rank for rank, letter in enumerate(RARE_FIRST)}
    at = min(range(len(term)), key=lambda i: rarity.get(term[i], -1 if term[i] != " " else 99))
    return at, term[at]


@kernel
def phrase_around(data, at, start, end, search):
    """The number of the phrase whose anchor is the byte ``at``, and which lies in ``start:end``; -1 for none."""
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
