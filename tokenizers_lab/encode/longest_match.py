"""WordPiece: a word in the longest pieces from the left."""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.trie import NOTHING, build, step


class LongestMatch(NamedTuple):
    """A trie of pieces, those inside a word told apart by a byte 0xFF before them."""

    keys: np.ndarray
    nodes: np.ndarray
    piece: np.ndarray
    inside: int  # the node behind that byte; NOTHING for BPE
    unknown: int
    max_word: int  # characters; a longer word is unknown

    @classmethod
    def none(cls) -> "LongestMatch":
        """For BPE."""
        return cls(*build(Ragged.from_strings([b"\xff"])), NOTHING, 0, 0)


@kernel
def encode_word(data, at, end, keys, nodes, piece, inside, unknown, max_word, symbols):
    """The ids of a word, or one unknown id where it does not come out even; returns how many."""
    characters = 0
    for i in range(at, end):
        characters += data[i] & 0xC0 != 0x80
    count, node = 0, np.int64(0)
    while at < end and characters <= max_word:
        id, last = np.int64(NOTHING), at
        for i in range(at, end):
            node = step(keys, nodes, node, np.int64(data[i]))
            if node == NOTHING:
                break
            if piece[node] != NOTHING:
                id, last = np.int64(piece[node]), i + 1
        if id < 0:
            break
        symbols[count] = id
        count += 1
        at, node = last, np.int64(inside)
    if at < end:
        symbols[0] = unknown
        return 1
    return count
