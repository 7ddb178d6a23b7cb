"""The mistakes a user can put right: shown as one line, without a traceback, exit code 2.

GristmillError
├── RecipeError     the recipe (or an option on the command line) asks for something that cannot be
├── InputError      the input is not there, or is none of the formats we read
├── WorkError       the work folder cannot be written, is incomplete, or does not hold what was asked for
├── TooManyRejects  more records were unreadable than ``max_reject_fraction`` allows
└── Diverged        training has run away: the loss is no number, or rose and stayed there
"""


class GristmillError(Exception):
    """What was found, where, what was expected, what to do next: in one line."""


class RecipeError(GristmillError):
    """A recipe or option has an unknown key, a wrong type or an impossible value."""


class InputError(GristmillError):
    """Raw input is missing, empty of files, or in no format we read."""


class WorkError(GristmillError):
    """A work folder cannot be written, or lacks what the command needs."""


class TooManyRejects(GristmillError):
    """Ingest met more unreadable records than ``max_reject_fraction`` allows."""


class TrainingDiverged(GristmillError):
    """The loss of a model in training is no number any more, or rose and stayed there."""
