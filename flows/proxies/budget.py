"""Budget of a search: a time, or a number of runs. Two pilot runs turn a time into runs."""

import re
import shutil
from typing import NamedTuple

from upath import UPath

from gristmill.pipelines.errors import RecipeError, shown
from gristmill.pipelines.storage.files import is_local

UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
MOST_RUNS, MOST_SECONDS = 100_000, 366 * 86_400
GUARD_SHARE = 1 / 2  # of the runs: it decides, and intervals of 3 runs are 1.8 times as wide as those of 6
MIN_GUARD, MAX_GUARD = 3, 12  # runs of each arm of the guard


class Budget(NamedTuple):
    """Limit of a search; one of the two is None."""

    seconds: float | None
    runs: int | None


def parse_budget(text: str) -> Budget:
    """Read a budget such as ``2h``, ``90m`` or ``40runs``; raise RecipeError for any other text.

    >>> parse_budget("1.5h"), parse_budget("40runs")
    (Budget(seconds=5400.0, runs=None), Budget(seconds=None, runs=40))
    """
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(runs|min|[smhd])", text.strip())
    number, unit = (float(found[1]), found[2]) if found else (0.0, "")
    if unit == "runs" and number == int(number) and 1 <= number <= MOST_RUNS:
        return Budget(None, int(number))
    if unit in UNITS and 0 < number * UNITS[unit] <= MOST_SECONDS:
        return Budget(number * UNITS[unit], None)
    raise RecipeError(
        f"budget {shown(text)}: expected a time of up to a year such as 2h or 90m, or runs such as 40runs"
    )


def runs_within(budget: Budget, spent: float, seconds_per_run: float, pilot: int) -> int:
    """Return the number of runs, ``pilot`` included, when ``spent`` seconds have passed since the search began."""
    if budget.runs is not None:
        return budget.runs
    left = max(0.0, (budget.seconds or 0.0) - spent)
    return min(MOST_RUNS, pilot + int(left / max(1e-3, seconds_per_run)))


def forget(folder: UPath) -> None:
    """Remove the pilot runs of a search that was stopped before it wrote down their time."""
    if folder.exists():
        shutil.rmtree(str(folder)) if is_local(folder) else folder.rmdir(recursive=True)


def guard_seeds(runs: int, arms: int) -> int:
    """Return the runs of each arm of the guard, which gets half of all runs."""
    return max(MIN_GUARD, min(MAX_GUARD, int(runs * GUARD_SHARE / arms)))
