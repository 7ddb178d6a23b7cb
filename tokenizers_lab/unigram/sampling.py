"""All segmentations of a text under a unigram model: n-best, sampling, entropy.

Subword regularization (Kudo 2018, arXiv:1804.10959) trains on segmentations sampled with probability proportional to
P^alpha: alpha 1 is the model itself, 0 is uniform. A backward sweep sums the paths from each place to the end; then
pieces are sampled from the beginning on, which is exact. The sample depends on the seed, the document's number and its
text alone. Sums are float64; memory is about 50 bytes per byte of the batch.
"""

import numpy as np

from gristmill.pipelines.kernels.hashing import W0, W1, mix
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.encode.bpe_dropout import bernoulli
from gristmill.tokenizers_lab.unigram.encode import UnigramEncoder, emit
from gristmill.tokenizers_lab.unigram.lattice import Lattice, lattice


class LatticeSampler:
    """Sampler of segmentations of text whose spaces are ▁ already."""

    def __init__(self, encoder: UnigramEncoder):
        self.encoder = encoder
        self.scores = encoder.scores.astype(np.float64)
        self.none = self.scores.size - 1

    def nbest(self, text: Ragged, count: int) -> tuple[Ragged, np.ndarray]:
        """Return the ids of one document's ``count`` best segmentations, or of all if fewer, and their scores, float64.

        Of equal ones, the one whose last piece begins earlier comes first. Memory is 20 bytes per byte and
        segmentation.
        """
        net = self._lattice(text)
        values, paths, sizes = _nbest(net.words.data.size, *net[1:], self.scores, count)
        return self._ids(text, np.zeros(values.size, np.int64), paths, sizes), values

    def sample(self, text: Ragged, alpha: float, seed: int, numbers: np.ndarray) -> Ragged:
        """Return the ids of one sampled segmentation per document; ``numbers`` uint64[rows] select the draws."""
        net = self._lattice(text)
        paths, sizes = _draw(
            net.words.offsets, *net[1:], self.scores * alpha, np.uint64(seed), numbers.astype(np.uint64)
        )
        return self._ids(text, np.arange(text.rows), paths, sizes)

    def entropy(self, text: Ragged, alpha: float) -> np.ndarray:
        """Return the entropy of each document's segmentations in nats, float64[rows]: 0 for an empty document."""
        net = self._lattice(text)
        return _entropy(net.words.offsets, *net[1:], self.scores * alpha)

    def _lattice(self, text: Ragged) -> Lattice:
        return lattice(text, self.encoder.trie, self.none)

    def _ids(self, text: Ragged, rows: np.ndarray, paths: np.ndarray, sizes: np.ndarray) -> Ragged:
        encoder = self.encoder
        room = int(np.diff(text.offsets)[rows].sum())
        offsets, ids = np.zeros(rows.size + 1, np.int64), np.empty(room, np.int32)
        model = encoder.unknown, encoder.bytes_from, self.none, encoder.sizes
        count = _spell_out(*text, rows, paths, sizes, *model, offsets, ids)
        return Ragged.from_arrays(offsets, ids[:count].astype(encoder.dtype))


@kernel
def _enter(value, edge, rank, filled, end, count, score, e, r):
    """Insert a path among the best that reach a place; True if it is good enough."""
    k = filled[end]
    if k == count:
        if score <= value[end, k - 1]:
            return False
        k -= 1
    else:
        filled[end] += 1
    while k > 0 and value[end, k - 1] < score:
        value[end, k], edge[end, k], rank[end, k] = value[end, k - 1], edge[end, k - 1], rank[end, k - 1]
        k -= 1
    value[end, k], edge[end, k], rank[end, k] = score, e, r
    return True


@allocating_kernel
def _nbest(length, first, piece, size, scores, count):
    """Return the scores of the best paths, their pieces end to end, and the number of pieces of each."""
    value, edge = np.empty((length + 1, count)), np.empty((length + 1, count), np.int64)
    rank, filled = np.empty((length + 1, count), np.int32), np.zeros(length + 1, np.int64)
    value[0, 0], filled[0] = 0.0, 1
    for i in range(length):
        if filled[i] == 0:
            continue
        for e in range(first[i], first[i + 1]):
            for r in range(filled[i]):  # scores fall, so no later path is good enough either
                if not _enter(value, edge, rank, filled, i + size[e], count, value[i, r] + scores[piece[e]], e, r):
                    break
    found = filled[length]
    paths, sizes, at = np.empty(found * length, np.int32), np.zeros(found, np.int64), 0
    for way in range(found):
        end, r, begin = length, way, at
        while end > 0:
            e = edge[end, r]
            paths[at] = piece[e]
            r, end, at = np.int64(rank[end, r]), end - np.int64(size[e]), at + 1
        paths[begin:at] = paths[begin:at][::-1].copy()
        sizes[way] = at - begin
    return value[length, :found].copy(), paths[:at].copy(), sizes


@inline_kernel
def _log_sum(begin, first, last, piece, size, scores, beta):
    """Return the logarithm of the summed probability of all paths from a place to the end."""
    top = -np.inf
    for e in range(first, last):
        top = max(top, scores[piece[e]] + beta[begin + size[e]])
    total = 0.0
    for e in range(first, last):
        total += np.exp(scores[piece[e]] + beta[begin + size[e]] - top)
    return top + np.log(total)


@allocating_kernel
def _draw(offsets, first, piece, size, scores, seed, numbers):
    beta = np.zeros(offsets[offsets.size - 1] + 1)
    paths, sizes, at = np.empty(beta.size, np.int32), np.zeros(offsets.size - 1, np.int64), 0
    for row in range(offsets.size - 1):
        begin, stop = offsets[row], offsets[row + 1]
        key, draws = mix(seed ^ W0, numbers[row] ^ W1), 0
        beta[stop] = 0.0
        for i in range(stop - 1, begin - 1, -1):
            if first[i] < first[i + 1]:
                beta[i] = _log_sum(i, first[i], first[i + 1], piece, size, scores, beta)
        i, before = begin, at
        while i < stop:
            left, e = bernoulli(key, draws), first[i]
            draws += 1
            while True:
                left -= np.exp(scores[piece[e]] + beta[i + size[e]] - beta[i])
                if left < 0 or e + 1 == first[i + 1]:
                    break
                e += 1
            paths[at] = piece[e]
            i, at = i + np.int64(size[e]), at + 1
        sizes[row] = at - before
    return paths[:at].copy(), sizes


@allocating_kernel
def _entropy(offsets, first, piece, size, scores):
    beta, unsure = np.zeros((2, offsets[offsets.size - 1] + 1))
    found = np.zeros(offsets.size - 1)
    for row in range(offsets.size - 1):
        begin, stop = offsets[row], offsets[row + 1]
        beta[stop] = unsure[stop] = 0.0
        for i in range(stop - 1, begin - 1, -1):
            if first[i] == first[i + 1]:
                continue
            beta[i] = _log_sum(i, first[i], first[i + 1], piece, size, scores, beta)
            total = 0.0
            for e in range(first[i], first[i + 1]):
                chance = scores[piece[e]] + beta[i + size[e]] - beta[i]
                total += np.exp(chance) * (unsure[i + size[e]] - chance)
            unsure[i] = total
        found[row] = unsure[begin]
    return found


@allocating_kernel
def _spell_out(offsets, data, rows, paths, sizes, unknown, bytes_from, none, piece_sizes, new_offsets, ids):
    count = at = 0
    for way in range(rows.size):
        begin, stop = offsets[rows[way]], offsets[rows[way] + 1]
        last = at + sizes[way]
        count, _ = emit(data, begin, stop, paths, at, last, unknown, bytes_from, none, piece_sizes, False, count, ids)
        at = last
        new_offsets[way + 1] = count
    return count
