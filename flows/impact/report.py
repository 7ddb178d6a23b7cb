"""Report of an experiment: ``IMPACT/impact.json``, ``impact.png``, and ``scaling.png`` if there are scaling laws.

impact.json
  name, headline        the first answer: "full against raw: better by 0.0573 bits per byte of books (…)"
  disagreements[]       sentences about sets whose findings contradict each other
  legend[]              sentences that explain the numbers, with the size of the model
  rates                 as in the recipe: low (fraction of the tuned rate), decides, check_seeds
  agreement             seeds, rates: how alike two runs of an arm, and the runs at two learning rates, rank the arms:
                        arms (those with such runs), tau, rho, pairs, tau_interval, rho_interval over seeds; or null
  test                  decision_set, alpha, margin (fraction of the loss), draws, as planned
  parts                 into which the documents of each arm are dealt; runs of different parts share no document
  short {arm: kind}     arms whose losses are of runs on all documents, as a run reads more than a part holds twice;
                        runs on "parts" of them give the spread, or those on "samples" of the largest arm count, too
  spread                standard deviations of one run: documents (that all arms share), rest (weights, order, others)
  arms[]                name, against, steps, documents, bytes, tokens (of the arm's text), distinct {exact, near},
                        runs, parameters, trained_tokens, source_bytes, unique_tokens, epochs, effective_tokens (of
                        one run), losses {set: {mean, sd, seeds[]}} in bits per byte
  questions[]           arm, against, epochs [e, e] (passes of a run over its text), seeds [n, n] (runs),
                        samples [n, n] (of documents), delta, interval (Welch), paired,
                        bootstrap, confidence, p, adjusted (Holm), narrow (interval at 2 alpha), correlation (of equal
                        seeds), sd, smallest (effect found with a power of 0.8), margin, verdict, sentence, needed_bytes
                        (of each arm, for a sample of documents per seed; null if there is one), bytes_removed,
                        bytes_per_millibit (bytes removed for each 0.001 bpb; null without a gain), sets {name: delta,
                        interval, verdict}, equal_documents (the same at as many passes over the documents, or null),
                        fewer_tokens {delta, interval} (of the arm at equal documents against itself at equal tokens, or
                        null), other_rate {rate, delta, interval, change, change_interval (90 %), holds} or null
  heldout[]             set, pieces, bytes, candidates, overlapping, overlap {data: mean share of n-grams}
  scaling               as in scaling.py; null without scaling runs
  warnings[]
"""

import numpy as np
import orjson
import polars as pl
from upath import UPath

from gristmill.flows.impact.arms import Arm
from gristmill.flows.impact.documents.variance import variance_components
from gristmill.flows.impact.plan import ImpactPlan
from gristmill.flows.impact.plots.differences import draw
from gristmill.flows.impact.plots.scaling import draw_scaling
from gristmill.flows.impact.prepare import arm_summary, overlaps
from gristmill.flows.impact.rates import describe_agreement
from gristmill.flows.impact.recipe import MANUAL
from gristmill.flows.impact.scaling import describe_scaling
from gristmill.flows.impact.sentences import legend, sentence, small_model
from gristmill.flows.impact.train import ArmRun, base_run, check_epochs, data_of, needed_bytes, read_summary
from gristmill.flows.impact.verdicts import Scored, disagreements
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed
from gristmill.pretrain.impact.significance import BETTER, WORSE

REPORT, PLOT, SCALING_PLOT = "impact.json", "impact.png", "scaling.png"
MILLIBIT = 0.001


def write_report(plan: ImpactPlan, work: UPath, scored: Scored, scaling: list[ArmRun], rows: list[dict]) -> dict:
    """Write the report; return it."""
    short = {arm.name: rung for arm in plan.arms if (rung := scored.spread(arm.name))}
    runs = [base_run(plan, work, arm, 0, parts=1 if arm.name in short else scored.parts) for arm in plan.arms]
    report = {
        "name": plan.impact.name,
        "headline": "",
        "disagreements": list(filter(None, (disagreements(row, plan.impact.heldout.deciding) for row in rows))),
        "legend": [],
        "parts": scored.parts,
        "short": short,
        "spread": _spread(plan, scored),
        "rates": plan.impact.rates.model_dump(),
        "agreement": describe_agreement(plan, scored),
        "test": plan.table(work)["test"],
        "arms": [_arm(work, arm, run, scored) for arm, run in zip(plan.arms, runs, strict=True)],
        "questions": rows,
        "heldout": _heldout(plan, work, scored),
        "scaling": describe_scaling(plan, work, scaling) if scaling else None,
        "warnings": check_epochs([*runs, *scaling], plan.impact.budget.max_epochs),
    }
    if plan.impact.heldout.deciding == MANUAL:
        report["warnings"].append(
            f"no set is named, so Python's manual decides ({MANUAL}): name text like that which the model is for in "
            "heldout.sets"
        )
    arms = {arm["name"]: arm for arm in report["arms"]}
    report["warnings"] += filter(None, [small_model(max(arm["parameters"] for arm in report["arms"]))])
    for row in rows:
        arm, other = arms[row["arm"]], arms[row["against"]]
        row |= _price(row, {name: each["bytes"] for name, each in arms.items()})
        pair = [data_of(run) for run in runs if run.arm in (row["arm"], row["against"])]
        row["epochs"] = [arm["epochs"], other["epochs"]]
        row["needed_bytes"] = needed_bytes(pair, plan.impact.budget.seeds) if scored.parts == 1 else None
        row["sentence"] = sentence(row, report["test"]["decision_set"], max(arm["parameters"], other["parameters"]))
    report["headline"] = rows[0]["sentence"]
    report["legend"] = legend(report)
    write_sealed(work / REPORT, report, orjson.OPT_SERIALIZE_NUMPY)
    draw(work / PLOT, report)
    if report["scaling"] and report["scaling"]["kaplan"]:
        draw_scaling(work / SCALING_PLOT, report["scaling"], plan.impact.heldout.deciding)
    return report


def read_report(work: UPath) -> dict:
    """Return a finished experiment's report; raise WorkError if there is none."""
    if not (work / REPORT).exists():
        raise WorkError(f"{work} holds no finished experiment; `gristmill impact run RECIPE --output {work}` makes one")
    return read_sealed(work / REPORT, "remove it and run `gristmill impact run` again")


def _spread(plan: ImpactPlan, scored: Scored) -> dict[str, float]:
    arms = [scored.dealt(arm.name, plan.impact.heldout.deciding) for arm in plan.arms]
    seeds = min(map(len, arms))
    documents, rest = variance_components(np.array([losses[:seeds] for losses in arms]))
    return {"documents": documents, "rest": rest}


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
    about, losses = arm_summary(work, arm), {}
    data, counts = data_of(run)._replace(distinct=about["distinct"]["near"]), about["counts"]
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
        "distinct": about["distinct"],
        "runs": scored.runs(arm.name),
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
