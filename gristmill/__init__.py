"""Text preparation for language-model pretraining: clean documents, tokens, and the effect of each step on the loss."""

from importlib.metadata import version

__version__ = version("gristmill")
__all__ = ["__version__"]
