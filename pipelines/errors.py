"""Errors that a user can correct: printed as one line without a traceback, with exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class GristmillError(Exception):
    """Base of all errors shown to users. The message is one line: problem, place, found, expected, next action."""


class RecipeError(GristmillError):
    """Unknown key, wrong type or impossible value in a recipe or option."""


class InputError(GristmillError):
    """Missing raw input, a folder without files, or an unknown format."""


class PluginError(GristmillError):
    """Fault of a user's code: a class or a function that a recipe names."""


class WorkError(GristmillError):
    """Work folder that cannot be written, is incomplete, or lacks the requested item."""


class TooManyRejects(GristmillError):
    """Input with a larger fraction of unreadable records than ``max_reject_fraction``."""


class TrainingDiverged(GristmillError):
    """Training whose loss is NaN or infinite, or rose and stayed high."""


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Put the name of a file before the message of an error that is raised within the block."""
    try:
        yield
    except GristmillError as error:
        raise type(error)(f"{file}: {error}") from error.__cause__


def shown(value: Any) -> str:
    """Return a value for an error message, cut to 200 characters."""
    text = repr(value)
    return f"{text[:200]}…" if len(text) > 200 else text


def nearest(name: str, known: list[str]) -> str:
    """Return a hint for an unknown name: ``did you mean 'min_words'?``, or the list of known names."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"
