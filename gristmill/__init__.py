"""Text preparation for language-model pretraining: clean documents, tokens, and the effect of each step on the loss."""

from importlib import import_module
from importlib.metadata import version
from typing import Any

__version__ = version("gristmill")

NAMES = {  # name here -> module of Gristmill, name there
    "BatchFilter": ("filters.core.own", "BatchFilter"),
    "Document": ("filters.core.own", "Document"),
    "Filter": ("filters.core.own", "DocumentFilter"),
    "Rewriter": ("filters.core.own", "DocumentRewriter"),
    "Rule": ("filters.core.filter", "Rule"),
    "share": ("filters.core.own", "share"),
}
__all__ = ["__version__", *NAMES]


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(f"module 'gristmill' has no attribute {name!r}")
    module, inner = NAMES[name]
    return getattr(import_module(f"gristmill.{module}"), inner)
