"""Errors that a user can correct: printed as one line without a traceback, with exit code 2."""


class GristmillError(Exception):
    """Base of all errors shown to users. The message is one line: problem, place, found, expected, next action."""


class RecipeError(GristmillError):
    """Unknown key, wrong type or impossible value in a recipe or option."""


class InputError(GristmillError):
    """Missing raw input, a folder without files, or an unknown format."""


class WorkError(GristmillError):
    """Work folder that cannot be written, is incomplete, or lacks the requested item."""


class TooManyRejects(GristmillError):
    """Input with a larger fraction of unreadable records than ``max_reject_fraction``."""


class TrainingDiverged(GristmillError):
    """Training whose loss is NaN or infinite, or rose and stayed high."""
