"""Parity-aware BPE as it is defined: all pairs counted anew before each merge. The twin of bpe/parity_kernels.py."""

from collections import Counter
from itertools import pairwise

from tests.reference.bpe_training import replace


def balance(
    languages: list[dict[tuple[int, ...], int]], content: list[float], pieces: list[bytes], target: int, rarest: int
) -> list[tuple[int, int, int]]:
    """Merges (left, right, whole), each the most frequent pair of the language with the most tokens per content."""
    languages, pieces, merges = [Counter(words) for words in languages], [*pieces], []
    while len(pieces) < target:
        tokens = [sum(len(word) * count for word, count in words.items()) for words in languages]
        for worst in sorted(range(len(languages)), key=lambda k: (-tokens[k] / content[k], k)):
            pairs = Counter()
            for word, count in languages[worst].items():
                for left, right in pairwise(word):
                    if pieces[left] + pieces[right] not in pieces:
                        pairs[left, right] += count
            pairs = {pair: count for pair, count in pairs.items() if count >= rarest}
            if pairs:
                break
        else:
            return merges
        left, right = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append((left, right, len(pieces)))
        pieces.append(pieces[left] + pieces[right])
        for k, words in enumerate(languages):
            merged = Counter()
            for word, count in words.items():
                merged[replace(word, *merges[-1])] += count
            languages[k] = merged
    return merges
