"""Scaling law over model sizes and budgets: the worth of each arm's tokens, and the agreement of sizes."""

from itertools import groupby

import numpy as np
from upath import UPath

from gristmill.flows.impact.plan import ImpactPlan
from gristmill.flows.impact.train import ArmRun, read_scored
from gristmill.pretrain.impact.rank_agreement import kendall, pairwise_agreement
from gristmill.pretrain.impact.scaling import Fit, fit

FAR = 10.0  # times the largest run: from here on the report calls a prediction a guess
PREDICTED = 10.0  # times the largest model and budget: the loss that the report predicts


def describe_scaling(plan: ImpactPlan, work: UPath, runs: list[ArmRun]) -> dict:
    """Return the law of the decision set's loss over sizes (parameters of matrices) and tokens."""
    name, arms = plan.impact.heldout.deciding, plan.impact.scaling.arms
    losses = [float(read_scored(work, [run]).losses(run.series, name)[0]) for run in runs]
    sizes, tokens = [run.shape.matrices() for run in runs], [run.trained for run in runs]
    points = [
        {"arm": run.arm, "size": size, "tokens": count, "loss": loss, "seed": run.seed}
        for run, size, count, loss in zip(runs, sizes, tokens, losses, strict=True)
    ]
    found = {"points": points, "law": None, "worth": None, "note": "", "sizes": _agreement(runs, losses, arms)}
    form = {(True, True): "chinchilla", (True, False): "size", (False, True): "data"}.get(
        (len(set(sizes)) > 1, len(set(tokens)) > 1)
    )
    if form is None:
        return found | {"note": "a law needs two model sizes or two budgets, found one of each"}
    try:
        law = fit(sizes, tokens, losses, [arms.index(run.arm) for run in runs] if form != "size" else None, form)
    except ValueError as error:
        return found | {"note": str(error)}
    return found | _describe(law, arms, max(sizes), max(tokens))


def _describe(law: Fit, arms: list[str], size: float, tokens: float) -> dict:
    values = {key: {"value": value, "interval": list(law.intervals[key])} for key, value in law.values.items()}
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
    about = {"form": law.form, "values": values, "residual": law.residual}
    prediction = {"size": PREDICTED * size, "tokens": PREDICTED * tokens, "loss": loss, "interval": list(interval)}
    return {"law": about, "worth": worth, "prediction": prediction, "note": note}


def _agreement(runs: list[ArmRun], losses: list[float], arms: list[str]) -> list[dict]:
    """Return for each size how far it ranks the arms as the largest size does."""
    means = {}
    order = sorted(range(len(runs)), key=lambda i: (runs[i].shape.matrices() * runs[i].trained, runs[i].rung))
    for rung, group in groupby(order, key=lambda i: runs[i].rung):
        mine = list(group)
        means[rung] = [float(np.mean([losses[i] for i in mine if runs[i].arm == arm])) for arm in arms]
    largest = list(means.values())[-1]
    return [
        {"rung": k, "tau": kendall(v, largest), "pairs_agreed": pairwise_agreement(v, largest)}
        for k, v in means.items()
    ]
