"""Position encodings: RoPE's rotation, sinusoids, and ALiBi's slopes."""

import math

import torch
from torch import Tensor


def apply_rope(x_BHTC: Tensor, rope: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate queries or keys by RoPE (2104.09864) in Llama's layout: dimension i is paired with i + C/2."""
    cosine, sine = rope
    a, b = x_BHTC.chunk(2, -1)
    return torch.cat((a * cosine - b * sine, b * cosine + a * sine), -1).type_as(x_BHTC)


def rope_angles(context: int, width: int, theta: float) -> Tensor:
    """Return float32[context, width/2]: the angle of pair i at position p is p · theta^(-2i/width)."""
    frequencies = theta ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
    return torch.outer(torch.arange(context, dtype=torch.float32), frequencies)


def sinusoids(context: int, width: int) -> Tensor:
    """Return float32[context, width]: sine in even dimensions, cosine in odd ones (1706.03762, 3.5)."""
    angle = rope_angles(context, width + width % 2, 10_000.0)
    return torch.stack((angle.sin(), angle.cos()), -1).flatten(1)[:, :width]


def alibi_slopes(heads: int) -> Tensor:
    """Return ALiBi's slopes (2108.12409), float32[heads]: 2^(-8/n), 2^(-16/n), … for n = 2^k heads.

    Heads beyond the largest power of two n take the odd slopes of 2n.
    """
    whole = 2 ** int(math.log2(heads))
    powers = [8 * (i + 1) / whole for i in range(whole)] + [4 * (2 * i + 1) / whole for i in range(heads - whole)]
    return 2.0 ** -torch.tensor(powers)
