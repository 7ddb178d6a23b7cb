"""Train WordPiece: merges as in BPE, of characters that know whether they begin a word.

Two criteria: ``count`` merges the most frequent pair, as tokenizers does; ``likelihood`` the pair whose merge raises
the likelihood of the corpus most, freq(ab) / (freq(a) freq(b)) (Schuster and Nakajima, ICASSP 2012).
"""

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numba import njit

from pipelines.inputs import Positive
from pipelines.ragged import Ragged
from pipelines.settings import Settings
from tokenizers_lab.alphabet import CODES, NONE, Alphabet, _character
from tokenizers_lab.bpe import BpeSettings, train_bpe
from tokenizers_lab.count import WordCounts

INSIDE = b"\xff"  # before a character that does not begin its word, while training


class WordpieceSettings(Settings):
    """How a WordPiece vocabulary is trained."""

    criterion: Literal["count", "likelihood"] = "count"
    prefix: str = "##"  # of pieces inside a word
    min_frequency: int = 0  # a pair that occurs less often is not merged
    max_word: Positive = 100  # characters of the longest word that is cut; a longer one is unknown
    stop_early: bool = False  # a vocabulary smaller than asked for is no error


class Pieces(Alphabet):
    """Characters at the beginning of words, and inside: symbol_of int32[2, 0x110000]."""

    def spell(self, words: Ragged) -> Ragged:
        return Ragged.of(*_spell(*words, self.symbol_of))


def train_wordpiece(
    counts: WordCounts,
    settings: WordpieceSettings,
    vocab_size: int,
    special: list[str],
    advance: Callable[[int, int], None] = lambda merges, wanted: None,
    order: Sequence[str] = (),
) -> list[bytes]:
    """The pieces by id: special tokens, characters, then what merges made.

    All characters may begin a word; those inside words are numbered by code point, those named in ``order`` first.
    Ties go to the smaller ids.
    """
    alphabet = word_alphabet(counts, order)
    bpe = BpeSettings(
        vocab_size=vocab_size,
        special_tokens=special,
        level="characters",
        min_frequency=settings.min_frequency,
        stop_early=settings.stop_early,
    )
    trained = train_bpe(counts, bpe, advance, alphabet)
    prefix = settings.prefix.encode()
    return [(prefix if p.startswith(INSIDE) else b"") + p.replace(INSIDE, b"") for p in trained.pieces]


def word_alphabet(counts: WordCounts, order: Sequence[str] = ()) -> Pieces:
    """Every character of the corpus as it begins words, and every one that is inside a word as it is there."""
    there = np.zeros((2, CODES), np.bool_)
    _survey(*counts.words, there)
    begin, inside = np.flatnonzero(there[0] | there[1]), [chr(code) for code in np.flatnonzero(there[1])]
    rank = {character: place for place, character in enumerate(order)}
    inside.sort(key=lambda character: (rank.get(character, len(rank)), character))
    symbol_of = np.full((2, CODES), NONE, np.int32)
    symbol_of[0, begin] = np.arange(begin.size)
    symbol_of[1, [ord(character) for character in inside]] = begin.size + np.arange(len(inside))
    pieces = [chr(code).encode() for code in begin] + [INSIDE + character.encode() for character in inside]
    return Pieces(pieces, symbol_of)


@njit(nogil=True, cache=True)
def _survey(offsets, data, there):
    for word in range(offsets.size - 1):
        at, stop, inside = offsets[word], offsets[word + 1], 0
        while at < stop:
            code, size = _character(data, at, stop)
            if code != NONE:
                there[inside, code] = True
            at += size
            inside = 1


@njit(nogil=True, cache=True)
def _spell(offsets, data, symbol_of):
    new_offsets, symbols = np.empty(offsets.size, np.int64), np.empty(data.size, np.int32)
    new_offsets[0] = count = 0
    for word in range(offsets.size - 1):
        at, stop, inside = offsets[word], offsets[word + 1], 0
        while at < stop:
            code, size = _character(data, at, stop)
            symbols[count] = NONE if code == NONE else symbol_of[inside, code]
            count += 1
            at += size
            inside = 1
        new_offsets[word + 1] = count
    return new_offsets, symbols[:count].copy()
