"""What BPE begins with: the bytes, or the characters of the corpus that are worth a piece each."""

from typing import NamedTuple

import numpy as np
from numba import njit

from gristmill.pipelines.kernels.intrinsics import inline_kernel
from gristmill.pipelines.kernels.utf8 import INVALID, decode
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.count.word_counts import WordCounts

NONE = -1  # a character that is not kept: nothing merges with it
CODES = 0x110000


class Alphabet(NamedTuple):
    """First pieces and how to write words in them."""

    pieces: list[bytes]  # symbol -> what it spells
    symbol_of: np.ndarray  # uint8[256], byte -> symbol; or int32[0x110000], character -> symbol or NONE

    def to_symbols(self, words: Ragged) -> Ragged:
        """Words as symbols, uint8 or int32."""
        if self.symbol_of.size == 256:
            return Ragged.of(words.offsets, self.symbol_of[words.data])
        return Ragged.of(*_spell_characters(*words, self.symbol_of))


def byte_alphabet(as_hf: bool) -> Alphabet:
    """All 256 bytes, by value; or as tokenizers numbers them, by the character that stands for each.

    There a byte that is a printable character of Latin-1 stands for itself, and the others come after these.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    order = [*printable, *(b for b in range(256) if b not in printable)] if as_hf else [*range(256)]
    symbol_of = np.empty(256, np.uint8)
    symbol_of[order] = np.arange(256)
    return Alphabet([bytes([b]) for b in order], symbol_of)


def character_alphabet(counts: WordCounts, coverage: float, byte_fallback: bool) -> Alphabet:
    """The most frequent characters, as many as make up ``coverage`` of the text; of equals the smaller code point.

    Symbols are numbered by code point. With ``byte_fallback`` the 256 bytes come first, those of ASCII being
    characters too. A byte that belongs to no character is never kept.
    """
    frequency = _count_characters(*counts.words, counts.counts)
    order = np.argsort(-frequency, kind="stable")
    order = order[: np.count_nonzero(frequency)]
    before = np.cumsum(frequency[order]) - frequency[order]
    kept = np.sort(order[before < coverage * frequency.sum()])
    pieces = [bytes([b]) for b in range(256)] if byte_fallback else []
    symbol_of = np.full(CODES, NONE, np.int32)
    for code in kept.tolist():
        if byte_fallback and code < 128:
            symbol_of[code] = code
        else:
            symbol_of[code] = len(pieces)
            pieces.append(chr(code).encode())
    return Alphabet(pieces, symbol_of)


@inline_kernel
def _character(data, at, stop):
    """A character's code point, or NONE for a byte that belongs to none, and its bytes."""
    code, size = decode(data, at, stop)
    return (NONE if code == INVALID and size == 1 else code), size


@njit(nogil=True, cache=True)
def _count_characters(offsets, data, counts):
    frequency = np.zeros(CODES, np.int64)
    for word in range(counts.size):
        at, stop = offsets[word], offsets[word + 1]
        while at < stop:
            code, size = _character(data, at, stop)
            if code != NONE:
                frequency[code] += counts[word]
            at += size
    return frequency


@njit(nogil=True, cache=True)
def _spell_characters(offsets, data, symbol_of):
    new_offsets, symbols = np.empty(offsets.size, np.int64), np.empty(data.size, np.int32)
    new_offsets[0] = count = 0
    for word in range(offsets.size - 1):
        at, stop = offsets[word], offsets[word + 1]
        while at < stop:
            code, size = _character(data, at, stop)
            symbols[count] = NONE if code == NONE else symbol_of[code]
            count += 1
            at += size
        new_offsets[word + 1] = count
    return new_offsets, symbols[:count].copy()
