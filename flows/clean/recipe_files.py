"""Recipe files, found by path or by the name of a shipped recipe."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import OFF, nearest, shown

SHIPPED = Path(__file__).resolve().parents[2] / "recipes"  # in a checkout and in the installed package
LARGEST = 10_000_000  # bytes of a recipe
DEEPEST = 32  # tables and lists in one another; shipped recipes have 4


def shipped_recipes() -> dict[str, Path]:
    """Return name -> file of each recipe that ships with Gristmill."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def find_recipe(recipe: str, folder: str | Path = "") -> Path:
    """Return the file of a recipe: a path (from ``folder``), or the name of a shipped recipe.

    A file wins over a shipped recipe of the same name. Raises RecipeError if neither exists.
    """
    path, shipped = Path(folder, recipe), shipped_recipes()
    if path.exists() and not (path.is_dir() and recipe in shipped):
        return path
    if recipe in shipped:
        return shipped[recipe]
    near = nearest(recipe, list(shipped))
    raise RecipeError(f"no recipe at {path}; give the path of a TOML file, or the name of a shipped recipe: {near}")


def read_toml(path: Path) -> dict[str, Any]:
    """Return the table of a recipe file; raise RecipeError if it cannot be read or is not TOML."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ValueError(f"it is larger than {LARGEST:,} bytes")
        return parse_toml(text.decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read {path}: {error}") from None
    except ValueError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from None


def parse_toml(text: str) -> dict[str, Any]:
    """Return the table of a TOML text; raise ValueError if it is none, or holds what no setting can be."""
    try:
        level: list[Any] = [table := tomllib.loads(text)]
    except tomllib.TOMLDecodeError:
        raise
    except (ValueError, RecursionError):  # Python's own limits
        raise ValueError("it has a number of thousands of digits, or thousands of brackets") from None
    for _ in range(DEEPEST + 1):
        tables = [each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)]
        level = [value for each in tables for value in each]
        if any(isinstance(value, int) and abs(value) >= 1 << 64 for value in level):
            raise ValueError("it has a number beyond 64 bits")
        if not level:
            return table
    raise ValueError(f"it has tables or lists nested more than {DEEPEST} deep")


def as_changes(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Return settings as changes of a recipe, whose values are TOML. Raises RecipeError for a value of another kind.

    >>> as_changes({"gopher.min_words": 30, "language.languages": ["en"], "c4.min_sentences": None})
    ('gopher.min_words=30', 'language.languages=["en"]', 'c4.min_sentences="off"')
    """
    try:
        return tuple(f"{name}={_toml(value)}" for name, value in settings.items())
    except TypeError as error:
        raise RecipeError(f"cannot set {shown(dict(settings))}: {error}") from None


def _toml(value: Any) -> str:
    """Return a value as TOML, which writes numbers, strings and booleans as JSON does."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(str(key))} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple | set):
        return "[" + ", ".join(map(_toml, value)) + "]"
    if isinstance(value, float):
        return repr(float(value))  # inf and nan, too
    text = OFF if value is None else os.fspath(value) if isinstance(value, os.PathLike) else value
    return orjson.dumps(text, option=orjson.OPT_SERIALIZE_NUMPY).decode().replace("\x7f", "\\u007f")
