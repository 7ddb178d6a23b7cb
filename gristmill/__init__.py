"""Gristmill prepares text for language-model pretraining: raw text in, clean documents, tokens and a verdict out."""

from importlib.metadata import version

__version__ = version("gristmill")
__all__ = ["__version__"]
