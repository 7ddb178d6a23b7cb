"""Power of an experiment, before it decides anything: which effect its seeds can see, and what they cost.

A pilot trains two seeds of each arm and shows the spread of equal runs, never a difference between arms: seeds and
tokens chosen by such a blinded pilot leave the error rates as they are (Wittes and Brittain 1990). Its runs are used
again by the experiment if tokens, models and the number of parts stay.

IMPACT/pilot.json
  sd, sd_interval       standard deviation of one run in bits per byte of the decision set, with a 95 % interval
  arms, parts           arms whose spreads are pooled; parts into which their documents are dealt
  seconds               CPU seconds of one run on this machine
  budgets[]             seeds, effect (found with a probability of 80 %), interval (by that of sd), bytes (of text that
                        each arm needs), tokens (read by all runs of a question), hours (CPU hours of a question)
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import orjson
from scipy.special import chdtri
from upath import UPath

from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.impact.plan import ImpactPlan, make_plan
from gristmill.flows.impact.prepare import prepare
from gristmill.flows.impact.recipe import OWN_SETS, ImpactRecipe
from gristmill.flows.impact.train import (
    base_run,
    data_of,
    dealing_of,
    needed_bytes,
    read_scored,
    spread_run,
    train_step,
)
from gristmill.pipelines.steps.step import Engine, Progress, run_step
from gristmill.pipelines.storage.sealed import write_sealed
from gristmill.pretrain.impact.significance import smallest_effect
from gristmill.pretrain.training.step_time import step_seconds

PILOT, PILOT_SEEDS = "pilot.json", 2
BYTES_PER_TOKEN = 3.3  # of English with 2,048 tokens
SCORING = 0.5  # of the time of training on as many tokens: forward passes only, over windows that overlap
HOUR = 3600.0


class Cost(NamedTuple):
    """Count of runs and CPU hours of a plan: of its first look, and if no question is answered before the last."""

    runs: tuple[int, int]
    hours: tuple[float, float]


def run_seconds(impact: ImpactRecipe, changes: dict | None = None, steps: tuple[int, ...] = ()) -> list[float]:
    """Return the CPU seconds of a run here, with the scoring of the held-out pieces, for each of some numbers of steps.

    ``changes`` are those of a scaling run's model. Without ``steps`` the list has the run of [train].
    """
    shape, training = impact.shape(max(300, impact.tokenizer.vocab_size), changes), impact.train
    sets = len(OWN_SETS) + max(1, len(impact.heldout.sets))
    scored = SCORING * sets * impact.heldout.bytes / BYTES_PER_TOKEN / (training.batch_size * shape.context)
    step = step_seconds(shape, training)
    return [step * (count + scored) for count in steps or (training.steps,)]


def cost(plan: ImpactPlan) -> Cost:
    """Return the cost of a plan, with the runs that check the rates of findings and those of scaling laws.

    Arms of another size are trained at equal documents, too, which only their tokens show: three runs more.
    """
    impact, scaling = plan.impact, plan.impact.scaling
    (seconds,) = run_seconds(impact)
    arms, checks = len(plan.arms), impact.rates.check_seeds
    laws = [each for model in scaling.models for each in run_seconds(impact, model, tuple(scaling.steps))]
    laws = laws * (len(scaling.arms) * scaling.seeds)
    first, last = (arms * (look.seeds + min(look.seeds, checks)) for look in (plan.looks[0], plan.looks[-1]))
    hours = [(count * seconds + sum(laws)) / HOUR for count in (first, last)]
    return Cost((first + len(laws), last + len(laws)), (hours[0], hours[1]))


def pilot(impact: ImpactRecipe, work: UPath, engine: Engine, progress: Progress, on_log: Callable[[str], None]) -> dict:
    """Train two seeds of each arm; return their spread and what it means for budgets, as in ``IMPACT/pilot.json``."""
    with exclusive_run(work):
        plan = make_plan(impact, work, pilot=True)
        prepare(plan, work, engine, progress)
        dealing = dealing_of(plan, work)
        if dealing.parts == 1:
            on_log("All runs share the documents of their arm, so the spread lacks that of other documents")
        whole = [base_run(plan, work, arm, 0, parts=dealing.parts_of(arm.name)) for arm in plan.arms]
        runs = []
        for seed in range(PILOT_SEEDS):
            for arm in plan.arms:
                short = arm.name in dealing.short
                run = spread_run(plan, work, arm.name, seed, dealing) if short else None
                runs.append(run or base_run(plan, work, arm, seed, parts=dealing.parts))
        run_step(train_step(runs, work), engine, progress)
        scored = read_scored(work, runs)
        losses = np.array([scored.dealt(arm.name, impact.heldout.deciding) for arm in plan.arms])
        sd, interval = pooled_sd(losses)
        (seconds,), data = run_seconds(impact), [data_of(run) for run in whole]
        alpha, checks = plan.looks[-1].alpha, impact.rates.check_seeds
        budgets = []
        for seeds in (look.seeds * times for times in (1, 2, 4) for look in plan.looks[-1:]):
            samples = dealing.parts if dealing.short else seeds
            effects = [smallest_effect(each, samples, samples, alpha) for each in (sd, *interval)]
            budgets.append(
                {
                    "seeds": seeds,
                    "effect": effects[0],
                    "interval": effects[1:],
                    "bytes": needed_bytes(data, seeds),
                    "tokens": 2 * seeds * whole[0].trained,
                    "hours": 2 * (seeds + checks) * seconds / HOUR,
                }
            )
        found = {
            "sd": sd,
            "sd_interval": list(interval),
            "arms": len(plan.arms),
            "parts": dealing.parts,
            "seconds": seconds,
        }
        found["confidence"], found["budgets"] = 1 - alpha, budgets
        write_sealed(work / PILOT, found, orjson.OPT_SERIALIZE_NUMPY)
    return found


def pooled_sd(losses: np.ndarray, alpha: float = 0.05) -> tuple[float, tuple[float, float]]:
    """Return the standard deviation of runs within arms, of float64[arms, seeds], with its interval."""
    arms, seeds = losses.shape
    freedom = arms * (seeds - 1)
    squares = float(((losses - losses.mean(1, keepdims=True)) ** 2).sum())
    ends = [math.sqrt(squares / float(chdtri(freedom, share))) for share in (alpha / 2, 1 - alpha / 2)]
    return math.sqrt(squares / freedom), (ends[0], ends[1])


def seeds_for(effect: float, sd: float, alpha: float, most: int = 1000) -> int | None:
    """Return the seeds of each arm that find an effect with a probability of 80 %; None if ``most`` do not."""
    low, high = 2, most
    if smallest_effect(sd, most, most, alpha) > effect:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if smallest_effect(sd, middle, middle, alpha) <= effect else (middle + 1, high)
    return low
