"""Bottleneck adapters (1902.00751): a narrow MLP with a residual connection behind a sublayer."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class BottleneckLinear(nn.Linear):
    """A frozen linear layer, whose weight keeps its name, then y + up(gelu(down(y))). It begins as the layer alone."""

    def __init__(self, linear: nn.Linear, width: int, generator: torch.Generator):
        nn.Module.__init__(self)  # nn.Linear's own would allocate a weight
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias
        self.adapter_down, self.adapter_up = nn.Linear(self.out_features, width), nn.Linear(width, self.out_features)
        nn.init.normal_(self.adapter_down.weight, 0.0, 0.02, generator=generator)
        for parameter in (self.adapter_down.bias, self.adapter_up.weight, self.adapter_up.bias):
            nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        y = F.linear(x, self.weight, self.bias)
        return y + self.adapter_up(F.gelu(self.adapter_down(y)))
