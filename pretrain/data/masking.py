"""Objectives that hide: tokens of a row (BERT 1810.04805, 3.1), or the targets of its first part (1910.10683, 3.2.3).

BERT predicts hidden tokens from both sides. Of the chosen tokens 80 % become the mask token, 10 % a random token, and
10 % stay: no input can be trusted.
The choice is a function of (seed, sample), so each epoch hides other tokens.
"""

from typing import Protocol

import numpy as np
from pydantic import Field

from gristmill.pipelines.settings import Settings
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.data.shuffle import key


class Hiding(Protocol):
    """Interface of objectives that change a next-token batch."""

    def mask_tokens(self, batch: Batch, samples: np.ndarray, seed: int) -> Batch:
        """Return the changed batch; ``samples`` int64[B] are the sample numbers of the rows."""


class PrefixSplit:
    """Split of each row at a random place: what precedes it has no target, so a prefix decoder sees it both ways."""

    def mask_tokens(self, batch: Batch, samples: np.ndarray, seed: int) -> Batch:
        """Remove the targets of a random first part of each row, of none to all but one of its targets."""
        targets = batch.targets.copy()
        for row, sample in zip(targets, samples, strict=True):
            at = np.flatnonzero(row != IGNORE_INDEX)
            rng = np.random.Generator(np.random.PCG64(key(seed, int(sample))))
            if at.size:
                row[: at[rng.integers(at.size)]] = IGNORE_INDEX
        return Batch(batch.inputs, targets, batch.documents)


class Masking(Settings):
    """Settings of the masked objective."""

    mask_probability: float = Field(default=0.15, gt=0, lt=1)  # share of tokens chosen; 15 to 20 % is usual
    vocab_size: int = Field(ge=1)
    mask_token: int | None = Field(default=None, ge=0)  # None: an id after the vocabulary

    def mask_tokens(self, batch: Batch, samples: np.ndarray, seed: int) -> Batch:
        """Turn a next-token batch into a masked one: the targets are the hidden tokens.

        Of each row with a target at least one token is hidden. ``samples`` int64[B] are the sample numbers of the rows.
        """
        inputs, targets = batch.inputs.copy(), np.full_like(batch.targets, IGNORE_INDEX)
        width = int(inputs.shape[1])
        for i, sample in enumerate(samples):
            rng = np.random.Generator(np.random.PCG64(key(seed, int(sample))))
            has_target = batch.targets[i] != IGNORE_INDEX
            chosen = (rng.random(width) < self.mask_probability) & has_target
            if not chosen.any():  # a row without a hidden token would teach nothing
                chosen[rng.choice(np.flatnonzero(has_target))] = True
            action = rng.random(width)
            random_ids = rng.integers(0, self.vocab_size, width)
            targets[i, chosen] = inputs[i, chosen]
            inputs[i, chosen & (action < 0.8)] = self.vocab_size if self.mask_token is None else self.mask_token
            replaced = chosen & (action >= 0.8) & (action < 0.9)
            inputs[i, replaced] = random_ids[replaced]
        return Batch(inputs, targets, batch.documents)
