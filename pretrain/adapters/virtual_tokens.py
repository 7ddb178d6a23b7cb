"""Virtual tokens in front of every row: prefix tuning, P-tuning v2 and prompt tuning.

Prefix tuning (2101.00190) and P-tuning v2 (2110.07602) train the keys and values of every layer, prompt tuning
(2104.08691) the embeddings alone. The virtual tokens of a prompt do not see the text, so their keys and values are
computed once per batch. All three are a cache whose first positions are trained.
"""

import torch
from torch import Tensor, nn

from gristmill.pretrain.model.gpt import GPT, Cache, Prefix


class TrainedCache(Cache):
    """Cache that concatenates instead of writing in place, so gradients reach its keys and values."""

    def __init__(self, pairs: list[tuple[Tensor, Tensor]], length: int):
        self.pairs, self.length = pairs, length

    def extend(self, layer: int, k_BKTC: Tensor, v_BKTC: Tensor) -> tuple[Tensor, Tensor]:
        """Append a layer's new keys and values; return all of that layer."""
        if layer == len(self.pairs):
            self.pairs.append((k_BKTC, v_BKTC))
            return k_BKTC, v_BKTC
        k_KSC, v_KSC = self.pairs[layer]
        together = [
            torch.cat((kept.expand(len(new), -1, -1, -1).type_as(new), new), 2)
            for kept, new in ((k_KSC, k_BKTC), (v_KSC, v_BKTC))
        ]
        return together[0], together[1]


class VirtualTokens(Prefix):
    """Virtual tokens whose keys and values `pairs` returns."""

    def pairs(self, model: GPT) -> list[tuple[Tensor, Tensor]]:
        """Return keys and values [1, K, size, C] of each layer."""
        raise NotImplementedError

    def fill(self, model: GPT, batch: int, cache: Cache | None) -> Cache:
        """Return the empty cache (or a new one, for training) with the keys and values of the virtual tokens."""
        pairs = self.pairs(model)
        if cache is None:
            return TrainedCache(pairs, self.size)
        for layer, (k_1KSC, v_1KSC) in enumerate(pairs):
            cache.keys[layer, :, :, : self.size], cache.values[layer, :, :, : self.size] = k_1KSC, v_1KSC
        cache.length = self.size
        return cache


class PrefixTuning(VirtualTokens):
    """Trained keys and values of every layer; with ``hidden``, the output of an MLP, as in prefix tuning."""

    def __init__(self, model: GPT, size: int, hidden: int | None, generator: torch.Generator):
        super().__init__()
        shape = model.shape
        self.size, width = size, 2 * shape.n_layers * shape.key_heads * shape.head_dim
        self.embedding = nn.Embedding(size, shape.d_model if hidden else width)
        self.mlp = (
            nn.Sequential(nn.Linear(shape.d_model, hidden), nn.Tanh(), nn.Linear(hidden, width)) if hidden else None
        )
        for parameter in self.parameters():
            nn.init.normal_(parameter, 0.0, 0.02, generator=generator)

    def table(self) -> Tensor:
        """Return float[size, layers · 2 · K · C]: keys, then values of each layer."""
        return self.embedding.weight if self.mlp is None else self.mlp(self.embedding.weight)

    def pairs(self, model: GPT) -> list[tuple[Tensor, Tensor]]:
        shape = model.shape
        table_LKSC = self.table().view(self.size, -1, shape.key_heads, shape.head_dim).permute(1, 2, 0, 3)
        return [(k_KSC[None], v_KSC[None]) for k_KSC, v_KSC in table_LKSC.unflatten(0, (-1, 2))]


class PromptTuning(VirtualTokens):
    """Trained embeddings, which begin as those of random tokens of the vocabulary."""

    def __init__(self, model: GPT, size: int, generator: torch.Generator):
        super().__init__()
        self.size = size
        ids = torch.randint(model.shape.vocab_size, (size,), generator=generator)
        self.embedding = nn.Embedding.from_pretrained(model.embedding.weight.detach()[ids].clone(), freeze=False)

    def pairs(self, model: GPT) -> list[tuple[Tensor, Tensor]]:
        cache = TrainedCache([], 0)
        model.transform(self.embedding.weight[None], None, cache)
        return cache.pairs
