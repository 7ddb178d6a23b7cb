"""The tables `[input]` and `[[input]]` of a recipe: one table of settings, or several in any order."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gristmill.pipelines.errors import InputError, RecipeError, nearest, shown
from gristmill.pipelines.inputs.inputs import InputSettings, clean_folder, name_of
from gristmill.pipelines.inputs.listing import printable
from gristmill.pipelines.plugins import entry_point, entry_point_names
from gristmill.pipelines.settings import read_settings

Inputs = tuple[InputSettings, ...]
READERS = ("gristmill.readers",)


def read_inputs(tables: Any, where: str, folder: str | Path = "") -> Inputs:
    """Return the settings of `[input]` or of each `[[input]]`; the paths of a user's reader begin in ``folder``.

    Raises RecipeError, naming the table and the key, for unknown keys and invalid values.
    """
    if tables == []:
        raise RecipeError(f"{where} [[input]]: found an empty list; expected a table for each input")
    if not isinstance(tables, list):
        return (_read_input(tables, f"{where} [input]", folder),)
    return tuple(_read_input(table, f"{where} [[input]] {n}", folder) for n, table in enumerate(tables, 1))


def _read_input(table: Any, where: str, folder: str | Path) -> InputSettings:
    settings = read_settings(InputSettings, table, where)
    if not settings.reader:
        return settings
    return settings.model_copy(update={"reader": _reader(settings.reader, folder, where)})


def with_paths(inputs: Inputs, paths: Sequence[str]) -> Inputs:
    """Return the only input with other paths; all inputs unchanged without ``paths``.

    Raises RecipeError if there are several inputs, as nothing says which of them reads the paths.
    """
    if not paths:
        return inputs
    if len(inputs) > 1:
        raise RecipeError(
            f"the recipe has {len(inputs)} [[input]] tables, and other paths replace those of a single one; "
            "change `paths` of each [[input]] in the recipe"
        )
    return (inputs[0].model_copy(update={"paths": list(paths)}),)


def other_input(inputs: Inputs, paths: Sequence[str]) -> InputSettings:
    """Return the settings to read files that are no input of the recipe: those of its only input, or the defaults."""
    settings = inputs[0] if len(inputs) == 1 else InputSettings()
    return settings.model_copy(update={"paths": list(paths)})


def check_paths(inputs: Inputs, work: str) -> None:
    """Raise RecipeError for an input that names no file, and InputError for one that names the local folder ``work``.

    Nothing has been written there yet: a run that finds this later leaves its record among the user's files.
    """
    for number, settings in enumerate(inputs):
        if not settings.paths and len(inputs) == 1:
            raise RecipeError("nothing to read: name files by --input, or by paths under [input] in the recipe")
        if not settings.paths:
            raise RecipeError(f"nothing to read: {name_of(number, inputs)} has no paths; name its files there")
        for path in map(clean_folder, settings.paths):
            if os.path.realpath(path) == os.path.realpath(work):
                raise InputError(f"{printable(path)} is written by this run; name a folder in it, or another --output")


def inputs_table(inputs: Inputs, **options: Any) -> dict[str, Any] | list[dict[str, Any]]:
    """Return the inputs as in TOML: a table, or a list of tables; ``options`` are those of ``model_dump``."""
    tables = [settings.model_dump(mode="json", **options) for settings in inputs]
    return tables[0] if len(tables) == 1 else tables


def _reader(use: str, folder: str | Path, where: str) -> str:
    """Return the name of a reader's code with an absolute path, or of the code behind an entry point."""
    if ":" not in use:
        if found := entry_point(use, READERS):
            return found
        raise RecipeError(
            f"{where}: no reader {shown(use)}; {nearest(use, entry_point_names(READERS) or ['FILE.py:FUNCTION'])}"
        )
    place, _, attribute = use.rpartition(":")
    return f"{Path(folder, place).absolute()}:{attribute}" if place.endswith(".py") else use
