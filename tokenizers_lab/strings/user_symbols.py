"""Symbols: texts that are one piece wherever they stand, as SentencePiece's user-defined ones.

At each place of a text, from the left, the longest symbol that begins there is cut out. It is not normalised, and
nothing is joined to it.
"""

from collections.abc import Callable, Iterable

import numpy as np
from numba import njit

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.trie import NOTHING, build, step

Change = Callable[[Ragged], Ragged]


def check_symbols(symbols: Iterable[str], taken: Iterable[str]) -> None:
    """Raise RecipeError for one that is empty, named twice, a special token too, or holds a space."""
    seen = {*taken}
    for symbol in symbols:
        if not symbol or symbol in seen:
            raise RecipeError(f"symbol {symbol!r} is empty or named twice; each must be a text of its own")
        if " " in symbol or "▁" in symbol:
            raise RecipeError(f"symbol {symbol!r} holds a space; symbols stand within words")
        seen.add(symbol)


class UserSymbols:
    """Finds symbols in text; true where there are any."""

    def __init__(self, symbols: Iterable[bytes]):
        self.symbols = [*symbols]
        self.trie = build(Ragged.from_strings(self.symbols))
        self.begin = np.zeros(256, np.bool_)
        self.begin[[symbol[0] for symbol in self.symbols]] = True

    def __bool__(self) -> bool:
        return bool(self.symbols)

    def split(self, text: Ragged) -> tuple[Ragged, np.ndarray, np.ndarray]:
        """Parts of documents, which symbol each is (int32, -1 for none), and where documents begin among them."""
        parts, number, documents = _cut(*text, self.begin, *self.trie)
        return Ragged.of(parts, text.data), number, documents

    def text_between(self, text: Ragged) -> Ragged:
        """What stands between symbols, each part a row: what to count words of."""
        parts, number, _ = self.split(text)
        return _but_symbols(parts, number)

    def apply_between(self, change: Change, text: Ragged) -> Ragged:
        """Each document with all but its symbols changed."""
        parts, number, documents = self.split(text)
        offsets, data = _instead(*change(parts), *parts, number)
        return Ragged.of(offsets[documents], data)

    def encode_between(self, encode: Change, ids: np.ndarray, text: Ragged) -> Ragged:
        """Ids of what stands between symbols by ``encode``, and of each symbol the one in ``ids``."""
        parts, number, documents = self.split(text)
        of_parts = encode(_but_symbols(parts, number))
        offsets, found = _insert(*of_parts, number, ids.astype(of_parts.data.dtype))
        return Ragged.of(offsets[documents], found)


@kernel
def _symbol_at(data, at, stop, begin, keys, nodes, piece):
    """The longest symbol that begins at ``at``, or NOTHING, and its end."""
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


@njit(nogil=True, cache=True)
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


def _but_symbols(parts: Ragged, number: np.ndarray) -> Ragged:
    """Rows with nothing in those that are symbols."""
    return Ragged.of(*_instead(*parts, np.zeros_like(parts.offsets), np.empty(0, np.uint8), number))


@njit(nogil=True, cache=True)
def _instead(offsets, data, old_offsets, old, number):
    """Rows as they are, but for symbols, which are as ``old`` has them."""
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


@njit(nogil=True, cache=True)
def _insert(offsets, ids, number, symbols):
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
