"""Layers of a block: norm, MLP, and BERT's head."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.pretrain.model.config import GATED, ModelConfig


def make_norm(shape: ModelConfig) -> nn.RMSNorm | nn.LayerNorm:
    """Build an RMSNorm or a LayerNorm."""
    if shape.norm == "rms":
        return nn.RMSNorm(shape.d_model, eps=shape.norm_eps)
    return nn.LayerNorm(shape.d_model, eps=shape.norm_eps, bias=shape.bias)


ACTIVATIONS = {
    "swiglu": F.silu,
    "geglu": lambda x: F.gelu(x, approximate="tanh"),
    "gelu": lambda x: F.gelu(x, approximate="tanh"),
    "gelu-erf": F.gelu,
    "relu": F.relu,
    "relu2": lambda x: F.relu(x).square(),  # 2109.08668
}


class MLP(nn.Module):
    """Two linear layers around an activation; a gated ``up`` (2002.05202) holds the gate's rows, then the values'."""

    def __init__(self, shape: ModelConfig):
        super().__init__()
        self.activation, self.gated = ACTIVATIONS[shape.mlp], shape.mlp in GATED
        self.up = nn.Linear(shape.d_model, shape.mlp_width * (1 + self.gated), shape.bias)
        self.down = nn.Linear(shape.mlp_width, shape.d_model, shape.bias)

    def forward(self, x_BTD: Tensor) -> Tensor:
        if not self.gated:
            return self.down(self.activation(self.up(x_BTD)))
        gate, value = self.up(x_BTD).chunk(2, -1)
        return self.down(self.activation(gate) * value)


class MLMHead(nn.Module):
    """BERT's layer before the output matrix (1810.04805), and the bias of the logits."""

    def __init__(self, shape: ModelConfig):
        super().__init__()
        self.dense, self.norm = nn.Linear(shape.d_model, shape.d_model, shape.bias), make_norm(shape)
        self.activation, self.bias = ACTIVATIONS[shape.mlp], nn.Parameter(torch.zeros(shape.rows))

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.norm(self.activation(self.dense(x_BTD)))
