"""The runs of an experiment: one model for each arm and seed, each a job that any engine may do.

IMPACT/runs/ARM-SEED.parquet   what each held-out piece costs: tokens, nats, bytes, set
IMPACT/runs/ARM-SEED/          the run itself: model, log, curve
"""

import math
from typing import NamedTuple

import numpy as np
import orjson
import polars as pl
from upath import UPath

from gristmill.flows.impact.arms import Arm
from gristmill.flows.impact.plan import RUNS, ImpactPlan
from gristmill.flows.impact.prepare import arm_tokens, folder_of, heldout_tokens
from gristmill.flows.impact.verdicts import Scored
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.step import Input, Job, Output, Step, Written
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.training.trainer import TrainSettings

MANY_EPOCHS = 2.0  # from here on, repeated text is worth less than new text (a loss 9 to 14 seeds' noise higher at 4)
WORTH = 15.4  # R* of Muennighoff et al. (2023): repetitions after which more of them add nothing


class ArmRun(NamedTuple):
    """One model to train."""

    arm: str
    seed: int
    shape: ModelConfig
    training: TrainSettings
    tokens: UPath
    heldout: UPath
    rung: str = ""  # of the ladder

    @property
    def name(self) -> str:
        return "-".join(filter(None, (folder_of(self.arm), self.rung, str(self.seed))))

    @property
    def trained(self) -> int:
        """Tokens."""
        return self.training.steps * self.training.batch_size * self.shape.context


class Data(NamedTuple):
    """What an arm reads."""

    tokens: int  # there are
    bytes: int  # of text they stand for
    trained: int  # tokens of a run

    @property
    def epochs(self) -> float:
        return self.trained / max(1, self.tokens)

    @property
    def unique(self) -> int:
        return min(self.tokens, self.trained)

    @property
    def effective(self) -> float:
        """New tokens that the repeated ones are worth: U + U R* (1 - exp(-(epochs - 1) / R*)) (2305.16264, eq. 5)."""
        return self.unique * (1 + WORTH * (1 - math.exp(-max(0.0, self.epochs - 1) / WORTH)))

    @property
    def source_bytes(self) -> float:
        return self.trained * self.bytes / max(1, self.tokens)


def base_run(plan: ImpactPlan, work: UPath, arm: Arm, seed: int, changes: dict | None = None, rung: str = "") -> ArmRun:
    """A run of an arm: where tokenizers differ, as many steps as read the same bytes of text."""
    shards, impact = TokenShards(arm_tokens(work, arm)), plan.impact
    shape, training = impact.shape(shards.vocab_size, changes), impact.train
    steps = training.steps
    if impact.budget.equal == "bytes":
        first = TokenShards(arm_tokens(work, plan.arms[0])).manifest.counts
        mine = shards.manifest.counts
        steps = round(steps * first["bytes"] / first["tokens"] * mine["tokens"] / mine["bytes"])
    training = training.model_copy(update={"seed": seed, "init_seed": seed, "steps": max(1, steps)})
    return ArmRun(arm.name, seed, shape, training, shards.folder, heldout_tokens(work, arm.tokenizer), rung)


def ladder_runs(plan: ImpactPlan, work: UPath) -> list[ArmRun]:
    """Every pair of a size and a budget, for the arms of the ladder."""
    ladder, found = plan.impact.ladder, []
    for name in ladder.arms:
        for m, changes in enumerate(ladder.models):
            for steps in ladder.steps:
                for seed in range(ladder.seeds):
                    run = base_run(plan, work, plan.arm(name), seed, changes, f"m{m}-s{steps}")
                    found.append(run._replace(training=run.training.model_copy(update={"steps": steps})))
    return found


def data_of(run: ArmRun) -> Data:
    counts = TokenShards(run.tokens).manifest.counts
    return Data(counts["tokens"], counts["bytes"], run.trained)


def check_epochs(runs: list[ArmRun], most: float) -> list[str]:
    """Warnings, one for each arm that reads its documents more than twice. Raises RecipeError beyond the limit."""
    told = {}
    for run in runs:
        data = data_of(run)
        if data.epochs > most:
            raise RecipeError(
                f"{run.arm} has {data.tokens:,} tokens and would read them {data.epochs:.1f} times: repetition would "
                f"decide, not the data; lower --set train.steps or raise --set budget.max_epochs={data.epochs:.0f}"
            )
        if data.epochs > MANY_EPOCHS:
            told[run.arm] = f"{run.arm} reads its documents {data.epochs:.1f} times: repeated tokens are worth less"
    return list(told.values())


def train_step(runs: list[ArmRun], work: UPath) -> Step:
    """All runs, those of earlier looks among them: what is finished is not done again."""
    jobs = []
    for run in runs:
        inputs, made_with = (Input(run.tokens), Input(run.heldout)), [run.shape.model_dump(), run.training.model_dump()]
        jobs.append(Job(train_run, (run,), (Output(work / RUNS, run.name, inputs, made_with),)))
    return Step("train", {work / RUNS: {"runs": [run.name for run in runs]}}, jobs)


def train_run(run: ArmRun, outputs: tuple[Output, ...]) -> list[Written]:
    """Train one model, which goes on from its checkpoint after a kill, and score every held-out piece in full."""
    from gristmill.pretrain.data.batches import TokenSplit
    from gristmill.pretrain.model.devices import Machine
    from gristmill.pretrain.model.gpt import GPT
    from gristmill.pretrain.training.run import SCORES, CheckpointSettings, pretrain

    folder, heldout = outputs[0].folder / run.name, TokenShards(run.heldout)
    train, judge = TokenSplit.from_shards(TokenShards(run.tokens), TRAIN), TokenSplit.from_shards(heldout, TRAIN)
    saving = CheckpointSettings(evaluate_every=0, keep=1)
    summary = pretrain(train, judge, GPT(run.shape, run.seed), run.training, folder, Machine(), saving)
    names = pl.concat([pl.from_arrow(part.documents) for part in heldout.split(TRAIN)])
    scores = pl.read_parquet(folder / SCORES).drop("document").hstack(names.select(ID, set=SOURCE))
    with atomic_write(outputs[0].path) as file:
        scores.sort(ID).write_parquet(file)
    return [Written([outputs[0].path.name], {"steps": summary["steps"], "tokens": summary["tokens"]})]


def read_scored(work: UPath, runs: list[ArmRun]) -> Scored:
    """What each piece costs under each run, all of which have scored the same pieces."""
    frames = [pl.read_parquet(work / RUNS / f"{run.name}.parquet") for run in runs]
    nats = {}
    for run, frame in zip(runs, frames, strict=True):
        nats.setdefault(run.arm, []).append(frame["nats"].to_numpy())
    stacked = {arm: np.array(seeds) for arm, seeds in nats.items()}
    return Scored(stacked, frames[0]["bytes"].to_numpy(), frames[0]["set"].to_numpy())


def read_summary(work: UPath, run: ArmRun) -> dict:
    return orjson.loads((work / RUNS / run.name / "summary.json").read_bytes())
