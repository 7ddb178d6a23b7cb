"""Access to weights and configurations by the names of a layout."""

from typing import Any

import torch
from torch import Tensor

from gristmill.pipelines.errors import InputError, shown

# Settings of `ModelConfig` that every decoder of transformers has.
DECODER: dict[str, str | bool | None]
DECODER = {"qk_norm": False, "causal": True, "norm_position": "pre", "prefix_decoder": False, "encoder_layers": None}
DECODER |= {"embedding_norm": False, "mlm_head": False}


def take(tensors: dict[str, Tensor], name: str, dimensions: int | None = None) -> Tensor:
    """Return a weight as float32. Raise InputError if it is missing, complex or without ``dimensions`` axes."""
    if name not in tensors:
        raise InputError(f"the weights lack {name}; found {', '.join(sorted(tensors)[:3])} …")
    tensor = tensors[name]
    if (dimensions is not None and tensor.ndim != dimensions) or tensor.is_complex():
        found = f"{tensor.dtype} of shape {list(tensor.shape)}"
        raise InputError(f"weight {name} is {found}, expected real numbers in {dimensions} dimensions")
    return tensor.float()


def stack(tensors: dict[str, Tensor], names: list[str]) -> Tensor:
    """Return weights end to end. Raise InputError if their rows differ."""
    found = [take(tensors, name) for name in names]
    if len({tensor.shape[1:] for tensor in found}) > 1 or not all(tensor.ndim for tensor in found):
        raise InputError(f"weights {names[0]} to {names[-1]} have shapes {[list(tensor.shape) for tensor in found]}")
    return torch.cat(found)


def size(config: dict[str, Any], name: str, where: str) -> int:
    """Return a size of a configuration. Raise InputError if it is missing or no integer above 0."""
    value = config.get(name)
    if type(value) is not int or value < 1:
        raise InputError(f"{where}: {name} is {shown(value)}, expected an integer above 0")
    return value
