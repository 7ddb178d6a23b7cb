"""Receipt of a finished run: its request and its results, so that the same command, run again, plans nothing.

The plan of a run imports every step with its kernels: 1.2 CPU seconds to find that there is nothing to do. A receipt
answers by sizes, times and checksums of manifests alone. Whatever it does not fit is left to the plan: other
settings, code or input, a folder that another run has changed, and each recipe whose steps may read other files.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from upath import UPath

from gristmill.flows.clean.recipe_files import find_recipe, parse_toml, read_table
from gristmill.flows.engine.run_lock import RECIPE, SUMMARY, exclusive_run
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.ingest.input_versions import read_versions, versions_of
from gristmill.pipelines.inputs.input_tables import read_inputs, with_paths
from gristmill.pipelines.inputs.inputs import find_inputs
from gristmill.pipelines.sources import CHECKOUT, ROOT
from gristmill.pipelines.storage.files import checksum, is_local
from gristmill.pipelines.storage.manifest import MANIFEST, Manifest, fingerprint
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed

RECEIPT = "receipt.json"  # in the work folder
OWN_TABLES = {"name", "about", "input", "steps", "output"}  # of a recipe that reads no files but its input
PATH_MARKS = "/\\.:"  # in names of files, code, models and datasets


def request_of(recipe: str, changes: tuple[str, ...], paths: tuple[str, ...], profiles: tuple[str, ...]) -> str:
    """Return a fingerprint of a request; "" if its steps may read files, whose contents only the plan compares."""
    file = find_recipe(recipe)
    table = read_table(file)
    read = table.get("input", {})
    given = [*_texts(table.get("steps")), *(text for change in changes for text in _texts(_value(change)))]
    names_files = any(set(text) & set(PATH_MARKS) or Path(file.parent, text).exists() for text in given)
    other = table.keys() - OWN_TABLES or not isinstance(read, dict) or "reader" in read
    if profiles or other or names_files or any(change.startswith("input") for change in changes):
        return ""
    return fingerprint(table, changes, paths, _code())


def write_receipt(work: UPath, request: str, folders: list[UPath]) -> None:
    """Record a finished run with its folders; the caller holds the lock of the work folder."""
    if request and is_local(work):
        manifests = {str(folder.relative_to(work)): checksum(folder / MANIFEST) for folder in folders}
        write_sealed(work / RECEIPT, {"request": request, "manifests": manifests})


def unchanged(request: str, recipe: str, paths: tuple[str, ...], work: UPath) -> dict | None:
    """Return the summary of the finished run that a request would repeat; None if there may be anything to do.

    Raises as `clean` does if the work folder is in use or the input is missing.
    """
    if not request or not is_local(work) or _read(work / RECEIPT).get("request") != request:
        return None
    inputs = with_paths(read_inputs(read_table(find_recipe(recipe)).get("input", {}), recipe), paths)
    files = [file for found in find_inputs(inputs, str(work)) for file in found]
    if any(file.format == "hf" for file in files) or versions_of(files) != read_versions(work):
        return None
    with exclusive_run(work, recipe=_read(work / RECIPE)):
        manifests, summary = _read(work / RECEIPT).get("manifests", {}), _read(work / SUMMARY)
        fits = manifests and all(_is_as(work / name, seal) for name, seal in manifests.items())
        return summary if fits and summary and (work / RECIPE).exists() else None


def _is_as(folder: UPath, seal: str) -> bool:
    """True if a folder has the manifest of a checksum, and its files have their sizes."""
    try:
        manifest = Manifest.read(folder) if checksum(folder / MANIFEST) == seal else None
    except FileNotFoundError:
        return False
    return manifest is not None and all(part.has_files(folder) for part in manifest.parts.values())


def _read(path: UPath) -> dict:
    """Return a sealed file; {} if it is missing or damaged, of which the plan tells."""
    try:
        return read_sealed(path, "")
    except (OSError, WorkError):
        return {}


def _value(change: str) -> Any:
    """Return the value that ``STEP.SETTING=VALUE`` sets."""
    value = change.partition("=")[2]
    try:
        return parse_toml(f"value = {value}")["value"]
    except ValueError:
        return value.strip()


def _texts(value: Any) -> Iterator[str]:
    """Yield every text inside a value of TOML."""
    if isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _code() -> list:
    """Return names, sizes and times of all files of a checkout's rooms; an installed package has its version."""
    if not CHECKOUT:
        return []
    found = []
    for room in sorted({path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} | {"recipes"}):
        for folder, inner, names in os.walk(ROOT / room):
            inner[:] = sorted(set(inner) - {"__pycache__"})
            for name in sorted(names):
                status = os.stat(os.path.join(folder, name))
                found.append([folder, name, status.st_size, status.st_mtime_ns])
    return found
