"""Verdicts of an experiment: every question of the plan on every set, with intervals; at equal tokens and documents."""

from itertools import product
from typing import Any, NamedTuple

import numpy as np

from gristmill.flows.impact.documents.variance import part_means, recenter
from gristmill.flows.impact.plan import EQUAL_DOCUMENTS, PARTS, SAMPLES, ImpactPlan
from gristmill.pretrain.impact.bootstrap import bits_per_byte, bootstrap
from gristmill.pretrain.impact.looks import Look
from gristmill.pretrain.impact.significance import (
    BETTER,
    EQUAL,
    INCONCLUSIVE,
    WITHHELD,
    WORSE,
    LossDifference,
    compare,
    holm,
    verdict,
)

FINDINGS = (BETTER, WORSE, EQUAL)


class Scored(NamedTuple):
    """Losses of the evaluation pieces under every run."""

    nats: dict[str, np.ndarray]  # arm -> float64[seeds, pieces]; also "arm equal documents", "arm parts" and others
    sizes: np.ndarray  # int64[pieces], bytes
    sets: np.ndarray  # str[pieces]
    parts: int = 0  # into which the documents are dealt; 0: as many as there are seeds

    def names(self) -> list[str]:
        return sorted(set(self.sets.tolist()))

    def of(self, arm: str, name: str, rung: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Return nats [seeds, pieces of the set ``name``] and bytes [pieces]."""
        mine = self.sets == name
        return self.nats[series(arm, rung)][:, mine], self.sizes[mine]

    def independent(self, arm: str, name: str, rung: str = "") -> tuple[np.ndarray, np.ndarray]:
        """Return the same of runs without common documents; of all runs, if all share their documents.

        Those of a short arm have the mean of its runs on all documents, and the spread of those on its parts.
        """
        nats, sizes = self.of(arm, name, rung)
        if (other := self.spread(arm)) == PARTS:
            nats = recenter(self.of_parts(self.of(arm, name, PARTS)[0]), nats)
        return (nats if other else self.of_parts(nats)), sizes

    def kinds(self, arm: str, name: str, rung: str) -> list[np.ndarray]:
        """Return the nats of independent runs, and those on samples of the largest arm as large as this one, if any."""
        samples = [self.of(arm, name, SAMPLES)[0]] if self.spread(arm) == SAMPLES and not rung else []
        return [self.independent(arm, name, rung)[0], *samples]

    def spread(self, arm: str) -> str:
        """Return the rung of the other runs of a short arm, "" for other arms."""
        return next((rung for rung in (PARTS, SAMPLES) if series(arm, rung) in self.nats), "")

    def of_parts(self, values: np.ndarray) -> np.ndarray:
        """Return the means of the parts' runs, float64[parts, …]; the runs, if there is one part."""
        return part_means(values, self.parts if self.parts > 1 else len(values))

    def losses(self, arm: str, name: str, rung: str = "") -> np.ndarray:
        """Return float64[seeds], the bits per byte of each seed."""
        return bits_per_byte(*self.of(arm, name, rung))

    def dealt(self, arm: str, name: str) -> np.ndarray:
        """Return the losses of the runs that read a part each."""
        return self.losses(arm, name, self.spread(arm))

    def runs(self, arm: str) -> int:
        """Return the number of runs at the rate that decides and at equal tokens."""
        return sum(len(self.nats.get(series(arm, rung), ())) for rung in ("", PARTS, SAMPLES))

    def changes(self, arm: str, name: str, rung: str) -> list[float]:
        """Return by how much the loss of a series is above that of the arm's runs with the same seeds, for each part.

        Runs of one seed have the same documents and weights, so their losses are compared in pairs.
        """
        others = self.losses(arm, name, rung)
        return self.of_parts(others - self.losses(arm, name)[: len(others)]).tolist()


def series(arm: str, rung: str = "") -> str:
    """Return the name of the runs of an arm that differ by their seeds only."""
    return f"{arm} {rung}" if rung else arm


def compare_arms(plan: ImpactPlan, scored: Scored, look: Look) -> list[dict]:
    """Return a row per question, as in impact.json."""
    asked = [(arm.name, arm.against) for arm in plan.arms if arm.against]
    decides = plan.impact.heldout.deciding
    rows = _answers(plan, scored, look, decides, asked)
    for name in scored.names():
        if name != decides:
            for row, other in zip(rows, _answers(plan, scored, look, name, asked), strict=True):
                row["sets"][name] = {key: other[key] for key in ("delta", "interval", "verdict")}
    second = [(name, other) for name, other in asked if series(name, EQUAL_DOCUMENTS) in scored.nats]
    found = {row["arm"]: row for row in _answers(plan, scored, look, decides, second, EQUAL_DOCUMENTS)}
    for row in rows:
        row["equal_documents"] = found.get(row["arm"])
        row["fewer_tokens"] = _fewer_tokens(scored, row["arm"], decides) if row["equal_documents"] else None
    return rows


def _fewer_tokens(scored: Scored, arm: str, name: str) -> dict:
    """Return what an arm loses, or gains, by training on as many documents instead of as many tokens."""
    changes = scored.changes(arm, name, EQUAL_DOCUMENTS)
    found = compare(changes, [0.0] * len(changes))
    return {"delta": found.delta, "interval": list(found.paired or found.welch)}


def _answers(
    plan: ImpactPlan, scored: Scored, look: Look, name: str, asked: list[tuple[str, str]], rung: str = ""
) -> list[dict]:
    """Return a row per pair of arms on one set, the first at a ``rung``, with p-values adjusted over the pairs."""
    test, rows = plan.impact.test, list[dict[str, Any]]()
    differences: list[LossDifference] = []
    for arm, against in asked:
        nats, others, found = _least_certain(scored, arm, against, name, rung, look.alpha)
        sizes = scored.of(arm, name)[1]
        other = bits_per_byte(others, sizes)
        differences.append(found)
        rows.append(
            {
                "arm": arm,
                "against": against,
                "seeds": [len(scored.nats[series(arm, rung)]) if rung else scored.runs(arm), scored.runs(against)],
                "samples": list(found.seeds) if scored.parts != 1 else [1, 1],
                "delta": found.delta,
                "interval": list(found.welch),
                "paired": list(found.paired) if found.paired else None,
                "correlation": found.correlation,
                "bootstrap": list(bootstrap(nats, others, sizes, look.alpha, test.draws)),
                "p": found.p,
                "sd": found.sd,
                "smallest": found.smallest_effect,
                "margin": test.margin * float(other.mean()),
                "confidence": 1 - look.alpha,
                "narrow": list(found.equivalence),
                "sets": {},
            }
        )
    adjusted = holm([row["p"] for row in rows])
    for row, found, p in zip(rows, differences, adjusted, strict=True):
        row["adjusted"] = p
        row["verdict"] = WITHHELD if scored.parts == 1 else verdict(found, p, look.alpha, row["margin"])
    return rows


def _least_certain(
    scored: Scored, arm: str, against: str, name: str, rung: str, alpha: float
) -> tuple[np.ndarray, np.ndarray, LossDifference]:
    """Return the nats of two arms and their difference, of all kinds of their runs the least certain one.

    A difference that holds for the documents of a short arm, and for samples of the same size, is not by the luck of
    either. Kinds that contradict each other show nothing: p is 1.
    """
    sizes, found = scored.of(arm, name)[1], list[tuple[np.ndarray, np.ndarray, LossDifference]]()
    for nats, others in product(scored.kinds(arm, name, rung), scored.kinds(against, name, "")):
        losses, other = bits_per_byte(nats, sizes), bits_per_byte(others, sizes)
        found.append((nats, others, compare(losses.tolist(), other.tolist(), alpha)))
    nats, others, least = max(found, key=lambda each: each[2].p)
    if len({each[2].delta > 0 for each in found}) > 1:
        least = least._replace(p=1.0)
    return nats, others, least


def still_open(rows: list[dict]) -> set[str]:
    """Return the arms that need more seeds: both arms of each question without a finding."""
    return {name for row in rows if row["verdict"] == INCONCLUSIVE for name in (row["arm"], row["against"])}


def disagreements(row: dict, decides: str) -> str:
    """Return a sentence about the sets whose findings contradict each other, "" if none do."""
    found = {decides: row["verdict"]} | {name: each["verdict"] for name, each in row["sets"].items()}
    findings = {name: each for name, each in found.items() if each in FINDINGS}
    if len(set(findings.values())) < 2:
        return ""
    answers = ", ".join(f"{answer} on {name}" for name, answer in findings.items())
    return f"Sets disagree on {row['arm']} against {row['against']}: {answers}"
