"""Verdicts of an experiment: every question of the plan, with intervals; and the arms that need more seeds."""

from typing import Any, NamedTuple

import numpy as np

from gristmill.flows.impact.plan import ImpactPlan
from gristmill.pretrain.impact.bootstrap import bits_per_byte, bootstrap
from gristmill.pretrain.impact.significance import INCONCLUSIVE, compare, holm, verdict
from gristmill.pretrain.impact.successive_halving import Question, Rung


class Scored(NamedTuple):
    """Losses of the evaluation pieces under every run."""

    nats: dict[str, np.ndarray]  # arm -> float64[seeds, pieces]
    sizes: np.ndarray  # int64[pieces], bytes
    sets: np.ndarray  # str[pieces]

    def names(self) -> list[str]:
        return sorted(set(self.sets.tolist()))

    def of(self, arm: str, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return nats [seeds, pieces of the set ``name``] and bytes [pieces]."""
        mine = self.sets == name
        return self.nats[arm][:, mine], self.sizes[mine]

    def losses(self, arm: str, name: str) -> np.ndarray:
        """Return float64[seeds], the bits per byte of each seed."""
        return bits_per_byte(*self.of(arm, name))


def compare_arms(plan: ImpactPlan, scored: Scored, look: Rung) -> list[dict]:
    """Return a row per question, as in impact.json."""
    name, test = plan.impact.heldout.decision_set, plan.impact.test
    rows: list[dict[str, Any]] = []
    for arm in plan.arms:
        if not arm.against:
            continue
        mine, other = scored.losses(arm.name, name), scored.losses(arm.against, name)
        found = compare(mine.tolist(), other.tolist(), look.alpha)
        nats, sizes = scored.of(arm.name, name)
        drawn = bootstrap(nats, scored.of(arm.against, name)[0], sizes, look.alpha, test.draws)
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
                "margin": test.margin * float(other.mean()),
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
