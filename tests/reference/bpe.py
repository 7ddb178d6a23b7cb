"""BPE encoding as it is defined: of all pairs of neighbours the one of lowest rank, leftmost, merges; and again."""

from itertools import pairwise


def merge(symbols: list[int], ranks: dict[tuple[int, int], tuple[int, int]]) -> list[int]:
    """``ranks``: pair -> (rank, id of the whole)."""
    symbols = [*symbols]
    while True:
        pairs = [(ranks[pair][0], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks]
        if not pairs:
            return symbols
        _, at = min(pairs)
        symbols[at : at + 2] = [ranks[symbols[at], symbols[at + 1]][1]]
