"""BERT's objective (1810.04805, 3.1): some tokens are hidden, and the model, which sees both sides, says which.

Of the tokens chosen 80 % become the mask token, 10 % a random one and 10 % stay, so that the model cannot know which
of those it sees are true. What is hidden is a function of (seed, sample): each epoch hides others, whoever asks.
"""

import numpy as np
from pydantic import Field

from gristmill.pipelines.settings import Settings
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.data.shuffle import key


class Masking(Settings):
    mask_probability: float = Field(default=0.15, gt=0, lt=1)  # of the tokens; 15 to 20 % is usual
    vocab_size: int

    def mask_tokens(self, batch: Batch, samples: np.ndarray, seed: int) -> Batch:
        """A batch of next tokens -> one of hidden tokens: targets are what stands at the hidden places themselves."""
        inputs, targets = batch.inputs.copy(), np.full_like(batch.targets, IGNORE_INDEX)
        width = inputs.shape[1]
        for i, sample in enumerate(samples):
            rng = np.random.Generator(np.random.PCG64(key(seed, int(sample))))
            has_target = batch.targets[i] != IGNORE_INDEX
            chosen = (rng.random(width) < self.mask_probability) & has_target
            if not chosen.any():  # a row without a hidden token would teach nothing
                chosen[rng.choice(np.flatnonzero(has_target))] = True
            action, random_ids = rng.random(width), rng.integers(0, self.vocab_size, width)
            targets[i, chosen] = inputs[i, chosen]
            inputs[i, chosen & (action < 0.8)] = self.vocab_size
            replaced = chosen & (action >= 0.8) & (action < 0.9)
            inputs[i, replaced] = random_ids[replaced]
        return type(batch)(inputs, targets, batch.documents)
