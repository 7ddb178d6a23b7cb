"""Columns that ``[output] columns`` adds to clean documents; each is provided by a step of the recipe."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gristmill.dedup.index import IndexedStep
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.schema import COPIES, COPY_COUNTS
from gristmill.pipelines.settings import Settings, nearest, shown


class Column(NamedTuple):
    """Place of a column in a work folder."""

    folder: str  # its tables have a row for each document
    name: str


def known_columns(steps: Mapping[str, Settings]) -> dict[str, Column]:
    """Return each column that these steps provide, by its name in clean documents."""
    counted = any(isinstance(step, IndexedStep) for step in steps.values())
    return {name: Column(COPIES, name) for name in COPY_COUNTS.names} if counted else {}


def chosen_columns(names: Iterable[str], steps: Mapping[str, Settings], where: str) -> dict[str, Column]:
    """Return the columns of these names. Raises RecipeError for a name that no step provides."""
    known = known_columns(steps)
    for name in names:
        if name not in known:
            hint = nearest(name, sorted(known)) if known else "add a step that does, such as [steps.exact]"
            raise RecipeError(f"{where} columns: no step provides {shown(name)}; {hint}")
    return {name: known[name] for name in names}
