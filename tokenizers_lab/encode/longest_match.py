"""WordPiece encoding: the longest piece from the left, again and again."""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.trie import NOTHING, build, step


class LongestMatch(NamedTuple):
    """Trie of pieces; pieces inside a word have a byte 0xFF before them."""

    keys: np.ndarray
    nodes: np.ndarray
    piece: np.ndarray
    inside: int  # the node after that byte; NOTHING for BPE
    unknown: int
    max_chars: int  # a longer word is unknown

    @classmethod
    def none(cls) -> "LongestMatch":
        """Return the empty trie, for BPE."""
        return cls(*build(Ragged.from_strings([b"\xff"])), NOTHING, 0, 0)


@kernel
def encode_word(data, at, end, trie, symbols):
    """Write the ids of a word, or one unknown id if pieces do not tile it; return their number."""
    keys, nodes, piece, inside, unknown, max_chars = trie
    characters = 0
    for i in range(at, end):
        characters += data[i] & 0xC0 != 0x80
    count, node = 0, np.int64(0)
    while at < end and characters <= max_chars:
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
