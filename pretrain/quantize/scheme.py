"""Linear quantization: w ≈ scale · (code - zero), with one scale per tensor, channel or group of a row.

Symmetric codes lie between -(2^(b-1) - 1) and 2^(b-1) - 1 around zero = 0. Asymmetric ones use all of -2^(b-1) to
2^(b-1) - 1 for the range from the smallest to the largest weight.
"""

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import Settings


class QuantizeSettings(Settings):
    """Settings of quantization."""

    bits: Literal[2, 4, 8] = 8
    symmetric: bool = True
    per: Literal["tensor", "channel", "group"] = "channel"  # weights that share a scale: all, a row, ``group`` of a row
    group: int = Field(default=64, ge=1)
    exclude: list[str] = []  # names of layers that stay as they are, or beginnings or ends of names
    activations: Literal["float32", "bfloat16", "float16"] = "float32"  # dtype in which the layers multiply


class Quantized(NamedTuple):
    """Integer codes int8 [rows, groups, size of a group], and float32 scale and zero [rows or 1, groups, 1]."""

    codes: Tensor
    scale: Tensor
    zero: Tensor

    def dequantize(self) -> Tensor:
        """Return the weights as float32 [rows, groups, size]."""
        return self.scale * (self.codes.float() - self.zero)


def quantize(weight: Tensor, settings: QuantizeSettings) -> Quantized:
    """Quantize a matrix [out, in]. Raise RecipeError if groups do not divide a row.

    >>> matrix = torch.tensor([[191.6, -13.5, 728.6], [92.14, 295.5, -184.0], [0.0, 684.6, 245.5]])
    >>> found = quantize(matrix, QuantizeSettings(symmetric=False, per="tensor"))
    >>> found.codes[:, 0].tolist(), round(found.scale.item(), 4), found.zero.item()
    ([[-23, -81, 127], [-51, 6, -128], [-77, 114, -8]], 3.5788, -77.0)
    """
    columns = weight.shape[1]
    size = settings.group if settings.per == "group" else columns
    if columns % size:
        raise RecipeError(f"groups of {size} do not divide rows of {columns} weights; choose another group")
    weight = weight.detach().float().unflatten(1, (-1, size))
    axes = (0, 1, 2) if settings.per == "tensor" else (2,)
    low, high = -(2 ** (settings.bits - 1)), 2 ** (settings.bits - 1) - 1
    smallest, largest = weight.amin(axes, keepdim=True), weight.amax(axes, keepdim=True)
    if settings.symmetric:
        low = -high
        scale, zero = torch.maximum(-smallest, largest).clamp(min=0) / high, torch.zeros_like(smallest)
    else:
        smallest, largest = smallest.clamp(max=0), largest.clamp(min=0)  # 0 has a code of its own
        scale = (largest - smallest) / (high - low)
        zero = (low - smallest / scale.clamp(min=1e-30)).round().clamp(low, high)
    scale = scale.clamp(min=1e-30)  # a group of zeros
    codes = (weight / scale + zero).round().clamp(low, high).to(torch.int8)
    return Quantized(codes, scale, zero)


def pack(codes: Tensor, bits: int) -> Tensor:
    """Pack the low ``bits`` of each code of a row into bytes, the first code lowest; uint8[rows, ⌈columns · bits / 8⌉].

    >>> pack(torch.tensor([[1, 0, 3, 2]]), 2).tolist()  # 10 11 00 01
    [[177]]
    """
    per_byte = 8 // bits
    codes = torch.nn.functional.pad(codes.to(torch.int32) & (2**bits - 1), (0, -codes.shape[1] % per_byte))
    shifts = torch.arange(per_byte, dtype=torch.int32, device=codes.device) * bits
    return (codes.unflatten(1, (-1, per_byte)) << shifts).sum(-1).to(torch.uint8)


def unpack(packed: Tensor, bits: int, columns: int) -> Tensor:
    """Return the signed codes that `pack` packed, int8[rows, columns]."""
    per_byte = 8 // bits
    shifts = torch.arange(per_byte, dtype=torch.int32, device=packed.device) * bits
    codes = (packed.to(torch.int32)[..., None] >> shifts) & (2**bits - 1)
    codes = torch.where(codes >= 2 ** (bits - 1), codes - 2**bits, codes)
    return codes.flatten(1)[:, :columns].to(torch.int8)
