"""LoRA (2106.09685): a linear layer W plus a trained product of low rank, W + alpha / rank · B A."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LoRALinear(nn.Linear):
    """A frozen linear layer, whose weight keeps its name, and the matrices A [rank, in] and B [out, rank].

    B begins at 0: the model begins as it was.
    """

    def __init__(self, linear: nn.Linear, rank: int, alpha: float, dropout: float, generator: torch.Generator):
        nn.Module.__init__(self)  # nn.Linear's own would allocate a weight
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.lora_A = nn.Parameter(self.weight.new_empty(rank, self.in_features))
        self.lora_B = nn.Parameter(self.weight.new_zeros(self.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, math.sqrt(5), generator=generator)
        self.dropout, self.scale, self.merged = nn.Dropout(dropout), alpha / rank, False

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight, self.bias)
        return y if self.merged else y + self.scale * F.linear(F.linear(self.dropout(x), self.lora_A), self.lora_B)

    @torch.no_grad()
    def merge(self, merged: bool = True) -> None:
        """Add the product to the weight (or subtract it again), so that the layer costs no more than a linear one."""
        if merged != self.merged:
            self.weight.add_(self.lora_B @ self.lora_A, alpha=self.scale if merged else -self.scale)
            self.merged = merged


def merge_lora(model: nn.Module, merged: bool = True) -> None:
    """Merge all LoRA layers of a model into its weights; with False, take them out again."""
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.merge(merged)
