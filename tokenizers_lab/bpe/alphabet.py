"""The alphabet that BPE starts from: the bytes, or the characters of the corpus that are kept."""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel
from gristmill.pipelines.kernels.utf8 import INVALID, decode
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.count.word_counts import WordCounts
from gristmill.tokenizers_lab.strings.codepoints import count_characters

NONE = -1  # a character that is not kept; nothing merges with it
CODES = 0x110000


class Alphabet(NamedTuple):
    """Initial pieces, and the map from text to them."""

    pieces: list[bytes]  # symbol -> its bytes
    symbol_of: np.ndarray  # uint8[256], byte -> symbol; or int32[0x110000], character -> symbol or NONE

    def to_symbols(self, words: Ragged) -> Ragged:
        """Return words as rows of symbols, uint8 or int32."""
        if self.symbol_of.size == 256:
            return Ragged.from_arrays(words.offsets, self.symbol_of[words.data])
        return Ragged.from_arrays(*_spell_characters(*words, self.symbol_of))


def byte_alphabet(as_hf: bool) -> Alphabet:
    """Return all 256 bytes, by value or, with ``as_hf``, in the order of tokenizers.

    There each byte has a character: printable Latin-1 bytes have their own and come first, the others follow.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    order = [*printable, *(b for b in range(256) if b not in printable)] if as_hf else [*range(256)]
    symbol_of = np.empty(256, np.uint8)
    symbol_of[order] = np.arange(256)
    return Alphabet([bytes([b]) for b in order], symbol_of)


def character_alphabet(counts: WordCounts, coverage: float, byte_fallback: bool) -> Alphabet:
    """Return the most frequent characters that make up ``coverage`` of the text; of equal ones the smaller code point.

    Symbols are numbered by code point. With ``byte_fallback`` the 256 bytes come first and ASCII bytes are characters
    too. A byte that belongs to no character is never kept.
    """
    frequency = count_characters(*counts)
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
    """Return a character's code point (NONE for a byte that belongs to none) and its bytes."""
    code, size = decode(data, at, stop)
    return (NONE if code == INVALID and size == 1 else code), size


@allocating_kernel
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
