"""Text preparation for language-model pretraining: clean documents, tokens, and the effect of each step on the loss.

``import gristmill as gm`` loads nothing but this file; a name loads its room when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inspect import Signature

    from gristmill.corpus import clean as clean
    from gristmill.corpus import decontaminate as decontaminate
    from gristmill.corpus import dedup as dedup
    from gristmill.corpus import demo as demo
    from gristmill.corpus import read_recipe as read_recipe
    from gristmill.corpus import run_recipe as run_recipe
    from gristmill.encoding import tiktoken_like as tiktoken_like
    from gristmill.filters.core.filter import Rule as Rule
    from gristmill.filters.core.own import BatchFilter as BatchFilter
    from gristmill.filters.core.own import Document as Document
    from gristmill.filters.core.own import DocumentFilter as Filter  # noqa: F401
    from gristmill.filters.core.own import DocumentRewriter as Rewriter  # noqa: F401
    from gristmill.filters.core.own import share as share
    from gristmill.flows.clean.recipe import Recipe as Recipe
    from gristmill.pipelines.errors import GristmillError as GristmillError
    from gristmill.run import Run as Run
    from gristmill.run import WhatIf as WhatIf
    from gristmill.run import open_run as open_run
    from gristmill.tables import Table as Table
    from gristmill.text import detect_language as detect_language
    from gristmill.text import scan_pii as scan_pii
    from gristmill.tokenizer import Tokenizer as Tokenizer
    from gristmill.tokenizer import tokenize as tokenize
    from gristmill.training import Model as Model
    from gristmill.training import impact as impact
    from gristmill.training import open_model as open_model
    from gristmill.training import pretrain as pretrain

    __version__: str

# Public name -> its module in gristmill, and after a colon its name there if it differs.
_NAMES = {
    "BatchFilter": "filters.core.own",
    "Document": "filters.core.own",
    "Filter": "filters.core.own:DocumentFilter",
    "GristmillError": "pipelines.errors",
    "Model": "training",
    "Recipe": "flows.clean.recipe",
    "Rewriter": "filters.core.own:DocumentRewriter",
    "Rule": "filters.core.filter",
    "Run": "run",
    "Table": "tables",
    "Tokenizer": "tokenizer",
    "WhatIf": "run",
    "clean": "corpus",
    "decontaminate": "corpus",
    "dedup": "corpus",
    "demo": "corpus",
    "detect_language": "text",
    "impact": "training",
    "open_model": "training",
    "open_run": "run",
    "pretrain": "training",
    "read_recipe": "corpus",
    "run_recipe": "corpus",
    "scan_pii": "text",
    "share": "filters.core.own",
    "tiktoken_like": "encoding",
    "tokenize": "tokenizer",
}
__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        found: Any = version("gristmill")
    elif name in _ROOMS:
        return _module(name)
    elif name in _NAMES:
        module, _, inner = _NAMES[name].partition(":")
        found = getattr(_module(module), inner or name)
    else:
        raise AttributeError(f"module 'gristmill' has no attribute {name!r}")
    globals()[name] = found
    return found


def _module(name: str) -> ModuleType:
    """Import a module; the garbage collector, which finds nothing in it, would take 0.06 of 0.5 CPU s."""
    from gristmill.pipelines.garbage import no_collection

    with no_collection():
        return import_module(f"gristmill.{name}")


def __dir__() -> list[str]:
    return sorted(__all__)


_ROOMS = ("dedup", "pretrain")  # of equal name as a function: packages that can be called


def _function(room: ModuleType) -> Any:
    name = room.__name__.rpartition(".")[2]
    return getattr(import_module(f"gristmill.{_NAMES[name]}"), name)


class _Room(ModuleType):
    """Room that, called, is the function of its name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _function(self)(*args, **kwargs)

    @property
    def __signature__(self) -> "Signature":
        from inspect import signature

        return signature(_function(self))

    __doc__ = property(lambda self: _function(self).__doc__)


class _Front(ModuleType):
    """Package whose _ROOMS can be called: the import system sets a room here when it has loaded it."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _ROOMS and isinstance(value, ModuleType):
            value.__class__ = _Room
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Front
