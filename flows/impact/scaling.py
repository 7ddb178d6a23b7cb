"""Scaling law over model sizes and budgets: the worth of each arm's tokens, the best split, and the agreement of sizes.

impact.json, ``scaling``
  points[]              arm, seed, size (parameters of matrices), tokens, loss
  law                   form, values {name: value, interval}, residual (median of |ln L̂ - ln L|), largest_error (that
                        of the runs of the largest budget, by a law of all others), split (of several sizes and
                        budgets; else null): a, b, and best[] of flops, size, tokens, loss, each with its interval
  kaplan                the same of Kaplan's form; null for one size or one budget
  worth                 arm -> tokens that one of its tokens is worth, in those of the first arm, with interval
  prediction            size, tokens, loss, interval at `PREDICTED` times the largest run
  sizes[]               rung, parameters, tokens, and how alike it and the largest rung rank the arms
  note
"""

from itertools import groupby
from typing import Any

import numpy as np
from upath import UPath

from gristmill.flows.impact.plan import ImpactPlan
from gristmill.flows.impact.train import ArmRun, read_scored
from gristmill.pretrain.impact import compute_optimal
from gristmill.pretrain.impact.compute_optimal import FLOPS, Estimate
from gristmill.pretrain.impact.rank_agreement import agreement
from gristmill.pretrain.impact.scaling import Fit, fit

FAR = 10.0  # times the largest run: from here on the report calls a prediction a guess
PREDICTED = 10.0  # times the largest model and budget: the loss that the report predicts
BUDGETS = 1.0, 10.0, 100.0  # times the FLOPs of the largest run, of which the best split is reported
KAPLAN = "kaplan"


def describe_scaling(plan: ImpactPlan, work: UPath, runs: list[ArmRun]) -> dict:
    """Return the laws of the decision set's loss over sizes (parameters of matrices) and tokens."""
    name, arms = plan.impact.heldout.deciding, plan.impact.scaling.arms
    losses = [float(read_scored(work, [run]).losses(run.series, name)[0]) for run in runs]
    sizes, tokens = [run.shape.matrices() for run in runs], [run.trained for run in runs]
    points = [
        {"arm": run.arm, "size": size, "tokens": count, "loss": loss, "seed": run.seed}
        for run, size, count, loss in zip(runs, sizes, tokens, losses, strict=True)
    ]
    found: dict[str, Any] = {"points": points, "law": None, "kaplan": None, "worth": None, "note": ""}
    found["sizes"] = _agreement(runs, losses, arms)
    form = {(True, True): "chinchilla", (True, False): "size", (False, True): "data"}.get(
        (len(set(sizes)) > 1, len(set(tokens)) > 1)
    )
    if form is None:
        return found | {"note": "a law needs two model sizes or two budgets, found one of each"}
    columns = np.array([sizes, tokens, losses])
    arm = np.array([arms.index(run.arm) for run in runs]) if form != "size" else np.zeros(len(runs), np.int64)
    try:
        law = fit(sizes, tokens, losses, arm, form)
    except ValueError as error:
        return found | {"note": str(error)}
    found |= _describe(law, arms, max(sizes), max(tokens)) | {"law": _about(law, columns, arm)}
    if form == "chinchilla":
        found["kaplan"] = _about(fit(sizes, tokens, losses, arm, KAPLAN), columns, arm)
    return found


def _about(law: Fit, columns: np.ndarray, arms: np.ndarray) -> dict:
    sizes, tokens, _ = columns
    flops = FLOPS * sizes * tokens
    split = None
    if law.form in ("chinchilla", KAPLAN):
        a, b = compute_optimal.exponents(law)
        best = [compute_optimal.best_split(law, times * flops.max()) for times in BUDGETS]
        table = [
            {"flops": each.flops} | {key: _estimate(getattr(each, key)) for key in ("size", "tokens", "loss")}
            for each in best
        ]
        split = {"a": _estimate(a), "b": _estimate(b), "best": table}
    return {
        "form": law.form,
        "values": {key: {"value": value, "interval": list(law.intervals[key])} for key, value in law.values.items()},
        "residual": law.residual,
        "largest_error": _largest_error(law.form, columns, arms, flops),
        "split": split,
    }


def _largest_error(form: str, columns: np.ndarray, arms: np.ndarray, flops: np.ndarray) -> float | None:
    """Return the median of |ln L̂ - ln L| for the runs of the largest budget, which the law has not seen.

    None if the other runs do not determine a law.
    """
    largest = flops == flops.max()
    try:
        sizes, tokens, losses = columns[:, ~largest]
        law = fit(sizes, tokens, losses, arms[~largest], form, draws=1)
    except ValueError:
        return None
    rows = zip(columns[:, largest].T, arms[largest], strict=True)
    if arms[largest].max() >= len(law.worth):
        return None
    errors = [np.log(law.predict(size, tokens, int(arm))[0] / loss) for (size, tokens, loss), arm in rows]
    return float(np.median(np.abs(errors)))


def _describe(law: Fit, arms: list[str], size: float, tokens: float) -> dict:
    worth = {
        arm: {"tokens": value, "interval": list(interval)}
        for arm, value, interval in zip(arms, law.worth, law.worth_intervals, strict=False)
    }
    loss, interval = law.predict(PREDICTED * size, PREDICTED * tokens)
    far = law.extrapolation(PREDICTED * size, PREDICTED * tokens)
    note = f"the law fits {law.points} runs; at {far:.0f} times their size it is " + (
        "a guess" if far >= FAR else "an extrapolation"
    )
    if law.undetermined:
        note += f"; these runs do not determine {', '.join(law.undetermined)}: ignore its value"
    prediction = {"size": PREDICTED * size, "tokens": PREDICTED * tokens, "loss": loss, "interval": list(interval)}
    return {"worth": worth, "prediction": prediction, "note": note}


def _estimate(estimate: Estimate) -> dict:
    return {"value": estimate.value, "interval": list(estimate.interval)}


def _agreement(runs: list[ArmRun], losses: list[float], arms: list[str]) -> list[dict]:
    """Return for each size how far it ranks the arms as the largest size does."""
    by_rung, about = {}, {}
    order = sorted(range(len(runs)), key=lambda i: (runs[i].shape.matrices() * runs[i].trained, runs[i].rung))
    for rung, group in groupby(order, key=lambda i: runs[i].rung):
        mine = list(group)
        by_rung[rung] = np.array([[losses[i] for i in mine if runs[i].arm == arm] for arm in arms])
        about[rung] = {"rung": rung, "parameters": runs[mine[0]].shape.matrices(), "tokens": runs[mine[0]].trained}
    largest = list(by_rung.values())[-1]
    return [about[rung] | agreement(mine, largest).table() for rung, mine in by_rung.items()]
