"""Added tokens: texts that are one id wherever they stand, as `tokenizers` matches them in the text.

At each place, from the left, the longest token that begins there is cut out. A token may take the white space on its
left or its right with it. A special token that is not allowed is text, but no other token begins inside it.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.pretokenize.classes import kind_at
from gristmill.tokenizers_lab.pretokenize.scan import SPACES, is_in, run_of
from gristmill.tokenizers_lab.strings.trie import NOTHING
from gristmill.tokenizers_lab.strings.user_symbols import UserSymbols, insert, without_symbols

EncodeParts = Callable[[Ragged, np.ndarray], Ragged]  # text of parts, which of them begin a document -> ids


class AddedToken(NamedTuple):
    """Token of a tokenizer besides its model's pieces."""

    content: str
    id: int
    special: bool = True  # text unless it is allowed
    lstrip: bool = False  # takes the white space before it
    rstrip: bool = False
    normalized: bool = False  # matched in normalized text

    @property
    def is_plain(self) -> bool:
        """True if nothing but its text and id matters."""
        return self.special and not (self.lstrip or self.rstrip or self.normalized)


class AddedTokens:
    """Finder of added tokens in text; true if any of them may become an id."""

    def __init__(self, tokens: Sequence[AddedToken], texts: Sequence[bytes], allowed: frozenset[str]):
        """Take tokens, the distinct text of each to look for, and the special tokens that are not text."""
        wanted = [not token.special or token.content in allowed for token in tokens]
        shadows = not all(token.special for token in tokens)
        kept = [n for n in range(len(tokens)) if wanted[n] or shadows] if any(wanted) else []
        self.symbols = UserSymbols(texts[n] for n in kept)
        self.ids = np.array([tokens[n].id for n in kept], np.int64)
        self.wanted = np.array([wanted[n] for n in kept], np.bool_)
        self.strips = np.array([[tokens[n].lstrip, tokens[n].rstrip] for n in kept], np.bool_).reshape(-1, 2)

    def __bool__(self) -> bool:
        return bool(self.symbols)

    def encode_between(self, encode: EncodeParts, text: Ragged, begins: np.ndarray) -> Ragged:
        """Return the ids of each row: of the tokens, and by ``encode`` between them.

        ``begins`` (bool[rows]) tells which rows begin a document.
        """
        cut, number, documents = self.symbols.split(text)
        number[~self.wanted[number]] = NOTHING  # -1 reads the last token, and stays -1
        filled = np.diff(documents) > 0
        first = np.zeros(number.size, np.bool_)
        first[documents[:-1][filled]] = True
        is_text = number == NOTHING
        joins = is_text & np.append(False, is_text[:-1]) & ~first  # text after text: a special token that is text
        kept = np.flatnonzero(~joins)
        parts = cut.offsets[np.append(kept, number.size)]
        number, first, documents = number[kept], first[kept], np.searchsorted(kept, documents)
        if self.strips.any():
            _strip(parts, text.data, number, first, self.strips)
        first[documents[:-1][filled]] = begins[filled]
        of_parts = encode(without_symbols(Ragged.from_arrays(parts, text.data), number), first)
        offsets, found = insert(*of_parts, number, self.ids.astype(of_parts.data.dtype))
        return Ragged.from_arrays(offsets[documents], found)


@kernel
def _strip(parts, data, number, first, strips):
    """Move the bounds of tokens over the white space that they take from the text beside them."""
    for i in range(number.size):
        if number[i] == NOTHING:
            continue
        if strips[number[i], 0] and not first[i] and number[i - 1] == NOTHING:
            while parts[i] > parts[i - 1]:
                at = parts[i] - 1
                while at > parts[i - 1] and data[at] & 0xC0 == 0x80:
                    at -= 1
                if not is_in(kind_at(data, at, parts[i])[0], SPACES):
                    break
                parts[i] = at
        if strips[number[i], 1] and i + 1 < number.size and not first[i + 1] and number[i + 1] == NOTHING:
            parts[i + 1] = run_of(SPACES, data, parts[i + 1], parts[i + 2])
