"""Replacement of linear layers by name."""

from collections.abc import Callable

from torch import nn


def replace_linears(model: nn.Module, make: Callable[[str, nn.Linear], nn.Module | None]) -> int:
    """Replace each linear layer by ``make(name, layer)`` unless that is None; return the number replaced."""
    count = 0
    for name, layer in [each for each in model.named_modules() if type(each[1]) is nn.Linear]:
        if (new := make(name, layer)) is not None:
            parent, _, attribute = name.rpartition(".")
            setattr(model.get_submodule(parent), attribute, new)
            count += 1
    return count
