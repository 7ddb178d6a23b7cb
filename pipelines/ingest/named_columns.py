"""Columns that `[input]` names, looked up in the first records before anything is read: a typing error ends the run.

A column that some files lack is no error: their records without a text are rejects.
"""

import difflib
from collections.abc import Iterable

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.inputs.inputs import PAGES, File, InputSettings, find_files
from gristmill.pipelines.inputs.records import PAGE_COLUMNS
from gristmill.pipelines.inputs.work_units import InputSlice
from gristmill.pipelines.plugins import Plugin
from gristmill.pipelines.readers import FORMATS
from gristmill.pipelines.readers.context import ReadContext
from gristmill.pipelines.readers.streaming import CorruptStream

FILES, RECORDS = 8, 100  # that are read to find the names
TABLES = ("csv", "tsv")
SHOWN = 20  # columns in a message


class _Enough(Exception):
    """End of a look at a file all of whose first records are rejected."""


def check_input(settings: InputSettings, where: str) -> None:
    """Raise InputError if no file is found, or a column that is named is in none of the first records."""
    check_columns(settings, find_files(settings), where, None)


def check_columns(settings: InputSettings, files: list[File], where: str, own: Plugin | None) -> None:
    """Raise InputError for a column that is named and in none of the first records.

    Nothing is looked up in datasets, which would be opened twice, or if all records may be rejected.
    """
    tables = [file for file in files if file.format not in (*PAGES, "hf") and file.size]
    if not tables or settings.max_reject_fraction == 1:
        return
    wanted = {"text": settings.content, **{key: getattr(settings, key) for key in ("html", "id", "source_column")}}
    if settings.html:
        del wanted["text"]
    named = [(key, name) for key, name in wanted.items() if name is not None]
    if all(file in tables or not file.size for file in files):  # pages and datasets have columns of their own
        found = PAGE_COLUMNS if settings.html else ()
        named += [("drop", name.removeprefix("input.")) for name in settings.drop if name not in found]
    seen: set[str] = set()
    for file in tables[:FILES]:
        seen |= _names(settings, file, own)
        if not (missing := [(key, name) for key, name in named if name not in seen]):
            return
    if seen:
        key, name = missing[0]
        names = sorted(seen)
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}? " if near else ""
        if key == "text" and (chats := seen & {"messages", "conversations"}):
            hint = f'conversations need records = "{min(chats)}" in [input]; '
        if len(names) == 1 and (other := next((c for c in ";\t|" if c in names[0] and tables[0].format in TABLES), "")):
            hint = f"if fields are separated by {other!r}, set delimiter in [input]; "
        columns = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        raise InputError(f"{where}: {key}: no column {name!r} in {_shown(tables)}; {hint}its columns: {columns}")


def _names(settings: InputSettings, file: File, own: Plugin | None) -> set[str]:
    """Return the names of columns in the first records of a file; none if it cannot be read."""
    rejects = 0

    def count(reject: dict) -> None:
        nonlocal rejects
        rejects += 1
        if rejects >= RECORDS:
            raise _Enough

    reading = ReadContext(settings, count, own)
    names: set[str] = set()
    try:
        found = next(iter(FORMATS[file.format](InputSlice(file), reading)), None)
        names = set(found.columns.column_names) if found else names
    except (CorruptStream, _Enough, InputError):
        pass
    finally:
        reading.close()
    return names | reading.seen


def _shown(files: Iterable[File]) -> str:
    names = [file.name for file in files]
    return (
        names[0] if len(names) == 1 else f"the first records of {names[0]} and {min(len(names), FILES) - 1} more files"
    )
