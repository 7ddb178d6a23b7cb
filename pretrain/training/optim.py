"""How weights move: AdamW or Muon, and how fast at each step."""

import math
from typing import Literal

import torch
from torch import nn

from gristmill.pretrain.training.muon import Muon

Schedule = Literal["wsd", "cosine", "linear", "constant"]


def lr_at(step: int, steps: int, schedule: Schedule, warmup: int, decay_fraction: float, min_lr_ratio: float) -> float:
    """The share of the learning rate that step ``step`` of ``steps`` (from 0) takes.

    It rises in equal parts over ``warmup`` steps. Then ``wsd`` holds and, over the last ``decay`` of all steps, falls
    in a line; ``linear`` and ``cosine`` fall from there on; all end at ``floor``, and ``constant`` stays.

    >>> [round(lr_at(step, 10, "wsd", 2, 0.4, 0.0), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup:
        return (step + 1) / warmup
    if schedule == "constant":
        return 1.0
    begin = max(warmup, steps - round(decay_fraction * steps)) if schedule == "wsd" else warmup
    done = min(1.0, max(0.0, (step - begin) / max(1, steps - begin)))
    share = (1 + math.cos(math.pi * done)) / 2 if schedule == "cosine" else 1 - done
    return min_lr_ratio + (1 - min_lr_ratio) * share


def make_optimizers(
    model: nn.Module, kind: Literal["adamw", "muon"], lr: float, weight_decay: float, betas: tuple[float, float]
) -> dict[str, torch.optim.Optimizer]:
    """AdamW for all; or Muon for the matrices inside the blocks and AdamW for the rest. Vectors do not decay."""
    muon, matrices, vectors = [], [], []
    for name, parameter in model.named_parameters():
        inner = kind == "muon" and parameter.ndim == 2 and name.startswith("blocks.")
        (muon if inner else matrices if parameter.ndim == 2 else vectors).append(parameter)
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizers = {"adamw": torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True)}
    if muon:
        optimizers["muon"] = Muon(muon, lr, weight_decay)
    return optimizers
