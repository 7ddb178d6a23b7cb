"""BERT's masked objective (1810.04805, 3.1): predict hidden tokens from both sides.

Of the chosen tokens 80 % become the mask token, 10 % a random token, and 10 % stay: no input can be trusted.
The choice is a function of (seed, sample), so each epoch hides other tokens.
"""

import numpy as np
from pydantic import Field

from gristmill.pipelines.settings import Settings
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.data.shuffle import key


class Masking(Settings):
    """Settings of the masked objective."""

    mask_probability: float = Field(default=0.15, gt=0, lt=1)  # share of tokens chosen; 15 to 20 % is usual
    vocab_size: int = Field(ge=1)

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
            inputs[i, chosen & (action < 0.8)] = self.vocab_size
            replaced = chosen & (action >= 0.8) & (action < 0.9)
            inputs[i, replaced] = random_ids[replaced]
        return Batch(inputs, targets, batch.documents)
