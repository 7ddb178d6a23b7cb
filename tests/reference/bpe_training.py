"""BPE training as it is defined: count all pairs anew before each merge. The twin of tokenizers_lab/bpe/merger.py."""

from collections import Counter
from itertools import pairwise


def train(
    words: dict[tuple[int, ...], int], symbols: int, target: int, longest: int = 1 << 30
) -> list[tuple[int, int, int]]:
    """Merges (left, right, whole); of equally frequent pairs the one with the smaller ids, a new symbol each."""
    words, merges, length = dict(words), [], dict.fromkeys(range(symbols), 1)
    while symbols < target:
        pairs = Counter()
        for word, count in words.items():
            for left, right in pairwise(word):
                if length[left] + length[right] <= longest:
                    pairs[left, right] += count
        if not pairs:
            break
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append((left, right, symbols))
        length[symbols] = length[left] + length[right]
        merged = Counter()
        for word, count in words.items():
            merged[replace(word, left, right, symbols)] += count
        words, symbols = merged, symbols + 1
    return merges


def replace(word: tuple[int, ...], left: int, right: int, whole: int) -> tuple[int, ...]:
    made, at = [], 0
    while at < len(word):
        if word[at : at + 2] == (left, right):
            made.append(whole)
            at += 2
        else:
            made.append(word[at])
            at += 1
    return tuple(made)
