"""Viterbi segmentation, in the arithmetic of SentencePiece 0.2.3.

Scores add up in float32 from the sum of the text before; of equal paths the first one found counts; a sum beyond
±100,000 is reset to 0 at the next place.
"""

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.tokenizers_lab.strings.codepoints import codepoint_at
from gristmill.tokenizers_lab.strings.trie import NOTHING
from gristmill.tokenizers_lab.unigram.double_array import LEAF, PIECE, ROOT, SCORE, child

RESET = np.float32(100_000)  # SentencePiece's kScoreResetThreshold
INF = np.float32(np.inf)


def scratch(size: int) -> tuple[np.ndarray, ...]:
    """Return the working memory of ``viterbi`` for segments of up to ``size`` bytes."""
    return *np.empty((2, size + 1), np.float32), *np.empty((4, size + 1), np.int32)


@kernel
def viterbi(data, at, stop, trie, none, penalty, base, room):
    """Find the best segmentation of data[at:stop] from sum ``base`` on; return its pieces, the sum and the margin.

    The pieces are in ``way``; an unknown character is the piece ``none`` at ``penalty``. The margin is the smallest
    lead of the best path over the second best at any of its places.
    """
    (letters, nodes, scores), (best, second, start, found, word, way) = trie, room
    length, frontier = 0, 0
    while at < stop:
        code, size = codepoint_at(data, at, stop)
        word[length] = letters[code]
        at += size
        length += 1
    best[: length + 1] = second[: length + 1] = -INF
    best[0] = base
    for i in range(length):
        if abs(best[i]) > RESET:
            excess = best[i]
            for k in range(i, frontier + 1):
                best[k] -= excess
        node, end, single = np.int64(ROOT), i, False
        while end < length:
            node = child(nodes, node, word[end])
            if node == LEAF:
                break
            end += 1
            if nodes[node, PIECE] != NOTHING:
                _arrive(best, second, start, found, i, end, nodes[node, PIECE], scores[node, SCORE])
                frontier = max(frontier, end)
                single |= end == i + 1
        if not single:
            _arrive(best, second, start, found, i, i + 1, none, penalty)
            frontier = max(frontier, i + 1)
    count, margin, end = 0, INF, length
    while end > 0:
        margin = min(margin, best[end] - second[end])
        count += 1
        end = np.int64(start[end])
    end = length
    for k in range(count - 1, -1, -1):
        way[k] = found[end]
        end = np.int64(start[end])
    return count, best[length], margin


@kernel
def _arrive(best, second, start, found, begin, end, id, score):
    score += best[begin]
    if score > best[end]:
        second[end] = best[end]
        best[end], start[end], found[end] = score, begin, id
    elif score > second[end]:
        second[end] = score
