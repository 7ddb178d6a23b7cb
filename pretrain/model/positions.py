"""Position encodings: RoPE's rotation, sinusoids, ALiBi's slopes, and T5's buckets of distances."""

import math

import torch
from torch import Tensor

from gristmill.pretrain.model.config import BUCKETS, MAX_DISTANCE


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


def relative_buckets(offset: Tensor, causal: bool) -> Tensor:
    """Return T5's bucket (1910.10683, 2.1) of each offset ``key - query``, int64 of the same shape, 0 to 31.

    Half of the buckets hold one distance each, the others ranges that grow up to 128, the last all beyond. Both
    directions have buckets of their own, unless a causal mask hides one: its offsets have bucket 0.
    """
    distance = (-offset).clamp(min=0) if causal else offset.abs()
    count = BUCKETS if causal else BUCKETS // 2
    exact = count // 2
    growth = torch.log(distance.clamp(min=1).float() / exact) / math.log(MAX_DISTANCE / exact)
    far = (exact + (growth * (count - exact)).long()).clamp(max=count - 1)
    bucket = torch.where(distance < exact, distance, far)
    return bucket if causal else bucket + count * (offset > 0)
