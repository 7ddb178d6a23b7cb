"""Comparison of two arms on the guard: fresh runs on text and documents that no choice has seen."""

import numpy as np

from gristmill.flows.impact.sentences import sentence
from gristmill.flows.impact.verdicts import Scored
from gristmill.pretrain.impact.bootstrap import bits_per_byte, bootstrap
from gristmill.pretrain.impact.significance import BETTER, WITHHELD, compare, verdict

ALPHA = 0.05  # probability of finding a gain or a loss where there is none
MARGIN = 0.005  # fraction of the loss below which a difference does not matter
DRAWS = 2000
ALL = "all sets"  # their mean, for the mixture with the lowest mean loss


def compare_on_guard(scored: Scored, arm: str, against: str, name: str, parameters: int, needed: float) -> dict:
    """Return the difference of two arms on the set ``name``: its intervals, the verdict, and a sentence to quote.

    ``needed`` is the bytes of text that each arm needs, for a verdict withheld because the runs share their documents.
    """
    nats, sizes = scored.independent(arm, name)
    others, _ = scored.independent(against, name)
    losses, other = bits_per_byte(nats, sizes), bits_per_byte(others, sizes)
    found = compare(losses.tolist(), other.tolist(), ALPHA)
    margin = MARGIN * float(other.mean())
    row = {
        "arm": arm,
        "against": against,
        "set": name,
        "seeds": [len(scored.nats[arm]), len(scored.nats[against])],
        "samples": list(found.seeds),
        "losses": [float(losses.mean()), float(other.mean())],
        "delta": found.delta,
        "interval": list(found.welch),
        "bootstrap": list(bootstrap(nats, others, sizes, ALPHA, DRAWS)),
        "p": found.p,
        "smallest": found.smallest_effect,
        "margin": margin,
        "confidence": 1 - ALPHA,
        "needed_bytes": needed,
    }
    row["verdict"] = WITHHELD if scored.parts == 1 else verdict(found, found.p, ALPHA, margin)
    return row | {"sentence": sentence(row, name, parameters)}


def pool_sets(scored: Scored) -> Scored:
    """Return the losses with the pieces of all sets as those of one, ALL, in which each set has the same weight."""
    total, weights = scored.sizes.sum(), np.ones(scored.sizes.size)
    for name in scored.names():
        mine = scored.sets == name
        weights[mine] = total / len(scored.names()) / scored.sizes[mine].sum()
    nats = {arm: each * weights for arm, each in scored.nats.items()}
    return scored._replace(nats=nats, sizes=scored.sizes * weights, sets=np.full(weights.size, ALL, object))


def is_gain(row: dict) -> bool:
    """True if the interval of the difference lies below zero."""
    return row["verdict"] == BETTER
