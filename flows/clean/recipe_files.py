"""Recipe files, found by path or by the name of a shipped recipe."""

import tomllib
from pathlib import Path
from typing import Any

from gristmill.pipelines.errors import RecipeError

SHIPPED = Path(__file__).resolve().parents[2] / "recipes"  # in a checkout and in the installed package


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
    raise RecipeError(
        f"no recipe at {path}; give the path of a TOML file, or the name of a shipped recipe ({', '.join(shipped)})"
    )


def read_toml(path: Path) -> dict[str, Any]:
    """Return the table of a recipe file; raise RecipeError if it cannot be read or is not TOML."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"cannot read {path}: {error}") from None
