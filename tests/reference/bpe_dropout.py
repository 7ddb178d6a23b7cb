"""BPE-dropout as the paper has it: a coin for each pair that could merge, and the first that it spares merges."""

from collections.abc import Callable
from itertools import pairwise


def merge(symbols: list[int], ranks: dict[tuple[int, int], tuple[int, int]], passed_over: Callable[[], bool]):
    """``ranks``: pair -> (rank, id of the whole). Coins are tossed from the lowest rank on, leftmost first."""
    symbols = [*symbols]
    while True:
        could = sorted((ranks[pair][0], i) for i, pair in enumerate(pairwise(symbols)) if pair in ranks)
        at = next((i for _, i in could if not passed_over()), None)
        if at is None:
            return symbols
        symbols[at : at + 2] = [ranks[symbols[at], symbols[at + 1]][1]]
