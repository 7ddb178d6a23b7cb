"""Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) over open questions instead of arms.

All arms run a few seeds; then the half of the open questions nearest to an answer gets as many again. Each look at the
results may find a difference by chance, so the looks share alpha.
"""

from typing import NamedTuple


class Rung(NamedTuple):
    """A look at the results: seeds per remaining arm, and its share of alpha."""

    seeds: int
    alpha: float


def rungs(first: int, max_seeds: int, alpha: float) -> list[Rung]:
    """Plan the looks: seeds double from look to look, up to ``most``.

    >>> rungs(3, 8, 0.03)
    [Rung(seeds=3, alpha=0.01), Rung(seeds=6, alpha=0.01), Rung(seeds=8, alpha=0.01)]
    """
    counts = [first]
    while counts[-1] < max_seeds:
        counts.append(min(max_seeds, 2 * counts[-1]))
    return [Rung(count, alpha / len(counts)) for count in counts]


class Question(NamedTuple):
    """Comparison of an arm with another, at one look."""

    arm: str
    against: str
    p: float
    settled: bool  # a difference was found, or shown to lie within the margin


def still_open(questions: list[Question]) -> set[str]:
    """Return the arms that get more seeds: both arms of the half of the open questions with the smallest p-values.

    The other half would need many more seeds than there are.
    """
    remaining = sorted((each for each in questions if not each.settled), key=lambda each: (each.p, each.arm))
    chosen = remaining[: -(-len(remaining) // 2)]
    return {name for each in chosen for name in (each.arm, each.against)}
