"""SuperBPE as it is defined, with all superwords in memory: the twin of tokenizers_lab/superbpe.py."""

from collections import Counter
from itertools import pairwise

from tests.reference.bpe_training import replace, train


def train_superbpe(
    words: dict[bytes, int], superwords: dict[bytes, int], first: int, target: int, max_words: int
) -> list[tuple[int, int, int]]:
    """Merges of both stages; ids 0 to 255 are bytes. A merge that spells a piece again is not made in the second."""
    merges = train({tuple(word): count for word, count in words.items()}, 256, first)
    pieces = [bytes([b]) for b in range(256)]
    for left, right, _ in merges:
        pieces.append(pieces[left] + pieces[right])
    rows = Counter()
    for text, count in superwords.items():
        row = tuple(text)
        for merge in merges:
            row = replace(row, *merge)
        rows[row] += count
    while len(pieces) < target:
        pairs = Counter()
        for row, count in rows.items():
            for left, right in pairwise(row):
                whole = pieces[left] + pieces[right]
                if whole not in pieces and whole.count(b" ") <= max_words:
                    pairs[left, right] += count
        if not pairs:
            break
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append((left, right, len(pieces)))
        pieces.append(pieces[left] + pieces[right])
        merged = Counter()
        for row, count in rows.items():
            merged[replace(row, *merges[-1])] += count
        rows = merged
    return merges
