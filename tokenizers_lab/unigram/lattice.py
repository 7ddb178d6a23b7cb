"""Lattice of all segmentations of words, kept from one EM pass to the next while pieces are removed.

An edge is a piece that fits at a place of a word. Edges lie in the order of their places, so one forward and one
backward sweep give all that EM needs. A place without a single-character piece has an edge for the unknown character.
Keeping the edges (6 bytes each) is five times as fast as walking the trie again in each of some forty passes.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.codepoints import codepoints
from gristmill.tokenizers_lab.strings.trie import NOTHING, Trie, step

LOW, LIFT = 2.0**-256, 2.0**256  # smaller probabilities are multiplied: exact, and no word is too long for float64


class Lattice(NamedTuple):
    """Edges of place i (a character of ``words.data``) are first[i] to first[i + 1]."""

    words: Ragged  # code points
    first: np.ndarray  # int64 [characters + 1]
    piece: np.ndarray  # int32 [edges]; `unknown` for a character that is no piece
    size: np.ndarray  # uint16 [edges]


def lattice(text: Ragged, trie: Trie, unknown: int, whole: bool = True) -> Lattice:
    """Build the lattice of all words by a trie of code points.

    Without ``whole`` an edge may not span all of a word: a piece's segmentations without itself.
    """
    words = codepoints(text)
    first = np.zeros(words.data.size + 1, np.int64)
    _survey(*words, *trie, whole, first)
    np.cumsum(first, out=first)
    piece, size = np.empty(first[-1], np.int32), np.empty(first[-1], np.uint16)
    _connect(*words, *trie, unknown, whole, first, piece, size)
    return Lattice(words, first, piece, size)


@allocating_kernel
def _survey(offsets, data, keys, nodes, piece, whole, first):
    """Write the number of edges of place i to first[i + 1]."""
    for row in range(offsets.size - 1):
        begin, stop = offsets[row], offsets[row + 1]
        for at in range(begin, stop):
            node, end, count, single = np.int64(0), at, 0, False
            while end < stop:
                node = step(keys, nodes, node, data[end])
                if node == NOTHING:
                    break
                end += 1
                if piece[node] != NOTHING and (whole or end - at < stop - begin):
                    count += 1
                    single |= end == at + 1
            first[at + 1] = count + (not single and (whole or stop - begin > 1))


@allocating_kernel
def _connect(offsets, data, keys, nodes, piece, unknown, whole, first, edges, sizes):
    for row in range(offsets.size - 1):
        begin, stop = offsets[row], offsets[row + 1]
        for at in range(begin, stop):
            node, end, e = np.int64(0), at, first[at]
            while e < first[at + 1]:
                node = step(keys, nodes, node, data[end]) if end < stop else np.int64(NOTHING)
                if node == NOTHING:
                    edges[e], sizes[e] = unknown, 1
                    break
                end += 1
                if piece[node] != NOTHING and (whole or end - at < stop - begin):
                    edges[e], sizes[e] = piece[node], end - at
                    e += 1


def renumber(net: Lattice, numbers: np.ndarray, unknown: int) -> Lattice:
    """Return the lattice of the pieces that are kept, in the memory of ``net``, which becomes invalid.

    ``numbers`` int32 [pieces + 1] is the new number of each piece, -1 if dropped. A dropped single character leaves an
    edge for the unknown one.
    """
    count = _renumber(*net[1:], numbers, unknown)
    return Lattice(net.words, net.first, net.piece[:count], net.size[:count])


@kernel
def _renumber(first, piece, size, numbers, unknown):
    count = begin = 0
    for at in range(first.size - 1):
        stop = first[at + 1]
        first[at] = count
        for e in range(begin, stop):
            number = numbers[piece[e]]
            if number < 0 and size[e] == 1:
                number = unknown
            if number >= 0:
                piece[count], size[count] = number, size[e]
                count += 1
        begin = stop
    first[first.size - 1] = count
    return count


def expected_counts(net: Lattice, counts: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, float]:
    """Run the E-step: return the expected count of each piece over all segmentations, and the words' log-likelihood.

    ``counts`` int64 [words], ``scores`` float64 [pieces + 1] (natural logarithms, the unknown one last). Sums run in
    the order of the words, so their bits are the same wherever they are computed.
    """
    expected, likelihood = np.zeros(scores.size), np.zeros(1)
    longest = int(np.diff(net.words.offsets).max(initial=0))
    room = *np.empty((2, longest + 1)), np.empty(longest + 1, np.int64)
    reach = int(net.size.max(initial=0))
    _expect(net.words.offsets, *net[1:], counts, np.exp(scores), reach, *room, expected, likelihood)
    return expected, float(likelihood[0])


@allocating_kernel
def _expect(offsets, first, piece, size, counts, probs, reach, alpha, beta, lifts, expected, likelihood):
    """Run forward-backward: ``alpha`` is the probability from the beginning to a place, ``beta`` from there to the end.

    If alpha falls below LOW, the values from there on are multiplied by LIFT; ``lifts`` has these places, and the
    backward sweep lifts at the same ones. Logarithms instead took ten times as long.
    """
    for row in range(offsets.size - 1):
        begin, length, lifted = offsets[row], offsets[row + 1] - offsets[row], 0
        alpha[: length + 1] = 0.0
        alpha[0] = 1.0
        for i in range(length):
            if alpha[i] < LOW:
                lifts[lifted] = i
                lifted += 1
                for k in range(i, min(i + reach, length) + 1):
                    alpha[k] *= LIFT
            for e in range(first[begin + i], first[begin + i + 1]):
                alpha[i + size[e]] += alpha[i] * probs[piece[e]]
        likelihood[0] += counts[row] * (np.log(alpha[length]) - lifted * np.log(LIFT))
        beta[length] = counts[row] / alpha[length]
        for i in range(length - 1, -1, -1):
            total = 0.0
            for e in range(first[begin + i], first[begin + i + 1]):
                path = probs[piece[e]] * beta[i + size[e]]
                total += path
                expected[piece[e]] += alpha[i] * path
            beta[i] = total
            if lifted and lifts[lifted - 1] == i:
                lifted -= 1
                for k in range(i, min(i + reach, length) + 1):
                    beta[k] *= LIFT


def best_counts(net: Lattice, counts: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return how often each piece occurs in the best segmentation of every word: int64 [pieces + 1]."""
    found = np.zeros(scores.size, np.int64)
    longest = int(np.diff(net.words.offsets).max(initial=0))
    room = np.empty(longest + 1), np.empty(longest + 1, np.int64)
    _count_best(net.words.offsets, *net[1:], counts, scores, *room, found)
    return found


@inline_kernel
def best_path(begin, length, first, piece, size, scores, best, edge):
    """Fill best[0..length] and the edge of each place's best path (Viterbi); of equal ones the one begun earliest."""
    best[: length + 1] = -np.inf
    best[0] = 0.0
    for i in range(length):
        if best[i] > -np.inf:
            for e in range(first[begin + i], first[begin + i + 1]):
                score, end = best[i] + scores[piece[e]], i + size[e]
                if score > best[end]:
                    best[end], edge[end] = score, e


@allocating_kernel
def _count_best(offsets, first, piece, size, counts, scores, best, edge, found):
    for row in range(offsets.size - 1):
        begin, length = offsets[row], offsets[row + 1] - offsets[row]
        best_path(begin, length, first, piece, size, scores, best, edge)
        while length > 0:
            found[piece[edge[length]]] += counts[row]
            length -= np.int64(size[edge[length]])


def best_without_piece(net: Lattice, scores: np.ndarray) -> tuple[np.ndarray, Ragged]:
    """Return the best segmentation of each piece without itself, from the lattice of pieces without ``whole``.

    Returns its score, float64 [pieces], -inf if there is none, and its pieces, the last one first.
    """
    rows = net.words.rows
    value, offsets = np.full(rows, -np.inf), np.zeros(rows + 1, np.int64)
    into = np.empty(net.words.data.size, np.int32)  # no segmentation has more pieces than bytes
    longest = int(np.diff(net.words.offsets).max(initial=0))
    room = np.empty(longest + 1), np.empty(longest + 1, np.int64)
    _best_without(net.words.offsets, *net[1:], scores, *room, value, offsets, into)
    return value, Ragged(offsets, into[: offsets[-1]])


@allocating_kernel
def _best_without(offsets, first, piece, size, scores, best, edge, value, into_offsets, into):
    count = 0
    for row in range(offsets.size - 1):
        begin, length = offsets[row], offsets[row + 1] - offsets[row]
        best_path(begin, length, first, piece, size, scores, best, edge)
        if length > 0 and best[length] > -np.inf:
            value[row] = best[length]
            while length > 0:
                into[count] = piece[edge[length]]
                length -= np.int64(size[edge[length]])
                count += 1
        into_offsets[row + 1] = count
