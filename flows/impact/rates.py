"""Check by a second learning rate: a verdict that depends on the rate is withheld.

At one rate for all arms, rankings of data change with the rate; those at a low rate hold for larger, tuned models
(arXiv:2512.24503). So the low rate decides, and where it finds something, the first seeds of both arms are trained at
the tuned one, too: it can only withhold a verdict.
"""

import numpy as np

from gristmill.flows.impact.plan import OTHER_RATE, ImpactPlan
from gristmill.flows.impact.verdicts import Scored, series
from gristmill.pretrain.impact.bootstrap import bits_per_byte
from gristmill.pretrain.impact.looks import Look
from gristmill.pretrain.impact.rank_agreement import Agreement, agreement, agreement_of_seeds
from gristmill.pretrain.impact.significance import BETTER, EQUAL, UNDECIDED, WORSE, Interval, LossDifference, compare

CHECK_ALPHA = (
    0.1  # of the change between rates: a check that is to find a dependence must not be as strict as a verdict
)


def check_rates(plan: ImpactPlan, scored: Scored, look: Look, rows: list[dict]) -> None:
    """Add ``other_rate`` to each question, None without such runs, and withhold verdicts that depend on the rate."""
    name = plan.impact.heldout.deciding
    for row in rows:
        row["other_rate"], arm, against = None, row["arm"], row["against"]
        if not {series(arm, OTHER_RATE), series(against, OTHER_RATE)} <= scored.nats.keys() or scored.parts == 1:
            continue
        other = compare(_losses(scored, arm, name), _losses(scored, against, name), look.alpha)
        before, after = (scored.changes(each, name, OTHER_RATE) for each in (against, arm))
        change = compare(before, after, CHECK_ALPHA)
        holds = not depends_on_rate(row["verdict"], row["delta"], row["margin"], other, change.welch)
        row["other_rate"] = {
            "rate": plan.impact.rates.other,
            "delta": other.delta,
            "interval": list(other.welch),
            "change": change.delta,
            "change_interval": list(change.welch),
            "holds": holds,
        }
        if not holds:
            row["verdict"] = UNDECIDED


def depends_on_rate(verdict: str, delta: float, margin: float, other: LossDifference, change: Interval) -> bool:
    """True if the other rate contradicts a verdict.

    Better or worse is contradicted by a difference of the other sign if the change between the rates is not by chance;
    no difference by an interval beyond the margin. A rate that shows less does not contradict.
    """
    if verdict == EQUAL:
        return other.welch.low > margin or other.welch.high < -margin
    turned = delta * other.delta < 0 and not change.low <= 0 <= change.high
    return verdict in (BETTER, WORSE) and turned


def describe_agreement(plan: ImpactPlan, scored: Scored) -> dict:
    """Return how alike two rates, and two seeds, rank the arms; null for a comparison without runs."""
    name, arms = plan.impact.heldout.deciding, [arm.name for arm in plan.arms]
    seeds = min(len(scored.nats[arm]) for arm in arms)
    losses = np.array([scored.losses(arm, name)[:seeds] for arm in arms])
    found: dict[str, Agreement | None] = {"seeds": agreement_of_seeds(losses), "rates": None}
    checked = [arm for arm in arms if series(arm, OTHER_RATE) in scored.nats]
    if len(checked) > 1:
        others = [scored.losses(arm, name, OTHER_RATE) for arm in checked]
        least, rows = min(map(len, others)), [arm in checked for arm in arms]
        found["rates"] = agreement(losses[rows], np.array([each[:least] for each in others]))
    counts = {"seeds": len(arms), "rates": len(checked)}
    return {key: each and {"arms": counts[key]} | each.table() for key, each in found.items()}


def _losses(scored: Scored, arm: str, name: str) -> list[float]:
    return bits_per_byte(*scored.independent(arm, name, OTHER_RATE)).tolist()
