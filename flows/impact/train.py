"""Training runs of an experiment: one model for each arm and seed, each a job for any engine.

IMPACT/runs/ARM-SEED.parquet   the loss on each evaluation piece: tokens, nats, bytes, set
IMPACT/runs/ARM-SEED/          the run: model and log
"""

import math
from typing import NamedTuple

import numpy as np
import orjson
import polars as pl
from upath import UPath

from gristmill.flows.impact.arms import ONE, Arm, folder_of
from gristmill.flows.impact.documents.samples import MANY_EPOCHS, Dealing, Size, deal, own_documents
from gristmill.flows.impact.plan import EQUAL_DOCUMENTS, OTHER_RATE, PARTS, RUNS, SAMPLES, ImpactPlan
from gristmill.flows.impact.prepare import arm_tokens, eval_tokens
from gristmill.flows.impact.verdicts import Scored, series
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.progress import count_bytes
from gristmill.pipelines.schema import ID, SOURCE
from gristmill.pipelines.steps.step import Input, Job, Output, Step, Written
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.training.trainer import TrainSettings

SAME_SIZE = 0.01  # arms whose tokens differ by less are read equally often at equal tokens
WORTH = 15.4  # R* of Muennighoff et al. (2023): repetitions after which more add nothing


class ArmRun(NamedTuple):
    """Model to train."""

    arm: str
    seed: int
    shape: ModelConfig
    training: TrainSettings
    tokens: UPath
    heldout: UPath
    rung: str = ""  # size and steps of a scaling run, PARTS, SAMPLES, EQUAL_DOCUMENTS or OTHER_RATE
    parts: int = 1  # into which the documents are dealt; the run has one of them

    @property
    def series(self) -> str:
        """Name of the runs that differ by their seeds only."""
        return series(self.arm, self.rung)

    @property
    def name(self) -> str:
        return "-".join(filter(None, (folder_of(self.arm), folder_of(self.rung), str(self.seed))))

    @property
    def trained(self) -> int:
        """Number of tokens that the run reads."""
        return self.training.steps * self.training.batch_size * self.shape.context


class Data(NamedTuple):
    """Amount of text that an arm's run reads."""

    tokens: int  # of all documents of the arm
    bytes: int  # of their text
    trained: int  # tokens that a run reads
    parts: int = 1  # into which the documents are dealt
    distinct: float = 1.0  # share of the text that is no copy

    @property
    def epochs(self) -> float:
        return self.trained * self.parts / max(1, self.tokens)

    @property
    def unique(self) -> int:
        return round(self.distinct * min(self.tokens / self.parts, self.trained))

    @property
    def effective(self) -> float:
        """Number of new tokens with the same worth: U + U R* (1 - exp(-(D / U - 1) / R*)) (2305.16264, eq. 5)."""
        return self.unique * (1 + WORTH * (1 - math.exp(-(self.trained / max(1, self.unique) - 1) / WORTH)))

    @property
    def source_bytes(self) -> float:
        return self.trained * self.bytes / max(1, self.tokens)


def base_run(
    plan: ImpactPlan, work: UPath, arm: Arm, seed: int, changes: dict | None = None, rung: str = "", parts: int = 1
) -> ArmRun:
    """Return run number ``seed`` of an arm, whose seeds are those of [train] plus this number.

    If budget.equal is bytes, its steps read as many bytes as the first arm's. With EQUAL_DOCUMENTS, it reads its
    documents as often as the arm that it is compared with reads its own; with OTHER_RATE, it has the learning rate that
    does not decide.
    """
    shards, impact = TokenShards(arm_tokens(work, arm)), plan.impact
    shape, training = impact.shape(shards.vocab_size, changes), impact.train
    steps = training.steps
    if impact.budget.equal == "bytes":
        first = TokenShards(arm_tokens(work, plan.arms[0])).manifest.counts
        mine = shards.manifest.counts
        steps = round(steps * first["bytes"] / first["tokens"] * mine["tokens"] / mine["bytes"])
    if rung == EQUAL_DOCUMENTS and arm.against:
        steps = round(steps * size_ratio(plan, work, arm))
    rates = impact.rates
    lr = training.peak_lr(shape.d_model) * rates.factor(rates.other if rung == OTHER_RATE else rates.decides)
    seeds = {"seed": training.seed + seed, "init_seed": training.init_seed + seed}
    training = training.model_copy(update=seeds | {"steps": max(1, steps), "lr": lr})
    return ArmRun(arm.name, seed, shape, training, shards.folder, eval_tokens(work, arm.tokenizer), rung, parts)


def size_ratio(plan: ImpactPlan, work: UPath, arm: Arm) -> float:
    """Return the tokens of an arm as a multiple of those of the arm that it is compared with."""
    mine, other = (TokenShards(arm_tokens(work, each)).manifest.counts for each in (arm, plan.arm(arm.against or "")))
    return mine["tokens"] / max(1, other["tokens"])


def differs_in_size(plan: ImpactPlan, work: UPath, arm: Arm) -> bool:
    """True if equal tokens and equal documents are two questions for this arm."""
    return bool(arm.against) and arm.tokenizer == ONE and abs(size_ratio(plan, work, arm) - 1) > SAME_SIZE


def spread_run(plan: ImpactPlan, work: UPath, name: str, seed: int, dealing: Dealing) -> ArmRun:
    """Return run number ``seed`` of a short arm on a part of its documents, or on a sample of the largest arm.

    It reads its text as often as other runs of the arm read theirs, so a run on a part is short.
    """
    other, parts = dealing.short[name]
    if other != name:
        return base_run(plan, work, plan.arm(other), seed, rung=SAMPLES, parts=parts)._replace(arm=name)
    run = base_run(plan, work, plan.arm(name), seed, rung=PARTS, parts=parts)
    steps, warmup = max(1, round(run.training.steps / parts)), round(run.training.warmup / parts)
    return run._replace(training=run.training.model_copy(update={"steps": steps, "warmup": warmup}))


def dealing_of(plan: ImpactPlan, work: UPath) -> Dealing:
    """Return how the documents of the arms are dealt among their runs."""
    sizes = {}
    for run in (base_run(plan, work, arm, 0) for arm in plan.arms):
        counts = TokenShards(run.tokens).manifest.counts
        sizes[run.arm] = Size(counts["tokens"], run.trained, counts["documents"])
    return deal(sizes, plan.impact.max_seeds)


def scaling_runs(plan: ImpactPlan, work: UPath) -> list[ArmRun]:
    """Return a run for each arm of [scaling], each of its models, steps and seeds."""
    scaling, found = plan.impact.scaling, []
    for name in scaling.arms:
        for m, changes in enumerate(scaling.models):
            for steps in scaling.steps:
                for seed in range(scaling.seeds):
                    run = base_run(plan, work, plan.arm(name), seed, changes, f"m{m}-s{steps}")
                    found.append(run._replace(training=run.training.model_copy(update={"steps": steps})))
    return found


def data_of(run: ArmRun) -> Data:
    counts = TokenShards(run.tokens).manifest.counts
    return Data(counts["tokens"], counts["bytes"], run.trained, run.parts)


def check_epochs(runs: list[ArmRun], most: float) -> list[str]:
    """Return a warning for each arm that reads its documents more than twice; raise RecipeError beyond ``most``."""
    warnings = {}
    for run in (run for run in runs if run.rung not in (PARTS, SAMPLES)):  # their text is read as often
        data = data_of(run)
        if data.epochs > most:
            raise RecipeError(
                f"{run.arm} would read its {data.tokens:,} tokens {data.epochs:.1f} times, so repetition decides and "
                f"not the data; lower --set train.steps or raise --set budget.max_epochs={data.epochs:.0f}"
            )
        if data.epochs > MANY_EPOCHS:
            warnings[run.arm] = f"{run.arm} reads its documents {data.epochs:.1f} times: repeated tokens are worth less"
    return list(warnings.values())


def needed_bytes(data: list[Data], seeds: int) -> float:
    """Return the bytes of text that each of these arms needs so that ``seeds`` runs have documents of their own."""
    return max(each.source_bytes for each in data) * seeds / MANY_EPOCHS


def train_step(runs: list[ArmRun], work: UPath) -> Step:
    """Return the step with all runs, also of earlier rounds: finished ones are not repeated."""
    jobs = []
    for run in runs:
        inputs = Input(run.tokens), Input(run.heldout)
        made_with = [run.shape.model_dump(), run.training.model_dump(), [run.seed % run.parts, run.parts]]
        output = Output(work / RUNS, run.name, inputs, made_with)
        jobs.append(Job(train_run, (run,), (output,), round(data_of(run).source_bytes)))
    return Step("train", {work / RUNS: {"runs": [run.name for run in runs]}}, jobs)


def train_run(run: ArmRun, outputs: tuple[Output, ...]) -> list[Written]:
    """Train one model, from its checkpoint if there is one, and score every evaluation piece in full."""
    from gristmill.pretrain.data.batches import TokenSplit
    from gristmill.pretrain.model.devices import Machine
    from gristmill.pretrain.model.gpt import GPT
    from gristmill.pretrain.training.objective import SCORES, ScoredObjective
    from gristmill.pretrain.training.run import CheckpointSettings, fit

    def on_log(line: dict) -> None:
        if "tokens" in line:
            count_bytes(round(size * (line["step"] - done[-1]) / run.training.steps))
            done.append(line["step"])

    done, size = [0], data_of(run).source_bytes  # steps that the progress bar was told of
    folder, heldout = outputs[0].folder / run.name, TokenShards(run.heldout)
    train = own_documents(TokenShards(run.tokens), run.seed % run.parts, run.parts)
    evaluation = TokenSplit.from_shards(heldout, TRAIN)
    model, saving = GPT(run.shape, run.training.init_seed), CheckpointSettings(evaluate_every=0, keep=1)
    objective, machine = ScoredObjective(train, evaluation, model, run.training), Machine(threads=1)
    summary = fit(objective, model, run.training, folder, machine, saving, on_log, replace, curve=False)
    names = pl.concat([pl.DataFrame(part.documents) for part in heldout.split(TRAIN)])
    scores = pl.read_parquet(str(folder / SCORES), glob=False).drop("document").hstack(names.select(ID, set=SOURCE))
    with atomic_write(outputs[0].path) as file:
        scores.sort(ID).write_parquet(file)
    return [Written([outputs[0].path.name], {"steps": summary["steps"], "tokens": summary["tokens"]})]


def replace(differing: str) -> None:
    """Let a run replace that of a pilot with other settings: a plan with other runs cannot be changed."""


def read_scored(work: UPath, runs: list[ArmRun]) -> Scored:
    """Return the loss on each piece under each run; all runs score the same pieces."""
    frames = [pl.read_parquet(str(work / RUNS / f"{run.name}.parquet"), glob=False) for run in runs]
    nats: dict[str, list[np.ndarray]] = {}
    for run, frame in zip(runs, frames, strict=True):
        nats.setdefault(run.series, []).append(frame["nats"].to_numpy())
    stacked = {arm: np.array(seeds) for arm, seeds in nats.items()}
    return Scored(stacked, frames[0]["bytes"].to_numpy(), frames[0]["set"].to_numpy())


def read_summary(work: UPath, run: ArmRun) -> dict:
    return orjson.loads((work / RUNS / run.name / "summary.json").read_bytes())
