"""User-defined symbols: texts that are one piece wherever they stand, as in SentencePiece.

At each place, from the left, the longest symbol that begins there is cut out. It is neither normalized nor merged.
"""

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.trie import NOTHING, Trie, build, step

Change = Callable[[Ragged], Ragged]


def check_symbols(symbols: Iterable[str], taken: Iterable[str]) -> None:
    """Raise RecipeError for a symbol that is empty, named twice, a special token or contains a space."""
    seen = {*taken}
    for symbol in symbols:
        if not symbol or symbol in seen:
            raise RecipeError(f"user symbol {symbol!r} is empty or named twice; give each symbol a text of its own")
        if " " in symbol or "▁" in symbol:
            raise RecipeError(f"user symbol {symbol!r} contains a space; symbols must lie within words")
        seen.add(symbol)


class UserSymbols:
    """Finder of symbols in text; true if there are any symbols."""

    def __init__(self, symbols: Iterable[bytes]):
        self.symbols = [*symbols]
        self.begin = np.zeros(256, np.bool_)
        self.begin[[symbol[0] for symbol in self.symbols]] = True

    def __bool__(self) -> bool:
        return bool(self.symbols)

    @cached_property
    def trie(self) -> Trie:
        """Trie of the symbols, when the first text is split."""
        return build(Ragged.from_strings(self.symbols))

    def split(self, text: Ragged) -> tuple[Ragged, np.ndarray, np.ndarray]:
        """Return all parts, the symbol of each (int32, -1 if none), and each document's first part."""
        parts, number, documents = _cut(*text, self.begin, *self.trie)
        return Ragged.from_arrays(parts, text.data), number, documents

    def text_between(self, text: Ragged) -> Ragged:
        """Return the text between symbols, each part a row: the text to count words in."""
        parts, number, _ = self.split(text)
        return without_symbols(parts, number)

    def apply_between(self, change: Change, text: Ragged) -> Ragged:
        """Return each document with ``change`` applied to the text between its symbols."""
        parts, number, documents = self.split(text)
        offsets, data = _instead(*change(parts), *parts, number)
        return Ragged.from_arrays(offsets[documents], data)

    def encode_between(self, encode: Change, ids: np.ndarray, text: Ragged) -> Ragged:
        """Return the ids of each document: by ``encode`` between its symbols, and from ``ids`` for each symbol."""
        parts, number, documents = self.split(text)
        of_parts = encode(without_symbols(parts, number))
        offsets, found = insert(*of_parts, number, ids.astype(of_parts.data.dtype))
        return Ragged.from_arrays(offsets[documents], found)


@kernel
def _symbol_at(data, at, stop, begin, keys, nodes, piece):
    """Return the longest symbol that begins at ``at`` (or NOTHING), and its end."""
    found, end = np.int64(NOTHING), at
    if begin[data[at]]:
        node = np.int64(0)
        for i in range(at, stop):
            node = step(keys, nodes, node, np.int64(data[i]))
            if node == NOTHING:
                break
            if piece[node] != NOTHING:
                found, end = np.int64(piece[node]), i + 1
    return found, end


@allocating_kernel
def _cut(offsets, data, begin, keys, nodes, piece):
    found = 0
    for byte in data:
        found += begin[byte]
    most = 2 * found + offsets.size
    parts, number, documents = np.zeros(most + 1, np.int64), np.empty(most, np.int32), np.empty(offsets.size, np.int64)
    count = 0
    for row in range(offsets.size - 1):
        documents[row] = count
        at, stop = offsets[row], offsets[row + 1]
        last = at
        while at < stop:
            symbol, end = _symbol_at(data, at, stop, begin, keys, nodes, piece)
            if symbol == NOTHING:
                at += 1
                continue
            if last < at:
                number[count], parts[count + 1] = NOTHING, at
                count += 1
            number[count], parts[count + 1] = symbol, end
            count += 1
            at = last = end
        if last < stop:
            number[count], parts[count + 1] = NOTHING, stop
            count += 1
    documents[offsets.size - 1] = count
    return parts[: count + 1].copy(), number[:count].copy(), documents


def without_symbols(parts: Ragged, number: np.ndarray) -> Ragged:
    """Return the rows, emptied if they are symbols."""
    return Ragged.from_arrays(*_instead(*parts, np.zeros_like(parts.offsets), np.empty(0, np.uint8), number))


@allocating_kernel
def _instead(offsets, data, old_offsets, old, number):
    """Return the rows with each symbol replaced by its row of ``old``."""
    new_offsets, out, at = np.zeros(offsets.size, np.int64), np.empty(data.size + old.size, np.uint8), 0
    for row in range(number.size):
        if number[row] == NOTHING:
            for i in range(offsets[row], offsets[row + 1]):
                out[at] = data[i]
                at += 1
        else:
            for i in range(old_offsets[row], old_offsets[row + 1]):
                out[at] = old[i]
                at += 1
        new_offsets[row + 1] = at
    return new_offsets, out[:at].copy()


@allocating_kernel
def insert(offsets, ids, number, symbols):
    new_offsets, out, at = np.zeros(offsets.size, np.int64), np.empty(ids.size + number.size, ids.dtype), 0
    for row in range(number.size):
        if number[row] != NOTHING:
            out[at] = symbols[number[row]]
            at += 1
        for i in range(offsets[row], offsets[row + 1]):
            out[at] = ids[i]
            at += 1
        new_offsets[row + 1] = at
    return new_offsets, out[:at].copy()
