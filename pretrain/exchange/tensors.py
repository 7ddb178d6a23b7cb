"""Access to weights by the names of a layout."""

from torch import Tensor

from gristmill.pipelines.errors import InputError


def take(tensors: dict[str, Tensor], name: str) -> Tensor:
    """Return a weight as float32. Raise InputError if it is missing."""
    if name not in tensors:
        raise InputError(f"the weights lack {name}; found {', '.join(sorted(tensors)[:3])} …")
    return tensors[name].float()
