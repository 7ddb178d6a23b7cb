"""Weights by the names that a layout gives them."""

from torch import Tensor

from gristmill.pipelines.errors import InputError


def take(tensors: dict[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise InputError(f"the weights lack {name}; found {', '.join(sorted(tensors)[:3])} …")
    return tensors[name].float()
