"""Successive halving over seeds: each round doubles the runs of the better half of the candidates.

All candidates train for as long in every round, so that no round asks another question than the last. A run of an
earlier round counts in the later ones. The recipe itself stays to the end (Jamieson & Talwalkar 2015, 1502.07943).
"""

from typing import NamedTuple

FINALISTS = 2
MOST_CANDIDATES = 256


class Round(NamedTuple):
    """Candidates in a round, the recipe among them, and the runs of each, those of earlier rounds included."""

    candidates: int
    seeds: int


def plan_rounds(candidates: int) -> list[Round]:
    """Return the rounds for a number of candidates, the recipe among them.

    >>> plan_rounds(8)
    [Round(candidates=8, seeds=1), Round(candidates=4, seeds=2), Round(candidates=2, seeds=4)]
    """
    rounds = [Round(candidates, 1)]
    while rounds[-1].candidates > FINALISTS:
        rounds.append(Round((rounds[-1].candidates + 1) // 2, 2 * rounds[-1].seeds))
    return rounds


def count_runs(rounds: list[Round]) -> int:
    """Return the number of runs that the rounds train.

    >>> count_runs(plan_rounds(8))
    16
    """
    seeds = [0, *(each.seeds for each in rounds)]
    return sum(each.candidates * (each.seeds - before) for each, before in zip(rounds, seeds, strict=False))


def most_candidates(runs: int) -> int:
    """Return the largest number of candidates for up to ``runs`` runs, the recipe among them; at least 2.

    >>> most_candidates(16)
    8
    """
    fitting = [n for n in range(2, MOST_CANDIDATES + 1) if count_runs(plan_rounds(n)) <= runs]
    return max(fitting, default=2)


def survivors(losses: dict[int, float], count: int) -> list[int]:
    """Return the candidates of the next round, best first, without the recipe (candidate 0), which stays.

    >>> survivors({0: 1.0, 1: 3.0, 2: 2.0, 3: 4.0}, 3)
    [2, 1]
    """
    others = sorted((each for each in losses if each != 0), key=lambda each: (losses[each], each))
    return others[: count - 1]
