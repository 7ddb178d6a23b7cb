"""A training run in a folder: train, evaluate, save checkpoints, resume after a kill, finish."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict
from time import perf_counter

import numpy as np
import orjson
import torch
from pydantic import Field
from upath import UPath

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pipelines.storage.files import atomic_write, is_local
from gristmill.pipelines.storage.manifest import MANIFEST, Manifest, Part, fingerprint
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.model.devices import Machine, ProcessGroup, init_distributed
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.checkpoint import (
    MODEL,
    SHAPE,
    checkpoints,
    describe,
    load_checkpoint,
    read_json,
    read_tensors,
    save_checkpoint,
    save_model,
    set_weights,
    weights,
    write_json,
    write_tensors,
)
from gristmill.pretrain.training.objective import SCORES, Objective, TokenObjective, flops_per_token
from gristmill.pretrain.training.plot_loss import draw_curve
from gristmill.pretrain.training.trainer import DivergenceGuard, Trainer, TrainSettings

RUN, LOG, CHECKPOINTS = "run.json", "log.jsonl", "checkpoints"
CURVE, SUMMARY, BEST = "loss.png", "summary.json", "best.safetensors"
RESULT_FILES = [RUN, MODEL, SHAPE, SUMMARY]  # files of a finished run that are equal in two equal runs


class CheckpointSettings(Settings):
    """Intervals of evaluation, checkpoints and log lines; they change no loss."""

    evaluate_every: int = Field(default=250, ge=0)  # steps; 0: at the end only
    checkpoint_every: int = Field(default=250, ge=1)
    keep: int = Field(default=2, ge=1)  # checkpoints
    log_every: int = Field(default=10, ge=1)  # steps between calls of on_log; the log itself has a line per step


class Claim(Settings):
    """Contents of `RUN`."""

    fingerprint: str
    settings: dict
    replaceable: bool = False  # by a run of other settings: a recipe trained it


OnLog = Callable[[dict], None]
OnReplace = Callable[[str], None]


def pretrain(
    train: TokenSplit,
    validation: TokenSplit | None,
    model: LanguageModel,
    training: TrainSettings,
    folder: UPath,
    machine: Machine,
    saving: CheckpointSettings,
    on_log: OnLog = lambda line: None,
    on_replace: OnReplace | None = None,
) -> dict:
    """Train ``model`` into ``folder`` and return the summary, also written to `SUMMARY`.

    A killed run resumes from its last checkpoint; a finished run is not repeated. With ``on_replace`` the run replaces
    one of other settings that was itself started with ``on_replace``, which gets the name of a setting that differs.
    Raises WorkError if the folder belongs to any other run, RecipeError if tokens and model do not match,
    TrainingDiverged if the loss diverges.
    """
    objective = TokenObjective(train, validation, model, training)
    return fit(objective, model, training, folder, machine, saving, on_log, on_replace)


def fit(
    objective: Objective,
    model: LanguageModel,
    training: TrainSettings,
    folder: UPath,
    machine: Machine,
    saving: CheckpointSettings,
    on_log: OnLog = lambda line: None,
    on_replace: OnReplace | None = None,
    curve: bool = True,
) -> dict:
    """Train ``model`` by an objective, as `pretrain` does; draw the loss as a ``curve`` at the end."""
    settings = _dependencies(objective, model, training)
    identity = fingerprint(settings)
    with init_distributed(machine.device) as world:
        if (finished := Manifest.read(folder)) and finished.fingerprint == identity:
            finished.verify(folder)
            return orjson.loads((folder / SUMMARY).read_bytes())
        run = TrainingRun(objective, model, training, folder, machine, saving, on_log, world)
        if world.rank == 0:
            _claim(folder, settings, identity, on_replace)
        world.wait()
        run.resume()
        run.train()
        summary = run.finish(curve)
        if world.rank == 0:
            files = Part.from_files(folder, identity, RESULT_FILES + run.files, {})
            Manifest(identity, settings, {"run": files}).write(folder)
        world.wait()
    return summary


class TrainingRun:
    """A run in progress, from its beginning or last checkpoint to its end."""

    def __init__(
        self,
        objective: Objective,
        model: LanguageModel,
        training: TrainSettings,
        folder: UPath,
        machine: Machine,
        saving: CheckpointSettings,
        on_log: OnLog,
        world: ProcessGroup,
    ):
        self.objective, self.training, self.folder = objective, training, folder
        self.saving, self.world = saving, world
        self.files: list[str] = []  # that the objective wrote
        self.on_log = on_log if world.rank == 0 else lambda line: None
        if training.batch_size < world.size:
            raise RecipeError(f"train.batch_size {training.batch_size} is below the number of processes, {world.size}")
        self.context = model.shape.context
        self.trainer = Trainer(model, training, machine, world)
        self.loader = objective.loader(world)
        self.guard, self.start, self.done = DivergenceGuard(training.max_loss_increase), 0, 0
        self.lines: list[dict] = []  # of the log
        self.pending: list[tuple[int, torch.Tensor, torch.Tensor]] = []  # step, loss and norm, not logged yet

    def resume(self) -> None:
        """Load the last checkpoint and truncate the log to it."""
        found = checkpoints(self.folder / CHECKPOINTS)
        if found:
            state = load_checkpoint(found[-1], self.trainer.model, self.trainer.optimizers)
            self.start = state["step"]
        if (self.folder / LOG).exists():
            self.lines = [line for line in read_log(self.folder) if line["step"] <= self.start]
        for line in self.lines:
            if "loss" in line:
                self.guard.check(line["step"], line["loss"], line["norm"])
        self.world.wait()  # until all processes have read the log
        self._write(b"".join(orjson.dumps(line) + b"\n" for line in self.lines))

    def train(self) -> None:
        """Take all remaining steps. The log numbers steps from 1."""
        steps, saving = self.training.steps, self.saving
        self.log_start = perf_counter()
        for number, batch in enumerate(self.loader.batches(self.start, steps), self.start):
            self.pending.append((number + 1, *self.trainer.step(number, batch)))
            self.done = done = number + 1
            evaluate = saving.evaluate_every and done % saving.evaluate_every == 0 and done < steps
            save = done % saving.checkpoint_every == 0 and done < steps
            if done % saving.log_every == 0 or evaluate or save or done == steps:
                self._log_steps()
            if evaluate:
                self._evaluate(done)
                if self._out_of_patience():
                    break
            if save and self.world.rank == 0:
                position = self.loader.position(done)
                state = {"step": done, "data": position, "torch": torch.__version__}
                model, optimizers = self.trainer.model, self.trainer.optimizers
                save_checkpoint(self.folder / CHECKPOINTS, done, model, optimizers, state, saving.keep)
            if evaluate or save:
                self.log_start = perf_counter()

    def _log_steps(self) -> None:
        """Log all pending steps. Losses are read here, not at each step, which would make a GPU wait."""
        losses = [(number, loss.item(), norm.item()) for number, loss, norm in self.pending]
        seconds, count = perf_counter() - self.log_start, len(losses)
        tokens = self.training.batch_size * self.context
        speed = {"tokens_per_second": round(count * tokens / seconds, 1)}
        if self.trainer.peak:
            flops = flops_per_token(self.trainer.model, self.training)
            speed["mfu"] = round(count * tokens * flops / seconds / self.trainer.peak, 4)
        lines = []
        for number, loss, norm in losses:
            line = {"step": number, "loss": loss, "lr": self.trainer.lr(number - 1), "norm": norm}
            lines.append({**line, "tokens": number * tokens, **speed})
            self.guard.check(number, loss, norm)
        self._append(lines)
        self.on_log({**lines[-1], "steps": self.training.steps})
        self.pending, self.log_start = [], perf_counter()

    def _evaluate(self, done: int) -> None:
        found = self.objective.evaluate(self.trainer.model, self.world)
        if not found:
            return
        best = min(self._validations(), default=float("inf"))
        line = {"step": done, **found}
        self._append([line])
        self.on_log(line)
        if self.objective.patience and self.world.rank == 0 and found["validation"] < best:
            write_tensors(self.folder / BEST, weights(self.trainer.model))

    def _validations(self) -> list[float]:
        return [line["validation"] for line in self.lines if "validation" in line]

    def _out_of_patience(self) -> bool:
        """Return True if the lowest loss on the validation data is ``patience`` evaluations old."""
        patience, losses = self.objective.patience, self._validations()
        return patience is not None and len(losses) - 1 - int(np.argmin(losses)) >= patience

    def _append(self, lines: list[dict]) -> None:
        self.lines += lines
        if self.world.rank == 0:
            with (self.folder / LOG).open("ab") as file:
                file.write(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    def _write(self, log: bytes) -> None:
        if self.world.rank == 0:
            with atomic_write(self.folder / LOG) as file:
                file.write(log)

    def finish(self, curve: bool) -> dict:
        """Evaluate, draw a ``curve``, write the model; return the summary, which is equal in two equal runs.

        With patience, the model is that of the lowest loss on the validation data.
        """
        model, training = self.trainer.model, self.training
        parameters = sum(parameter.numel() for parameter in model.parameters())
        summary: dict = {
            "steps": self.done,
            "tokens": self.done * training.batch_size * self.context,
            "epochs": self.done * training.batch_size / self.loader.rows,
            "parameters": parameters,
            "flops_per_token": flops_per_token(model, training),
            "packing": {"kind": training.packing, **asdict(self.loader.packing.stats)},
            "loss": self._last_loss(),
        }
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        if trained < parameters:
            summary["trained_parameters"] = trained
        if "validation" not in self.lines[-1]:  # as after an early stop
            self._evaluate(self.done)
        if losses := self._validations():
            summary["validation"] = losses[-1]
            if self.objective.patience:
                self.world.wait()  # until the first process has written the best weights
                set_weights(model, read_tensors(self.folder / BEST), f"{self.folder / BEST}")
                summary["validation"] = min(losses)
        more, self.files = self.objective.finish(model, self.folder, self.world)
        summary |= more
        if self.world.rank == 0:
            if curve:
                draw_curve(self.folder / CURVE, self.lines, f"{self.folder.name}: {parameters:,} parameters")
            save_model(self.folder, model)
            write_json(self.folder / SUMMARY, summary)
        return summary

    def _last_loss(self) -> float:
        losses = [line["loss"] for line in self.lines if "loss" in line]
        return float(np.mean(losses[-DivergenceGuard.WINDOW :]))


def read_log(folder: UPath) -> list[dict]:
    """Return the lines of a run's log, without a last line that a kill cut short."""
    lines = (folder / LOG).read_bytes().split(b"\n")
    return [orjson.loads(line) for line in lines[:-1]]


def _dependencies(objective: Objective, model: LanguageModel, training: TrainSettings) -> dict:
    """Everything that a run's results depend on."""
    digest = hashlib.sha256()
    for parameter in model.parameters():
        digest.update(parameter.detach().cpu().numpy().tobytes())
    described = describe(model)
    return {
        "weights": digest.hexdigest(),  # the initial ones
        "model": described["shape"],
        **{name: described[name] for name in model.changes},
        "train": training.model_dump(),
        **objective.settings,
    }


def _claim(folder: UPath, settings: dict, identity: str, on_replace: OnReplace | None) -> None:
    """Take the folder for this run. Raises WorkError, naming a difference, if it belongs to another run.

    A run that has neither finished nor reached a checkpoint is replaced, and with ``on_replace`` any that it began.
    """
    started, replaceable = (folder / RUN).exists(), on_replace is not None
    if started and (checkpoints(folder / CHECKPOINTS) or Manifest.read(folder)):
        earlier = read_settings(Claim, read_json(folder / RUN), f"{folder / RUN}")
        differing = [*sorted(_differences(earlier.settings, settings)), "version of Gristmill"][0]
        if earlier.fingerprint == identity:
            replaceable = earlier.replaceable
        elif on_replace and earlier.replaceable:
            on_replace(differing)
            _discard(folder)
        else:
            remedy = "remove or rename it: no recipe began it" if on_replace else "choose another --output or remove it"
            raise WorkError(f"{folder} holds a run with another {differing}; {remedy}")
    elif not started and folder.is_dir() and any(folder.iterdir()):
        raise WorkError(f"{folder} holds files that are not a run's; choose another --output or empty it")
    write_json(folder / RUN, {"fingerprint": identity, "settings": settings, "replaceable": replaceable})


def _discard(folder: UPath) -> None:
    """Remove the model and the checkpoints of a run, the manifest first: without it the rest counts as unfinished."""
    for name in (MANIFEST, *RESULT_FILES, SCORES, BEST):
        if name != RUN:
            (folder / name).unlink(missing_ok=True)
    for path in checkpoints(folder / CHECKPOINTS):
        shutil.rmtree(str(path)) if is_local(path) else path.rmdir(recursive=True)


def _differences(a, b, path: str = "") -> set[str]:
    if isinstance(a, dict) and isinstance(b, dict):
        return set().union(*(_differences(a.get(k), b.get(k), f"{path}.{k}".lstrip(".")) for k in a.keys() | b.keys()))
    return set() if a == b else {path}
