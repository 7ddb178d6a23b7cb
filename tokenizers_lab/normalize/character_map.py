"""Normalizers that map single characters, as tables. A byte that begins no character is kept."""

import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.kernels.utf8 import decode
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.normalize.library import library_character

UNASKED, SAME, NOBODY = -2, -1, -3


def _without_accents(character: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", character) if unicodedata.category(c) != "Mn")


def _clean(character: str) -> str:
    if character in WHITE:
        return " "
    kept = character not in "\0\ufffd" and unicodedata.category(character) not in ("Cc", "Cf", "Co", "Cs")
    return character if kept else ""


WHITE = "\t\n\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
BY_CHARACTER: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "strip_accents": _without_accents,
    "bert_clean": _clean,
    **{name: library_character(name) for name in ("hf_lower", "hf_strip_accents", "hf_clean")},
}


class CharacterMap:
    """Normalizers in turn, as a table that is filled when a character first occurs."""

    def __init__(self, names: tuple[str, ...]):
        self.names = names
        self.place = np.full(0x110000, UNASKED, np.int32)  # place of each character's replacement in the pool
        self.pool, self.used = np.zeros(1 << 12, np.uint8), 0

    def __call__(self, text: Ragged) -> Ragged:
        done = np.zeros(3, np.int64)
        while (code := _mapped_size(*text, self.place, self.pool, done)) != NOBODY:
            self._ask(code)
        offsets, out = np.empty(text.rows + 1, np.int64), np.empty(done[2], np.uint8)
        _map_characters(*text, self.place, self.pool, offsets, out)
        return Ragged.from_arrays(offsets, out)

    def _ask(self, code: int) -> None:
        """Enter the replacement of a character: its size in bytes, then the bytes."""
        new = chr(code)
        for name in self.names:
            new = "".join(map(BY_CHARACTER[name], new))
        if new == chr(code):
            self.place[code] = SAME
            return
        data = new.encode("utf-8", "surrogateescape")
        if self.used + len(data) + 1 > self.pool.size:
            self.pool = np.concatenate((self.pool, np.zeros_like(self.pool)))
        self.pool[self.used : self.used + len(data) + 1] = [len(data), *data]
        self.place[code], self.used = self.used, self.used + len(data) + 1


character_map = cache(CharacterMap)


@inline_kernel
def _place_of(data, at, stop, place):
    """Return the place of a character's replacement, its size and the character; SAME for a stray byte."""
    if data[at] < 0x80:
        return np.int64(place[data[at]]), 1, np.int64(data[at])
    code, size = decode(data, at, stop)
    if size == 1:
        return np.int64(SAME), 1, code
    return np.int64(place[code]), size, code


@kernel
def _mapped_size(offsets, data, place, pool, done):
    """Add up the size of the result in ``done`` (row, byte, sum), until a character has no entry yet.

    Returns that character, and continues from it the next time; NOBODY at the end.
    """
    row, at, total = done[0], done[1], done[2]
    while row < offsets.size - 1:
        stop = offsets[row + 1]
        while at < stop:
            where, size, code = _place_of(data, at, stop, place)
            if where == UNASKED:
                done[0], done[1], done[2] = row, at, total
                return code
            total += size if where == SAME else np.int64(pool[where])
            at += size
        row += 1
    done[2] = total
    return np.int64(NOBODY)


@kernel
def _map_characters(offsets, data, place, pool, new_offsets, out):
    to = 0
    new_offsets[0] = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            where, size, _ = _place_of(data, at, stop, place)
            if where == SAME:
                for i in range(size):
                    out[to + i] = data[at + i]
                to += size
            else:
                for i in range(np.int64(pool[where])):
                    out[to] = pool[where + 1 + i]
                    to += 1
            at += size
        new_offsets[row + 1] = to
