"""Do small models rank the arms as large ones do? Before a small one is believed, its ranking is held to the largest's.

Over 25 corpora, the ranking at one size of 150 M decided 80 % of pairs as models of 1 B did, and no extrapolation of
scaling laws did better (DataDecide, Magnusson et al. 2025, arXiv:2504.11393).
"""

from collections.abc import Sequence
from itertools import combinations


def pairwise_agreement(losses: Sequence[float], others: Sequence[float]) -> float:
    """Share of the pairs of arms that both put in the same order, ties counting half; 1 where there is no pair."""
    pairs = list(combinations(range(len(losses)), 2))
    signs = [(losses[i] - losses[j]) * (others[i] - others[j]) for i, j in pairs]
    return sum((sign > 0) + 0.5 * (sign == 0) for sign in signs) / len(pairs) if pairs else 1.0


def kendall(losses: Sequence[float], others: Sequence[float]) -> float:
    """Kendall's tau: 1 the same order, 0 none, -1 the reverse."""
    return 2 * pairwise_agreement(losses, others) - 1
