"""Spending seeds where they matter: all arms run a few, the better half of the open questions gets as many again.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) with questions in place of arms. Each look at the
figures may find something by chance, so each has its share of alpha: a false finding at any of them stays as unlikely
as at one.
"""

from typing import NamedTuple


class Rung(NamedTuple):
    """One look: the seeds that an arm still in the race has by then."""

    seeds: int
    alpha: float


def rungs(first: int, max_seeds: int, alpha: float) -> list[Rung]:
    """Seeds double from look to look, up to ``most``.

    >>> rungs(3, 8, 0.03)
    [Rung(seeds=3, alpha=0.01), Rung(seeds=6, alpha=0.01), Rung(seeds=8, alpha=0.01)]
    """
    counts = [first]
    while counts[-1] < max_seeds:
        counts.append(min(max_seeds, 2 * counts[-1]))
    return [Rung(count, alpha / len(counts)) for count in counts]


class Question(NamedTuple):
    """An arm against another, as it stands."""

    arm: str
    against: str
    p: float
    settled: bool  # a difference is found, or shown to be within the margin


def still_open(questions: list[Question]) -> set[str]:
    """The arms that get more seeds: of the open questions the half nearest to an answer, and whom they ask about.

    What is far from a difference would need many more seeds than there are; what is settled needs none.
    """
    remaining = sorted((each for each in questions if not each.settled), key=lambda each: (each.p, each.arm))
    chosen = remaining[: -(-len(remaining) // 2)]
    return {name for each in chosen for name in (each.arm, each.against)}
