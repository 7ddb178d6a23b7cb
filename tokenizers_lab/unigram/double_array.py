"""Trie of pieces as a double array: sixteen bytes per node, so that a step is one memory access.

It is built from a trie of strings/trie.py, which is quick to build but spreads keys, nodes and pieces over three larger
tables: encoding segments that were not cached took 1.5 times as long with that one.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.codepoints import INVALID_BYTE_BASE
from gristmill.tokenizers_lab.strings.trie import EMPTY, UNIT_BITS, Trie

FREE, LEAF = -1, -1
PARENT, BASE, PIECE, SCORE = range(4)
ROOT = 0


class DoubleArray(NamedTuple):
    """The child of a node by a letter is the node at its base + letter, if the parent of that one is the node."""

    letters: np.ndarray  # int32 [0x110000 + 256]: letter of each code point, 0 if it is in no piece
    nodes: np.ndarray  # int32 [n, 4]: parent, base or LEAF, piece or NOTHING, and the piece's score as float32
    scores: np.ndarray  # float32 [n, 4]: the same memory


def build_double_array(trie: Trie, pieces: Ragged, scores: np.ndarray) -> DoubleArray:
    """Build the double array of ``trie``, whose ``pieces`` are code points and whose piece numbers index ``scores``."""
    often = np.bincount(pieces.data, minlength=1)
    order = np.argsort(-often, kind="stable")[: np.count_nonzero(often)]
    letters = np.zeros(INVALID_BYTE_BASE + 256, np.int32)
    letters[order] = np.arange(1, order.size + 1)  # frequent characters lie together
    used = trie.keys != EMPTY
    parents, units = trie.keys[used] >> UNIT_BITS, trie.keys[used] & ((np.uint64(1) << UNIT_BITS) - np.uint64(1))
    units = letters[units.astype(np.int64)]
    order = np.lexsort((units, parents))
    parents, units, children = parents[order].astype(np.int64), units[order], trie.nodes[used][order]
    degree = np.bincount(parents, minlength=trie.piece.size)
    first = np.concatenate(([0], np.cumsum(degree)))
    widest = np.argsort(-degree[1:], kind="stable") + 1  # wide nodes first; the others find room between
    size, place = 2 * trie.piece.size + letters.max() + 1, np.zeros(trie.piece.size, np.int32)
    while True:
        nodes = np.full((size, 4), FREE, np.int32)
        if _place(first, units, children, widest[: np.count_nonzero(degree[1:])], place, nodes, int(letters.max())):
            break
        size *= 2
    nodes[place, PIECE] = trie.piece
    nodes.view(np.float32)[place, SCORE] = np.append(scores, np.float32(0))[trie.piece]
    return DoubleArray(letters, nodes, nodes.view(np.float32))


@kernel
def _place(first, units, children, parents, place, nodes, letters):
    """Find each node's base, 0 for the root; True if there was room."""
    nodes[ROOT, BASE] = ROOT
    for e in range(first[ROOT], first[ROOT + 1]):
        place[children[e]] = units[e]
        nodes[units[e], PARENT] = ROOT
    free = 1
    for parent in parents:
        begin, stop = first[parent], first[parent + 1]
        while free < nodes.shape[0] and nodes[free, PARENT] != FREE:
            free += 1
        base = max(1, free - units[begin])
        while True:
            if base + letters >= nodes.shape[0]:
                return False
            e = begin
            while e < stop and nodes[base + units[e], PARENT] == FREE:
                e += 1
            if e == stop:
                break
            base += 1
        for e in range(begin, stop):
            nodes[base + units[e], PARENT] = ROOT  # taken; the real parent is entered when all have places
            place[children[e]] = base + units[e]
    for parent in parents:
        begin, stop = first[parent], first[parent + 1]
        base = place[children[begin]] - units[begin]
        nodes[place[parent], BASE] = base
        for e in range(begin, stop):
            nodes[base + units[e], PARENT] = place[parent]
    return True


@inline_kernel
def child(nodes, node, letter):
    """Return the node that a letter leads to, or LEAF."""
    there = nodes[node, BASE] + np.int64(letter)
    return there if nodes[node, BASE] != LEAF and nodes[there, PARENT] == node else np.int64(LEAF)
