"""The unigram model, word by word and way by way."""

import math
from collections import Counter
from functools import cache


def ways(word: str, pieces: set[str]):
    """Every way to cut a word, the unknown character as None."""
    if not word:
        yield ()
    for size in range(1, len(word) + 1):
        known = word[:size] in pieces
        if known or size == 1:
            for rest in ways(word[size:], pieces):
                yield (word[:size] if known else None, *rest)


def expected(words: dict[str, int], scores: dict[str, float], unknown: float):
    """Expected counts of pieces over all ways, and the log-likelihood."""
    found, likelihood = Counter(), 0.0
    for word, count in words.items():
        every = [(way, math.exp(sum(scores.get(p, unknown) for p in way))) for way in ways(word, set(scores))]
        total = sum(odds for _, odds in every)
        likelihood += count * math.log(total)
        for way, odds in every:
            for piece in way:
                found[piece] += count * odds / total
    return found, likelihood


def best(word: str, scores: dict[str, float], unknown: float, without: str | None = None):
    """The best way and its score; of equal ones that whose last piece begins first, and so on back."""

    @cache
    def ending(end):
        if end == 0:
            return 0.0, ()
        options = []
        for begin in range(end):
            piece = word[begin:end]
            if piece == without:
                continue
            if piece in scores:
                score = scores[piece]
            elif end - begin == 1:
                score, piece = unknown, None
            else:
                continue
            before, way = ending(begin)
            if before > -math.inf:
                options.append((before + score, -begin, (*way, piece)))
        score, _, way = max(options, key=lambda option: option[:2], default=(-math.inf, 0, ()))
        return score, way

    return ending(len(word))


def substrings(words: dict[str, int], longest: int, group) -> Counter:
    """Counts of substrings of two characters and more that mix no groups; ▁ only begins one."""
    found = Counter()
    for word, count in words.items():
        for i in range(len(word)):
            for j in range(i + 2, min(len(word), i + longest) + 1):
                groups = {group(c) for c in word[i:j]} - {None}
                if len(groups) <= 1 and "▁" not in word[i + 1 : j]:
                    found[word[i:j]] += count
    return found


def branches(words: dict[str, int], piece: str) -> bool:
    """Does a word end behind the piece, or do different characters follow it?"""
    behind = {word[i + len(piece) :][:1] for word in words for i in range(len(word)) if word.startswith(piece, i)}
    return len(behind) > 1 or "" in behind
