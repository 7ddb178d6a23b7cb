"""From scores to verdicts: every question of the plan, with intervals, and which arms deserve more seeds."""

from typing import NamedTuple

import numpy as np

from gristmill.flows.impact.plan import ImpactPlan
from gristmill.pretrain.impact.bootstrap import bits_per_byte, bootstrap
from gristmill.pretrain.impact.significance import INCONCLUSIVE, compare, holm, verdict
from gristmill.pretrain.impact.successive_halving import Question, Rung


class Scored(NamedTuple):
    """The held-out pieces under every run."""

    nats: dict[str, np.ndarray]  # arm -> float64[seeds, pieces]
    sizes: np.ndarray  # int64[pieces], bytes
    sets: np.ndarray  # str[pieces]

    def names(self) -> list[str]:
        return sorted(set(self.sets.tolist()))

    def of(self, arm: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Nats [seeds, pieces of that set], bytes [pieces]."""
        mine = self.sets == name
        return self.nats[arm][:, mine], self.sizes[mine]

    def losses(self, arm: str, name: str) -> np.ndarray:
        """Bits per byte of each seed."""
        return bits_per_byte(*self.of(arm, name))


def judge(plan: ImpactPlan, scored: Scored, look: Rung) -> list[dict]:
    """A row a question, as impact.json has it."""
    name, judging = plan.impact.heldout.verdict, plan.impact.judging
    rows = []
    for arm in plan.arms:
        if not arm.against:
            continue
        mine, other = scored.losses(arm.name, name), scored.losses(arm.against, name)
        found = compare(mine, other, look.alpha)
        nats, sizes = scored.of(arm.name, name)
        drawn = bootstrap(nats, scored.of(arm.against, name)[0], sizes, look.alpha, judging.draws)
        rows.append(
            {
                "arm": arm.name,
                "against": arm.against,
                "seeds": list(found.seeds),
                "delta": found.delta,
                "interval": list(found.welch),
                "paired": list(found.paired) if found.paired else None,
                "correlation": found.correlation,
                "bootstrap": list(drawn),
                "p": found.p,
                "sd": found.sd,
                "smallest": found.smallest_effect,
                "margin": judging.margin * float(other.mean()),
                "confidence": 1 - look.alpha,
                "narrow": list(found.equivalence),
                "found": found,
            }
        )
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["adjusted"] = adjusted
        row["verdict"] = verdict(row.pop("found"), adjusted, look.alpha, row["margin"])
    return rows


def questions(rows: list[dict]) -> list[Question]:
    return [Question(row["arm"], row["against"], row["p"], row["verdict"] != INCONCLUSIVE) for row in rows]
