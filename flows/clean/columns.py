"""Columns that ``[output] columns`` adds to clean documents: what the steps of the recipe found out about each.

- ``language`` and ``language_probability``: the most probable language of the text;
- ``cluster_size`` and ``copy_sources``: the copies that the document stands for;
- any measure by its name, such as ``gopher.words``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from gristmill.dedup.index import IndexedStep
from gristmill.filters.core.faults import is_own
from gristmill.filters.core.filter import GUESS, LANGUAGE, PROBABILITY, provider
from gristmill.filters.core.measure import measure_documents
from gristmill.filters.join.step import MATCHED, Join
from gristmill.pipelines.errors import RecipeError, nearest, shown
from gristmill.pipelines.schema import COPIES, COPY_COUNTS, ID, MEASURES, SOURCE, TEXT

EXPECTED = "expected a column of strings with few values, such as source"
DEFAULT = LANGUAGE, "language_probability"  # left out if no step detects languages


class Column(NamedTuple):
    """Place of a column in a work folder."""

    folder: str  # its tables have a row for each document
    name: str

    @property
    def step(self) -> str | None:
        """Name of the step that measures it, None for a column of another table."""
        return self.folder.split("/")[1] if self.folder.endswith(f"/{MEASURES}") else None


def known_columns(steps: Mapping[str, Any]) -> dict[str, Column]:
    """Return each column with a name of its own that these steps provide, by its name in clean documents."""
    known: dict[str, Column] = {}
    for fact, name in (LANGUAGE, DEFAULT[0]), (GUESS, DEFAULT[0]), (PROBABILITY, DEFAULT[1]):  # a later one counts
        if step := provider(dict(steps), fact):
            known[name] = _measure(step, steps[step].PROVIDES[fact])
    counted = any(isinstance(step, IndexedStep) for step in steps.values())
    return known | ({name: Column(COPIES, name) for name in COPY_COUNTS.names} if counted else {})


def _measure(step: str, measure: str) -> Column:
    return Column(f"steps/{step}/{MEASURES}", measure)


def chosen_columns(names: Iterable[str], steps: Mapping[str, Any], where: str) -> dict[str, Column]:
    """Return the columns of these names. Raises RecipeError for a name that no step provides.

    Whether a step has a measure of that name shows later (`check_measures`).
    """
    known, found, names = known_columns(steps), {}, list(names)
    for name in names:
        step, dot, measure = name.partition(".")
        if name in known:
            found[name] = known[name]
        elif dot and measure and step in steps:
            found[name] = _measure(step, measure)
        elif names != list(DEFAULT):
            raise RecipeError(f"{where} columns: {_unknown(name, step if dot else '', known, steps)}")
    return found


def _unknown(name: str, step: str, known: Mapping[str, Column], steps: Mapping[str, Any]) -> str:
    if step:
        there = nearest(step, list(steps)) if steps else "there is none"
        return f"the recipe has no step {shown(step)} that could provide {shown(name)}; {there}"
    hint = nearest(name, sorted(known)) if known else "add a step that does, such as [steps.exact]"
    return f"no step provides {shown(name)}; {hint}; a measure is named STEP.MEASURE, such as gopher.words"


def check_measures(columns: Mapping[str, Column], steps: Mapping[str, Any], words: str, where: str) -> None:
    """Raise RecipeError for a column that names no measure of its step, before anything is read.

    A step of Gristmill measures two short texts to show its columns. A user's step shows them only after it has run.
    """
    for name, column in columns.items():
        step = steps.get(column.step or "")
        if name in DEFAULT or step is None or is_own(step):
            continue
        if isinstance(step, Join):
            measures = [MATCHED, *step.columns]
        else:
            ids = pa.array(["a", "b"], pa.large_string())
            texts = pa.table({ID: ids, TEXT: pa.array(["One line.", ""], pa.large_string()), SOURCE: ids})
            measures = measure_documents({str(column.step): step}, texts, words)[str(column.step)].columns
        _check_measure(name, column, measures, where)


def _check_measure(name: str, column: Column, measures: list[str], where: str) -> None:
    if column.name not in measures:
        known = [f"{column.step}.{measure}" for measure in measures]
        raise RecipeError(f"{where} columns: {column.step} has no measure {shown(name)}; {nearest(name, known)}")


def check_column(name: str, column: Column, table: pa.Schema, split_by: str | None, where: str) -> None:
    """Raise RecipeError if a finished table lacks the column, or if documents cannot be split by its values."""
    _check_measure(name, column, table.names, where)
    if name == split_by and not _is_string(kind := table.field(column.name).type):
        raise RecipeError(f"{where} split_by: {shown(name)} is {kind}; {EXPECTED}")


def check_split_name(split_by: str | None, columns: Mapping[str, Column], steps: Mapping[str, Any], where: str) -> None:
    """Raise RecipeError if ``split_by`` names a column of the steps that clean documents do not get, or no low one."""
    if split_by in (ID, TEXT):
        raise RecipeError(f"{where} split_by: found {shown(split_by)}; {EXPECTED}")
    ours = known_columns(steps).keys() | {f"{step}." for step in steps}
    if split_by and split_by not in columns and (split_by in ours or f"{split_by.partition('.')[0]}." in ours):
        raise RecipeError(f"{where} split_by: columns lacks {shown(split_by)}; add it there")


def check_split(split_by: str | None, columns: Mapping[str, Column], documents: list[pa.Schema], where: str) -> None:
    """Raise RecipeError if clean documents have no column of strings by which they can be split."""
    if not split_by or split_by in columns:
        return
    for schema in documents:
        strings = [field.name for field in schema if _is_string(field.type) and field.name not in (ID, TEXT)]
        if split_by in schema.names and split_by not in strings:
            raise RecipeError(f"{where} split_by: {shown(split_by)} is {schema.field(split_by).type}; {EXPECTED}")
        if split_by not in strings:
            hint = nearest(split_by, sorted({*strings, *columns}))
            raise RecipeError(f"{where} split_by: clean documents have no column {shown(split_by)}; {hint}")


def _is_string(kind: pa.DataType) -> bool:
    return pa.types.is_large_string(kind) or pa.types.is_string(kind)
