"""Looks at the results: every open question gets twice the seeds at the next look, so that each gets what it needs.

A question is closed by a finding, or by an interval within the margin. Each look may find a difference by chance, so
the looks share alpha. Halving the open questions instead (arXiv:1502.07943) left those with small effects unanswered.
"""

from typing import NamedTuple


class Look(NamedTuple):
    """A look at the results: seeds of each arm with an open question, and its share of alpha."""

    seeds: int
    alpha: float


def looks(first: int, max_seeds: int, alpha: float) -> list[Look]:
    """Plan the looks: seeds double from look to look, up to ``max_seeds``.

    >>> looks(3, 8, 0.03)
    [Look(seeds=3, alpha=0.01), Look(seeds=6, alpha=0.01), Look(seeds=8, alpha=0.01)]
    """
    counts = [first]
    while counts[-1] < max_seeds:
        counts.append(min(max_seeds, 2 * counts[-1]))
    return [Look(count, alpha / len(counts)) for count in counts]
