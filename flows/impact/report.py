"""Report of an experiment: ``IMPACT/impact.json`` and ``IMPACT/impact.png``.

impact.json
  name, headline        the sentence: "full against raw: Δ bpb = … [lo, hi]"
  test                  decision_set, alpha, margin (fraction of the loss), draws, as planned
  arms[]                name, against, steps, documents, bytes, tokens (of the arm's text), runs, parameters,
                        trained_tokens, source_bytes, unique_tokens, epochs, effective_tokens (of one run),
                        losses {set: {mean, sd, seeds[]}} in bits per byte
  questions[]           arm, against, seeds [n, n], delta, interval (Welch), paired, bootstrap, confidence, p,
                        adjusted (Holm), narrow (interval at 2 alpha), correlation (of equal seeds), sd, smallest
                        (effect found with a power of 0.8), margin, verdict, sentence, bytes_removed,
                        bytes_per_millibit (bytes removed for each 0.001 bpb; null without a gain)
  heldout[]             set, pieces, bytes, candidates, overlapping, overlap {data: mean share of n-grams}
  scaling               law, worth of tokens by arm, agreement of sizes; null without scaling runs
  warnings[]
"""

import orjson
import polars as pl
from upath import UPath

from gristmill.flows.impact.arms import Arm
from gristmill.flows.impact.plan import ImpactPlan
from gristmill.flows.impact.plot import draw
from gristmill.flows.impact.prepare import arm_summary, overlaps
from gristmill.flows.impact.scaling import describe_scaling
from gristmill.flows.impact.train import ArmRun, base_run, check_epochs, data_of, read_summary
from gristmill.flows.impact.verdicts import Scored
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed
from gristmill.pretrain.impact.significance import BETTER, EQUAL, WORSE

REPORT, PLOT = "impact.json", "impact.png"
MILLIBIT = 0.001


def write_report(plan: ImpactPlan, work: UPath, scored: Scored, scaling: list[ArmRun], rows: list[dict]) -> dict:
    """Write the report; return it."""
    runs = [base_run(plan, work, arm, 0) for arm in plan.arms]
    report = {
        "name": plan.impact.name,
        "headline": "",
        "test": plan.table(work)["test"],
        "arms": [_arm(work, arm, run, scored) for arm, run in zip(plan.arms, runs, strict=True)],
        "questions": rows,
        "heldout": _heldout(plan, work, scored),
        "scaling": describe_scaling(plan, work, scaling) if scaling else None,
        "warnings": check_epochs([*runs, *scaling], plan.impact.budget.max_epochs),
    }
    sizes = {arm["name"]: arm["bytes"] for arm in report["arms"]}
    for row in rows:
        row |= _price(row, sizes)
        row["sentence"] = sentence(row, report["test"]["decision_set"])
    report["headline"] = rows[0]["sentence"]
    write_sealed(work / REPORT, report, orjson.OPT_SERIALIZE_NUMPY)
    draw(work / PLOT, report)
    return report


def read_report(work: UPath) -> dict:
    """Return a finished experiment's report; raise WorkError if there is none."""
    if not (work / REPORT).exists():
        raise WorkError(f"{work} holds no finished experiment; `gristmill impact run RECIPE --output {work}` makes one")
    return read_sealed(work / REPORT, "remove it and run `gristmill impact run` again")


def sentence(row: dict, name: str) -> str:
    """Return the answer to one question as a sentence to quote."""
    low, high = row["interval"]
    answer = row["verdict"]
    if answer not in (BETTER, WORSE, EQUAL):
        answer += f"; an effect of {row['smallest']:.4f} would be found, four times in five"
    seeds = " and ".join(map(str, row["seeds"]))
    return (
        f"{row['arm']} against {row['against']}: Δ bpb = {row['delta']:+.4f} [{low:+.4f}, {high:+.4f}] on {name} "
        f"({row['confidence']:.0%} interval, {seeds} seeds): {answer}"
    )


def _price(row: dict, sizes: dict[str, int]) -> dict:
    """Return the difference of the two arms in bytes, and the bytes removed for each 0.001 bits per byte gained."""
    removed = sizes[row["arm"]] - sizes[row["against"]]
    gained = row["delta"] if removed > 0 else -row["delta"]
    gains = row["verdict"] in (BETTER, WORSE) and gained > 0 and removed
    return {
        "bytes_removed": abs(removed),
        "bytes_per_millibit": abs(removed) / (gained / MILLIBIT) if gains else None,
    }


def _arm(work: UPath, arm: Arm, run: ArmRun, scored: Scored) -> dict:
    data, counts, losses = data_of(run), arm_summary(work, arm)["counts"], {}
    for name in scored.names():
        seeds = scored.losses(arm.name, name)
        losses[name] = {"mean": float(seeds.mean()), "sd": float(seeds.std(ddof=1)), "seeds": seeds.tolist()}
    return {
        "name": arm.name,
        "against": arm.against,
        "steps": list(arm.recipe.steps),
        "documents": counts["documents"],
        "bytes": counts["bytes"],
        "tokens": data.tokens,
        "runs": len(scored.nats[arm.name]),
        "parameters": read_summary(work, run)["parameters"],
        "trained_tokens": data.trained,
        "source_bytes": round(data.source_bytes),
        "unique_tokens": data.unique,
        "epochs": data.epochs,
        "effective_tokens": round(data.effective),
        "losses": losses,
    }


def _heldout(plan: ImpactPlan, work: UPath, scored: Scored) -> list[dict]:
    data = list(dict.fromkeys(arm.data for arm in plan.arms))
    shares, rows = overlaps(work, data), []
    limit = plan.impact.heldout.max_overlap
    for name in scored.names():
        mine = shares.filter(set=name)
        most = mine.select(pl.max_horizontal(pl.col(data)))
        pieces = scored.sizes[scored.sets == name]
        rows.append(
            {
                "set": name,
                "pieces": pieces.size,
                "bytes": int(pieces.sum()),
                "candidates": mine.height,
                "overlapping": int((most.to_series() > limit).sum()),
                "overlap": {each: mine[each].mean() for each in data},
            }
        )
    return rows
