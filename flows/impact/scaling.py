"""What a ladder of sizes and budgets says: the law, what each arm's tokens are worth, and whether sizes agree."""

from itertools import groupby

import numpy as np
from upath import UPath

from gristmill.flows.impact.plan import ImpactPlan
from gristmill.flows.impact.train import ArmRun, read_scored
from gristmill.pretrain.impact.rank_agreement import kendall, pairwise_agreement
from gristmill.pretrain.impact.scaling import Fit, fit

FAR = 10.0  # times beyond what was measured: from here on a law is a guess
ASKED = 10.0  # times the largest model and budget: what the report predicts


def describe_ladder(plan: ImpactPlan, work: UPath, runs: list[ArmRun]) -> dict:
    """Laws of the verdict's loss over sizes (parameters that tokens are multiplied with) and tokens."""
    name, arms = plan.impact.heldout.verdict, plan.impact.ladder.arms
    losses = [float(read_scored(work, [run]).losses(run.arm, name)[0]) for run in runs]
    sizes, tokens = [run.shape.matrices() for run in runs], [run.trained for run in runs]
    points = [
        {"arm": run.arm, "size": size, "tokens": count, "loss": loss, "seed": run.seed}
        for run, size, count, loss in zip(runs, sizes, tokens, losses, strict=True)
    ]
    told = {"points": points, "law": None, "worth": None, "note": "", "sizes": _agreement(runs, losses, arms)}
    form = {(True, True): "chinchilla", (True, False): "size", (False, True): "data"}.get(
        (len(set(sizes)) > 1, len(set(tokens)) > 1)
    )
    if form is None:
        return told | {"note": "one size and one budget: there is no law in it"}
    try:
        law = fit(sizes, tokens, losses, [arms.index(run.arm) for run in runs] if form != "size" else None, form)
    except ValueError as error:
        return told | {"note": str(error)}
    return told | _told(law, arms, max(sizes), max(tokens))


def _told(law: Fit, arms: list[str], size: float, tokens: float) -> dict:
    values = {key: {"value": value, "interval": list(law.intervals[key])} for key, value in law.values.items()}
    worth = {
        arm: {"tokens": value, "interval": list(interval)}
        for arm, value, interval in zip(arms, law.worth, law.worth_intervals, strict=False)
    }
    loss, interval = law.predict(ASKED * size, ASKED * tokens)
    far = law.extrapolation(ASKED * size, ASKED * tokens)
    note = f"the law has seen {law.points} runs; at {far:.0f} times their size it is " + (
        "a guess" if far >= FAR else "an extrapolation"
    )
    if law.undetermined:
        note += f"; these runs do not determine {', '.join(law.undetermined)}: its numbers mean nothing"
    law_told = {"form": law.form, "values": values, "residual": law.residual}
    prediction = {"size": ASKED * size, "tokens": ASKED * tokens, "loss": loss, "interval": list(interval)}
    return {"law": law_told, "worth": worth, "prediction": prediction, "note": note}


def _agreement(runs: list[ArmRun], losses: list[float], arms: list[str]) -> list[dict]:
    """Of each rung, how it ranks the arms beside the largest."""
    means = {}
    order = sorted(range(len(runs)), key=lambda i: (runs[i].shape.matrices() * runs[i].trained, runs[i].rung))
    for rung, group in groupby(order, key=lambda i: runs[i].rung):
        mine = list(group)
        means[rung] = [np.mean([losses[i] for i in mine if runs[i].arm == arm]) for arm in arms]
    largest = list(means.values())[-1]
    return [
        {"rung": k, "tau": kendall(v, largest), "pairs_agreed": pairwise_agreement(v, largest)}
        for k, v in means.items()
    ]
