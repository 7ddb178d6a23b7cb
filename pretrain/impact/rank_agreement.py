"""Rank agreement: whether small models rank the arms as the largest ones do.

Over 25 corpora, models of 150 M ordered 80 % of pairs as models of 1 B did, and no extrapolation of scaling laws did
better (DataDecide, Magnusson et al. 2025, arXiv:2504.11393).
"""

from collections.abc import Sequence
from itertools import combinations


def pairwise_agreement(losses: Sequence[float], others: Sequence[float]) -> float:
    """Return the share of pairs of arms that both order alike; ties count half, and no pair gives 1."""
    pairs = list(combinations(range(len(losses)), 2))
    signs = [(losses[i] - losses[j]) * (others[i] - others[j]) for i, j in pairs]
    return sum((sign > 0) + 0.5 * (sign == 0) for sign in signs) / len(pairs) if pairs else 1.0


def kendall(losses: Sequence[float], others: Sequence[float]) -> float:
    """Compute Kendall's tau: 1 for the same order, 0 for none, -1 for the reverse."""
    return 2 * pairwise_agreement(losses, others) - 1
