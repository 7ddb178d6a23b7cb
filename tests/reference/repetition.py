"""filters/rules/repetition.py as plain Python, from the paper's words and the ones in its documentation."""

from collections import Counter
from itertools import groupby

from gristmill.filters.words.words import BEGINS_LINE, BEGINS_PARAGRAPH, PUNCTUATION_ONLY


def shares(found: list[tuple[bytes, int, int]]) -> dict[str, float]:
    """Words (their bytes, characters and flags) -> measure -> share."""
    words = [(word, length) for word, length, flags in found if not flags & PUNCTUATION_ONLY]
    total = sum(length for _, length in words)
    measures = {}
    for name, begins in ("paragraph", BEGINS_PARAGRAPH), ("line", BEGINS_LINE):
        pieces: list[list] = [[]]
        for word, length, flags in found:
            if flags & begins:
                pieces.append([])
            if not flags & PUNCTUATION_ONLY:
                pieces[-1].append((word, length))
        pieces = [piece for piece in pieces if piece]
        repeats = [piece for i, piece in enumerate(pieces) if piece in pieces[:i]]
        measures[f"dup_{name}s"] = len(repeats) / (len(pieces) or 1)
        measures[f"dup_{name}_chars"] = sum(length for piece in repeats for _, length in piece) / (total or 1)
    for n in range(2, 5):
        measures[f"top_{n}_gram"] = top(words, n) / (total or 1)
    for n in range(5, 11):
        measures[f"dup_{n}_grams"] = duplicates(words, n) / (total or 1)
    return measures


def top(words: list, n: int) -> int:
    grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
    counts = Counter(grams)
    most = max(counts.values(), default=0)
    if most < 2:
        return 0
    best = 0
    for gram in (gram for gram, count in counts.items() if count == most):
        covered = {i + k for i, other in enumerate(grams) if other == gram for k in range(n)}
        best = max(best, sum(words[i][1] for i in covered))
    return best


def duplicates(words: list, n: int) -> int:
    seen, at, chars = set(), 0, 0
    while at + n <= len(words):
        gram = tuple(words[at : at + n])
        if gram in seen:
            chars += sum(length for _, length in gram)
            at += n
        else:
            seen.add(gram)
            at += 1
    return chars


def numbers(keys: list[int]) -> tuple[list[int], list[int]]:
    """Numbers in the order of first appearance, and the count of each."""
    order = list(dict.fromkeys(keys))
    counts = {key: len(list(group)) for key, group in groupby(sorted(keys))}
    return [order.index(key) for key in keys], [counts[key] for key in order]
