"""Changes of characters, by tables: of single characters by rules of ours, of several by those of SentencePiece.

Kernels over tables, which pass over plain ASCII. A byte that begins no character stays as it is, or is U+FFFD by
SentencePiece's rules.
"""

import unicodedata
from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit

from pipelines.bits import inlined, kernel, load8, store8
from pipelines.ragged import Ragged
from pipelines.utf8 import INVALID, decode
from tokenizers_lab.exchange.charsmap import charsmap

U = np.uint64
EIGHT, TOPS = U(0x0101010101010101), U(0x8080808080808080)
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
}


class CharacterMap:
    """Changes of single characters, one after the other, as a table that is asked for each character once."""

    def __init__(self, names: tuple[str, ...]):
        self.names = names
        self.place = np.full(0x110000, UNASKED, np.int32)  # of what each character becomes, in the pool
        self.pool, self.used = np.zeros(1 << 12, np.uint8), 0

    def __call__(self, text: Ragged) -> Ragged:
        done = np.zeros(3, np.int64)
        while (code := _mapped_size(*text, self.place, self.pool, done)) != NOBODY:
            self._ask(code)
        offsets, out = np.empty(text.rows + 1, np.int64), np.empty(done[2], np.uint8)
        _map_characters(*text, self.place, self.pool, offsets, out)
        return Ragged.of(offsets, out)

    def _ask(self, code: int) -> None:
        """Enter what a character becomes: its size in bytes, then the bytes."""
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


@inlined
def _place_of(data, at, stop, place):
    """What becomes of the character at ``at``, its size, and the character; a byte that begins none stays."""
    if data[at] < 0x80:
        return np.int64(place[data[at]]), 1, np.int64(data[at])
    code, size = decode(data, at, stop)
    if size == 1:
        return np.int64(SAME), 1, code
    return np.int64(place[code]), size, code


@kernel
def _mapped_size(offsets, data, place, pool, done):
    """Add up the bytes that the text becomes, in ``done`` (row, byte, sum), up to a character never asked for.

    Returns that character, and goes on from it the next time; NOBODY at the end.
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


def by_rules(text: Ragged, name: str) -> Ragged:
    """Each document changed by SentencePiece's table of that name."""
    return Ragged.of(*_by_rules(*text, *rules_of(name), name.endswith("_cf")))


@cache
def rules_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """SentencePiece's table of a name: a double array over UTF-8 (darts-clone), and replacements that end in 0."""
    table = charsmap(name)
    size = int.from_bytes(table[:4], "little")
    return np.frombuffer(table, "<u4", size // 4, 4), np.frombuffer(table, np.uint8, offset=4 + size)


@inlined
def _children(unit):
    """Where a node's children begin, relative to it."""
    return np.int64((unit >> np.uint32(10)) << ((unit & np.uint32(0x200)) >> np.uint32(6)))


@kernel
def _rule_at(data, at, stop, units):
    """The longest rule that begins at ``at``: the place of its replacement, -1 for none, and its bytes."""
    node, found, size = _children(units[0]), np.int64(-1), 0
    for i in range(at, stop):
        node ^= np.int64(data[i])
        unit = units[node]
        if unit & np.uint32(0x800000FF) != data[i]:
            break
        node ^= _children(unit)
        if unit & np.uint32(0x100):
            found, size = np.int64(units[node] & np.uint32(0x7FFFFFFF)), i + 1 - at
    return found, size


@inlined
def _are_plain(word, folds):
    """Are eight bytes printable ASCII, and with ``folds`` no capital letters?"""
    plain = (word + EIGHT * U(0x60)) & ~(word + EIGHT) & ~word & TOPS == TOPS
    return plain and not (folds and (word + EIGHT * U(0x3F)) & ~(word + EIGHT * U(0x25)) & TOPS)


@njit(nogil=True, cache=True)
def _by_rules(offsets, data, units, replacements, folds):
    """At each place the longest rule applies, else the character stays; a byte that begins none is U+FFFD.

    ``folds``: there are rules for capital letters.
    """
    new_offsets, out, to = np.empty(offsets.size, np.int64), np.empty(data.size + 64, np.uint8), 0
    new_offsets[0] = 0
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            if to + 256 > out.size:
                larger = np.empty(2 * out.size + 256, np.uint8)
                larger[:to] = out[:to]
                out = larger
            # No rule begins with two characters of printable ASCII. Eight of them at once, of which the last waits for
            # what follows: 4 times as fast on English.
            if at + 8 <= stop and _are_plain(load8(data, at), folds):
                store8(out, to, load8(data, at))
                to += 7
                at += 7
                continue
            if 0x20 <= data[at] < 0x7F and at + 1 < stop and data[at + 1] < 0x7F and not 65 <= data[at] <= 90:
                out[to] = data[at]
                to += 1
                at += 1
                continue
            where, size = _rule_at(data, at, stop, units)
            if where >= 0:
                while replacements[where] != 0:
                    out[to] = replacements[where]
                    to += 1
                    where += 1
                at += size
                continue
            code, size = decode(data, at, stop)
            if code == INVALID and size == 1:
                out[to], out[to + 1], out[to + 2] = 0xEF, 0xBF, 0xBD
                to += 3
            else:
                for i in range(size):
                    out[to + i] = data[at + i]
                to += size
            at += size
        new_offsets[row + 1] = to
    return new_offsets, out[:to].copy()
