"""Optimizers (AdamW, Muon) and learning-rate schedules."""

import math
from typing import Literal

import torch
from torch import nn

from gristmill.pretrain.training.muon import Muon

BLOCKS = "blocks.", "encoder.blocks.", "decoder.blocks."
Schedule = Literal["wsd", "cosine", "linear", "constant"]


def lr_at(step: int, steps: int, schedule: Schedule, warmup: int, decay_fraction: float, min_lr_ratio: float) -> float:
    """Return the learning rate of step ``step`` (from 0) of ``steps`` as a share of the base rate.

    It rises linearly over ``warmup`` steps. Then ``linear`` and ``cosine`` fall to ``min_lr_ratio``; ``wsd`` stays at 1
    and falls linearly over the last ``decay_fraction`` of all steps; ``constant`` stays at 1.

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
    """Build AdamW for all trained parameters, or Muon for matrices in blocks and AdamW for the rest.

    Vectors do not decay.
    """
    muon: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    vectors: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        inner = kind == "muon" and parameter.ndim == 2 and name.startswith(BLOCKS)
        (muon if inner else matrices if parameter.ndim == 2 else vectors).append(parameter)
    groups = [{"params": matrices, "weight_decay": weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    optimizers: dict[str, torch.optim.Optimizer]
    optimizers = {"adamw": torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True)}
    if muon:
        optimizers["muon"] = Muon(muon, lr, weight_decay)
    return optimizers
