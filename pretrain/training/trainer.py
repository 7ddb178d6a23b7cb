"""A training step on any number of processes, and the guard that stops a diverged run."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gristmill.pipelines.errors import RecipeError, TrainingDiverged
from gristmill.pipelines.settings import Settings
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.data.shuffle import key
from gristmill.pretrain.model.devices import Machine, ProcessGroup, peak_flops
from gristmill.pretrain.model.experts import balance_loss
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.optim import Schedule, lr_at, make_optimizers

# Best of the learning rates tried in 120 steps of `nano` on 250,000 tokens of speeches: a validation loss of 4.98 with
# Muon and 5.68 with AdamW, whose steps take 14 % less time. Best rates of Adam fall as 1 / width (2203.03466).
DEFAULT_LR = {"muon": 1e-2, "adamw": 3e-3}
DEFAULT_LR_WIDTH = 128
RANDOM = Lock()  # torch's generator, which dropout draws from, is one for all threads


class TrainSettings(Settings):
    """Training settings: the same settings and tokens give the same losses, to the last bit on one CPU."""

    steps: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=16, ge=1)  # sequences per step, over all processes
    objective: Literal["next", "masked", "prefix", "spans"] = "next"  # prefix: next tokens after a random part of a row
    mask_probability: float = Field(default=0.15, gt=0, lt=1)  # share of tokens hidden by the objectives masked, spans
    mean_span: float = Field(default=3.0, ge=1)  # tokens of a span that the objective spans hides
    packing: Literal["stream", "stream+docmask", "bos-bestfit", "pad", "whole", "truncate"] = "stream"
    optimizer: Literal["adamw", "muon"] = "muon"  # of matrices inside blocks; AdamW updates the rest
    lr: float | None = Field(default=None, gt=0)  # None: DEFAULT_LR of the optimizer, scaled by the model's width
    schedule: Schedule = "wsd"
    warmup: int = Field(default=50, ge=0)  # steps
    decay_fraction: float = Field(default=0.2, ge=0, le=1)  # share of the steps over which wsd decays
    min_lr_ratio: float = Field(default=0.0, ge=0, le=1)  # final learning rate as a share of the highest
    weight_decay: float = Field(default=0.1, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    grad_clip: float = Field(default=1.0, gt=0)  # maximum norm of the gradient
    seed: int = Field(default=0, ge=0, lt=2**63)  # of row order, hidden tokens and dropout
    init_seed: int = Field(default=0, ge=0, lt=2**63)  # of the weights
    # Nats that the mean loss of 50 steps may rise above its lowest.
    max_loss_increase: float = Field(default=1.0, gt=0)

    def peak_lr(self, d_model: int) -> float:
        """Return the highest learning rate of a model of this width."""
        return self.lr or DEFAULT_LR[self.optimizer] * DEFAULT_LR_WIDTH / d_model


class Trainer:
    """A model with its optimizers and device."""

    def __init__(self, model: LanguageModel, training: TrainSettings, machine: Machine, world: ProcessGroup):
        self.training, self.machine, self.world = training, machine, world
        self.device = machine.init_device(world.local_rank)
        self.dtype = machine.precision(self.device)
        self.model = model.to(self.device)
        layers = (each for each in model.modules() if isinstance(each, nn.Dropout))  # an adapter's, too
        self.drops = model.shape.dropout > 0 or any(each.p > 0 for each in layers)
        betas = training.beta1, training.beta2
        if not any(weight.requires_grad for weight in model.parameters()):
            raise RecipeError("a quantized model has no weight to train; add --method prefix, or take its float run")
        self.base_lr = training.peak_lr(model.shape.d_model)
        self.optimizers = make_optimizers(model, training.optimizer, self.base_lr, training.weight_decay, betas)
        self.net: Callable[..., Tensor] = torch.compile(self.model) if machine.compile else self.model
        if world.size > 1:
            self.net = DistributedDataParallel(self.net, broadcast_buffers=False, gradient_as_bucket_view=True)
        peak = peak_flops(self.device)
        self.peak = peak * world.size if peak else None

    def step(self, number: int, batch: Batch) -> tuple[Tensor, Tensor]:
        """Take one step on this process's share of a batch; return mean loss over all shares and gradient norm.

        The nats of all micro-batches and processes are summed, then divided by the number of all targets. A mean of
        means would give rows with few targets more weight.
        """
        self.model.train()
        targets = torch.tensor(float((batch.targets != IGNORE_INDEX).sum()), device=self.device)
        self.world.sum(targets)
        targets.clamp_(min=1)  # of rows in which nothing is learned
        total, parts = torch.zeros((), device=self.device), list(self._micro_batches(batch))
        with self._dropout(number):
            for part in parts:
                with self._no_sync(part is not parts[-1]):
                    total += self._backward(part, self.world.size / targets)  # DistributedDataParallel averages them
        self.world.sum(total)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.training.grad_clip)
        lr = self.lr(number)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return total / targets, norm

    @contextmanager
    def _dropout(self, number: int) -> Iterator[None]:
        """Seed dropout with the step, so there is no random state to save; threads whose models drop take turns."""
        if not self.drops:
            yield
            return
        with RANDOM:
            torch.manual_seed(key(self.training.seed, number, self.world.rank))
            yield

    def _backward(self, part: list[Tensor], weight: Tensor) -> Tensor:
        """Accumulate the weighted gradients of a micro-batch; return its nats, without the balance of experts."""
        try:
            with self.autocast():
                nats = self.net(*part)
            balance = balance_loss(self.model)  # per target, as the nats
            loss = nats if balance is None else nats + balance * (part[1] != IGNORE_INDEX).sum()
            (loss * weight).backward()
        except torch.OutOfMemoryError as error:
            remedy = f"set machine.micro_batch_size={max(1, len(part[0]) // 2)}"
            raise RecipeError(f"{len(part[0])} sequences exceed the memory of {self.device}; {remedy}") from error
        return nats.detach()

    def lr(self, number: int) -> float:
        """Return the learning rate of step ``number`` (from 0)."""
        t = self.training
        return self.base_lr * lr_at(number, t.steps, t.schedule, t.warmup, t.decay_fraction, t.min_lr_ratio)

    def autocast(self) -> torch.autocast:
        """Return the context of forward passes."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def _no_sync(self, keep_local: bool):
        """Keep gradients in this process; only the last micro-batch synchronizes them."""
        return self.net.no_sync() if keep_local and isinstance(self.net, DistributedDataParallel) else nullcontext()

    def _micro_batches(self, batch: Batch):
        size = self.machine.micro_batch_size or len(batch.inputs)
        for at in range(0, len(batch.inputs), size):
            yield [self.to_device(each[at : at + size]) for each in batch if each is not None]

    def to_device(self, array: np.ndarray) -> Tensor:
        """Copy an array to the device, without waiting on a GPU."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


class DivergenceGuard:
    """Guard against divergence: a loss that is not finite, or whose mean over WINDOW steps rises too far."""

    WINDOW = 50

    def __init__(self, max_loss_increase: float):
        self.max_loss_increase, self.lowest = max_loss_increase, float("inf")
        self.recent: deque[float] = deque(maxlen=self.WINDOW)

    def check(self, step: int, loss: float, norm: float) -> None:
        """Add the loss of a step. Raise TrainingDiverged if it or the gradient norm is not finite, or the mean rose."""
        remedy = "lower --set train.lr, raise train.warmup, or inspect the text; the last checkpoint is older"
        if not (np.isfinite(loss) and np.isfinite(norm)):
            raise TrainingDiverged(f"step {step}: the loss is {loss} and the gradient's norm {norm}; {remedy}")
        self.recent.append(loss)
        mean = sum(self.recent) / len(self.recent)
        if len(self.recent) == self.WINDOW:
            self.lowest = min(self.lowest, mean)
            if mean > self.lowest + self.max_loss_increase:
                raise TrainingDiverged(f"step {step}: the loss is {mean:.2f} and was {self.lowest:.2f}; {remedy}")
