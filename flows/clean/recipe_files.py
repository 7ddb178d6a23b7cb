"""Recipe files: found by path or by the name of a shipped recipe, read, and merged with the recipes they extend."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from gristmill.pipelines.errors import RecipeError, nearest, shown
from gristmill.pipelines.settings import OFF

SHIPPED = Path(__file__).resolve().parents[2] / "recipes"  # in a checkout and in the installed package
LARGEST = 10_000_000  # bytes of a recipe
DEEPEST = 32  # tables and lists in one another, and recipes that extend each other; shipped recipes have 4
EXTENDS, AFTER = "extends", "after"  # key of a recipe; key of a step that the extended recipe lacks
CODE = ("use", "reader")  # settings that name code
NAMED = ("steps", "tokenizer")  # tables of named tables, of which each may be "off"


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
    beside = sorted(str(Path(recipe).with_name(file.name)) for file in path.parent.glob("*.toml"))
    near = nearest(recipe, [*shipped, *(beside if path.suffix == ".toml" else [])])
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


def read_table(path: Path) -> dict[str, Any]:
    """Return the table of a recipe file, merged with the recipes that it extends. Raises RecipeError as `extend`."""
    return extend(read_toml(path), path.parent, str(path), (path.resolve(),))


def extend(table: dict[str, Any], folder: str | Path, where: str, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Return a recipe's table over the recipe that its key ``extends`` names: a path from ``folder``, or a shipped one.

    - Tables are merged key by key; any other value replaces the extended one, arrays too.
    - Steps keep the order of the extended recipe. New ones run last, or after the step that their key ``after`` names.
    - ``"off"`` in the place of a step or a tokenizer leaves it out.

    Raises RecipeError for a circle of recipes, and for names that the extended recipe lacks.
    """
    if EXTENDS not in table:
        return table
    table = dict(table)
    if not isinstance(name := table.pop(EXTENDS), str):
        raise RecipeError(f"{where}: {EXTENDS} names one recipe, by path or name, found {shown(name)}")
    try:
        file = find_recipe(name, folder)
    except RecipeError as error:
        raise RecipeError(f"{where} {EXTENDS}: {error}") from None
    if (real := file.resolve()) in seen or len(seen) == DEEPEST:
        chain = " -> ".join(path.name for path in (*seen, real))
        raise RecipeError(f"{where}: recipes extend each other in a circle, or more than {DEEPEST} deep: {chain}")
    base = _rooted(extend(read_toml(file), file.parent, str(file), (*seen, real)), file.parent)
    merged = _merge(base, table)
    for name in NAMED:
        if isinstance(base.get(name, {}), dict) and isinstance(table.get(name), dict):
            merged[name] = _merge_named(base.get(name, {}), table[name], merged[name], f"{where} [{name}]")
    return merged


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        inner = base.get(key)
        merged[key] = _merge(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged


def _merge_named(base: dict[str, Any], over: dict[str, Any], merged: dict[str, Any], where: str) -> dict[str, Any]:
    """Return the merged tables in order, without tables that are off."""
    names = list(base)
    for name, value in over.items():
        if name in base:
            continue
        if value == OFF:
            raise RecipeError(
                f"{where}: {shown(name)} is off, but the extended recipe lacks it; {nearest(name, names)}"
            )
        before = value.get(AFTER) if isinstance(value, dict) else None
        if before is not None and before not in names:
            raise RecipeError(f"{where} {name}: {AFTER} {shown(before)}: no such step; {nearest(str(before), names)}")
        names.insert(len(names) if before is None else names.index(before) + 1, name)
        if before is not None:
            merged[name] = {key: each for key, each in value.items() if key != AFTER}
    return {name: merged[name] for name in names if merged[name] != OFF}


def _rooted(table: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a recipe's table with absolute paths of a user's code, so that it can be part of a recipe elsewhere."""

    def root(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {key: root(each, key) for key, each in value.items()}
        if isinstance(value, list):
            return [root(each) for each in value]
        return (
            str(Path(folder, value).absolute()) if key in CODE and isinstance(value, str) and ".py:" in value else value
        )

    return {key: root(value) if key in ("input", "steps") else value for key, value in table.items()}


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


def make_change(known: dict[str, dict], change: str, form: str = "STEP.SETTING=VALUE") -> None:
    """Set one value in the tables, such as ``gopher.min_words=30``; it is parsed as TOML, else kept as a string."""
    path, equals, value = change.partition("=")
    first, *outer = (part.strip() for part in path.split("."))
    if not equals or not 0 < len(outer) < DEEPEST or first not in known:
        raise RecipeError(f"cannot set {shown(change)}: expected {form}; {nearest(first, list(known))}")
    inner: dict[str, Any] = known
    key = outer.pop()
    for part in (first, *outer):
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            raise RecipeError(f"cannot set {shown(change)}: {part} is a value, not a table")
    try:
        inner[key] = parse_toml(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        inner[key] = value.strip()
    except ValueError as error:
        raise RecipeError(f"cannot set {shown(change)}: {error}") from None
