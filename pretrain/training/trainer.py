"""One training step, on any number of processes, and the guard that stops a run which has run away."""

from collections import deque
from contextlib import nullcontext
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from gristmill.pipelines.errors import RecipeError, TrainingDiverged
from gristmill.pipelines.settings import Settings
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.data.shuffle import key
from gristmill.pretrain.model.devices import Machine, ProcessGroup, peak_flops
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.optim import Schedule, lr_at, make_optimizers

# The learning rate that learnt most in 120 steps of `nano` on 250,000 tokens of speeches: a validation loss of 4.98 by
# Muon and 5.68 by AdamW, whose steps take 14 % less time. Best rates of Adam fall as 1 / width (2203.03466).
DEFAULT_LR = {"muon": 1e-2, "adamw": 3e-3}
DEFAULT_LR_WIDTH = 128


class TrainSettings(Settings):
    """What is done to a model: the same settings and tokens give the same losses, to the last bit on one CPU."""

    steps: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=16, ge=1)  # sequences a step, over all processes
    objective: Literal["next", "masked"] = "next"
    mask_probability: float = Field(default=0.15, gt=0, lt=1)  # of the tokens, for the masked objective
    packing: Literal["stream", "stream+docmask", "bos-bestfit", "pad"] = "stream"
    optimizer: Literal["adamw", "muon"] = "muon"  # of the blocks' matrices; all else goes by AdamW
    lr: float | None = Field(default=None, gt=0)  # None: BEST for the optimizer and the model's width
    schedule: Schedule = "wsd"
    warmup: int = Field(default=50, ge=0)  # steps
    decay_fraction: float = Field(default=0.2, ge=0, le=1)  # share of the steps over which wsd falls
    min_lr_ratio: float = Field(default=0.0, ge=0, le=1)  # share of the learning rate that is left at the end
    weight_decay: float = Field(default=0.1, ge=0)
    beta1: float = Field(default=0.9, ge=0, lt=1)
    beta2: float = Field(default=0.95, ge=0, lt=1)
    grad_clip: float = Field(default=1.0, gt=0)  # norm of the gradient
    seed: int = 0  # of the order of rows, of hidden tokens and of dropout
    init_seed: int = 0  # of the weights
    max_loss_increase: float = Field(
        default=1.0, gt=0
    )  # nats that the loss, a mean of 50 steps, may rise above its lowest


class Trainer:
    """A model, its optimizers, and where they run."""

    def __init__(self, model: LanguageModel, training: TrainSettings, machine: Machine, world: ProcessGroup):
        self.training, self.machine, self.world = training, machine, world
        self.device = machine.init_device(world.local_rank)
        self.dtype = machine.precision(self.device)
        self.model = model.to(self.device)
        betas = training.beta1, training.beta2
        self.base_lr = training.lr or DEFAULT_LR[training.optimizer] * DEFAULT_LR_WIDTH / model.shape.d_model
        self.optimizers = make_optimizers(model, training.optimizer, self.base_lr, training.weight_decay, betas)
        self.net = torch.compile(self.model) if machine.compile else self.model
        if world.size > 1:
            self.net = DistributedDataParallel(self.net, broadcast_buffers=False, gradient_as_bucket_view=True)
        peak = peak_flops(self.device)
        self.peak = peak * world.size if peak else None

    def step(self, number: int, batch: Batch) -> tuple[Tensor, Tensor]:
        """Learn from this process's share of a step -> loss a target over all shares, norm of the gradient.

        The sum of all micro-batches' and processes' nats is divided by the number of all their targets: means of
        means would weigh rows with few targets more.
        """
        self.model.train()
        torch.manual_seed(key(self.training.seed, number, self.world.rank))  # for dropout: there is no state to resume
        targets = torch.tensor(float((batch.targets != IGNORE_INDEX).sum()), device=self.device)
        self.world.sum(targets)
        total, parts = torch.zeros((), device=self.device), list(self._micro_batches(batch))
        for part in parts:
            with self._no_sync(part is not parts[-1]):
                total += self._backward(part, self.world.size / targets)  # processes' gradients are averaged
        self.world.sum(total)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.training.grad_clip)
        lr = self.lr(number)
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return total / targets, norm

    def _backward(self, part: list[Tensor], weight: Tensor) -> Tensor:
        """Add a micro-batch's gradients, so weighted, to those there; returns its nats."""
        try:
            with self.autocast():
                nats = self.net(*part)
            (nats * weight).backward()
        except torch.OutOfMemoryError as error:
            remedy = f"--set machine.micro_batch_size={max(1, len(part[0]) // 2)} takes fewer at once"
            raise RecipeError(f"{len(part[0])} sequences do not fit the memory of {self.device}; {remedy}") from error
        return nats.detach()

    def lr(self, number: int) -> float:
        t = self.training
        return self.base_lr * lr_at(number, t.steps, t.schedule, t.warmup, t.decay_fraction, t.min_lr_ratio)

    def autocast(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16)

    def _no_sync(self, keep_local: bool):
        """Gradients of this micro-batch stay with this process; the last one's are shared."""
        return self.net.no_sync() if keep_local and self.world.size > 1 else nullcontext()

    def _micro_batches(self, batch: Batch):
        size = self.machine.micro_batch_size or len(batch.inputs)
        for at in range(0, len(batch.inputs), size):
            yield [self.to_device(each[at : at + size]) for each in batch if each is not None]

    def to_device(self, array: np.ndarray) -> Tensor:
        """To the device, without waiting for it to arrive."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


class DivergenceGuard:
    """Stops a run whose loss is no number, or has risen by ``max_loss_increase`` above its lowest and stays there."""

    WINDOW = 50

    def __init__(self, max_loss_increase: float):
        self.max_loss_increase, self.recent, self.lowest = max_loss_increase, deque(maxlen=self.WINDOW), float("inf")

    def check(self, step: int, loss: float, norm: float) -> None:
        remedy = "lower --set train.lr, raise train.warmup, or look at the text; the last checkpoint is from before"
        if not (np.isfinite(loss) and np.isfinite(norm)):
            raise TrainingDiverged(f"step {step}: the loss is {loss} and the gradient's norm {norm}; {remedy}")
        self.recent.append(loss)
        mean = sum(self.recent) / len(self.recent)
        if len(self.recent) == self.WINDOW:
            self.lowest = min(self.lowest, mean)
            if mean > self.lowest + self.max_loss_increase:
                raise TrainingDiverged(f"step {step}: the loss is {mean:.2f} and was {self.lowest:.2f}; {remedy}")
