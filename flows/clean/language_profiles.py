"""Language profiles that a recipe names: files that `gristmill profile` writes, or files of the same form by hand.

``profiles = ["profiles"]`` in a recipe names files and folders of files. Reading the recipe gives each step the tables
of its filter, as ``[steps.gopher.profiles.sw]`` would: a finished run holds all thresholds, and needs no file.
"""

from pathlib import Path
from typing import Any

from gristmill.filters.langid.labels import language_of
from gristmill.filters.registry import FILTERS
from gristmill.filters.rules.gopher import Gopher
from gristmill.flows.clean.recipe_files import read_toml
from gristmill.pipelines.errors import RecipeError, nearest, shown
from gristmill.pipelines.settings import OFF, read_settings

LANGUAGES, STOP_WORDS = "languages", "stop_words"


def read_profiles(paths: Any, where: str) -> dict[str, dict[str, dict]]:
    """Return language label -> filter -> settings, from files or folders of ``*.toml``.

    Raises RecipeError for a file that is no profile, and for two of the same language.
    """
    paths = [paths] if isinstance(paths, str) else paths
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise RecipeError(f"{where}: profiles must be files or folders, found {shown(paths)}")
    found: dict[str, dict[str, dict]] = {}
    for file in (file for path in paths for file in _files(path, where)):
        languages, tables = _read(file)
        for language in languages:
            if language in found:
                raise RecipeError(f"{file}: another file of the recipe is a profile of {language!r}, too; keep one")
            found[language] = tables
    return found


def give_profiles(steps: dict[str, Any], profiles: dict[str, dict[str, dict]]) -> None:
    """Add the profiles to the tables of a recipe's steps.

    A profile in the recipe itself takes precedence, and a rule that the recipe switches off stays off. Published
    variants, and steps without ``use_profiles``, get none.
    """
    for name, values in steps.items():
        if not isinstance(values, dict) or values.get("variant", "gristmill") != "gristmill":
            continue
        own = values.get("profiles", {})
        if isinstance(own, dict) and values.get("use_profiles", True):
            kind = values.get("use", name)
            off = {key for key, value in values.items() if value == OFF or value is None}
            given = {
                language: {key: value for key, value in tables[kind].items() if key not in off}
                for language, tables in profiles.items()
                if kind in tables
            }
            if given:
                values["profiles"] = own | {each: given[each] | own.get(each, {}) for each in given}


def _files(path: str, where: str) -> list[Path]:
    if not Path(path).is_dir():
        return [Path(path)]
    if files := sorted(Path(path).glob("*.toml")):
        return files
    raise RecipeError(f"{where}: {path} has no *.toml; `gristmill profile CORPUS --output {path}` writes profiles")


def _read(file: Path) -> tuple[list[str], dict[str, dict]]:
    """Return the languages of a file and its tables; the stop words are a setting of Gopher's."""
    tables = read_toml(file)
    languages, words = tables.pop(LANGUAGES, None), tables.pop(STOP_WORDS, [])
    if not isinstance(languages, list) or not languages or any(each != _label(each) for each in languages):
        form = f'{LANGUAGES} = ["sw"], labels of the language step'
        raise RecipeError(f"{file}: expected {form}, found {shown(languages)}")
    if words:
        tables[Gopher.NAME] = {STOP_WORDS: words, **tables.get(Gopher.NAME, {})}
    for name, values in tables.items():
        if name not in FILTERS:
            raise RecipeError(f"{file}: no filter {name!r}; {nearest(name, sorted(FILTERS))}")
        read_settings(FILTERS[name], values, f"{file} [{name}]")
        read_settings(FILTERS[name], {"profiles": {languages[0]: values}}, f"{file} [{name}]")
    return languages, tables


def _label(language: Any) -> str | None:
    return language_of(language) if isinstance(language, str) else None
