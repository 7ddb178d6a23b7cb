"""Layers of a block: norm, attention to an encoder, MLP, and BERT's head. Axes as in gpt.py."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.pretrain.model.config import GATED, ModelConfig


def make_norm(shape: ModelConfig) -> nn.RMSNorm | nn.LayerNorm:
    """Build an RMSNorm or a LayerNorm."""
    if shape.norm == "rms":
        return nn.RMSNorm(shape.d_model, eps=shape.norm_eps)
    return nn.LayerNorm(shape.d_model, eps=shape.norm_eps, bias=shape.bias)


def split_heads(x_BTD: Tensor, shape: ModelConfig) -> Tensor:
    """Return queries, keys or values of all heads as [B, H, T, C]."""
    return x_BTD.unflatten(-1, (-1, shape.head_dim)).transpose(1, 2)


def attend(
    qkv: tuple[Tensor, Tensor, Tensor], mask: Tensor | None, shape: ModelConfig, training: bool, causal: bool = False
) -> Tensor:
    """Return the mean of the values, weighted by softmax(q k / √C), of all heads side by side, [B, T, H C]."""
    dropout, shared = shape.dropout if training else 0.0, shape.key_heads < shape.n_heads
    mixed_BHTC = F.scaled_dot_product_attention(*qkv, mask, dropout, causal, enable_gqa=shared)
    return mixed_BHTC.transpose(1, 2).flatten(2)


class Memory(NamedTuple):
    """Keys and values of an encoder's S states, computed once; a single row serves all rows of a decoder."""

    keys_values: list[tuple[Tensor, Tensor]]  # of each layer of the decoder, [B or 1, K, S, C]
    mask: Tensor | None  # [B, 1, T, S]: False for another document


class CrossAttention(nn.Module):
    """Attention of a decoder's tokens to the states of an encoder, without positions (1706.03762, 3.2.3)."""

    def __init__(self, shape: ModelConfig):
        super().__init__()
        self.shape, (queries, *others) = shape, shape.qkv_rows
        self.query = nn.Linear(shape.d_model, queries, shape.bias)
        self.key_value = nn.Linear(shape.d_model, sum(others), shape.bias)
        self.out = nn.Linear(queries, shape.d_model, shape.bias)

    def read(self, states_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values of an encoder's states."""
        keys, values = (split_heads(part, self.shape) for part in self.key_value(states_BSD).chunk(2, -1))
        return keys, values

    def forward(self, x_BTD: Tensor, memory: Memory, layer: int) -> Tensor:
        keys, values = (each.expand(len(x_BTD), -1, -1, -1) for each in memory.keys_values[layer])
        q_BHTC = split_heads(self.query(x_BTD), self.shape)
        return self.out(attend((q_BHTC, keys, values), memory.mask, self.shape, self.training))


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
