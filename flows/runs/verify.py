"""Verification of a finished folder: its manifests, sizes and checksums, and files that no manifest lists."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import orjson
from upath import UPath

from gristmill.filters.ngram.model import HEAD, stored_digest
from gristmill.flows.engine.run_lock import RECIPE, SUMMARY
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.ingest.input_versions import INPUTS
from gristmill.pipelines.storage.files import TEMPORARY, checksum
from gristmill.pipelines.storage.manifest import MANIFEST, PROGRESS, Manifest
from gristmill.pipelines.storage.partitions import is_partition
from gristmill.pipelines.storage.sealed import read_sealed

INTACT, DAMAGED, UNFINISHED = "intact", "damaged", "unfinished"
SEALED = (
    RECIPE,
    SUMMARY,
    INPUTS,
    "report.json",
    "plan.json",
    "impact.json",
    "certificate.json",
)  # of a run or an experiment
REMEDY = "remove it and run again the command that made it"


class Check(NamedTuple):
    """File to hash, with what its folder's manifest, the JSON beside it or its own head says of it."""

    path: UPath
    bytes: int
    sha256: str
    start: int = 0  # first byte that is hashed

    def problem(self) -> str:
        """Return the damage of the file, "" if it has none. It is hashed even if it was hashed before."""
        try:
            size = self.path.stat().st_size
            found = checksum(self.path, self.start) if size == self.bytes else ""
        except OSError as error:
            return f"{self.path} cannot be read ({error.strerror or error}); {REMEDY}"
        if size != self.bytes:
            return f"{self.path} has {size:,} bytes, expected {self.bytes:,}; {REMEDY}"
        differs = f"its SHA-256 is {found[:16]}…, expected {self.sha256[:16]}…"
        return "" if found == self.sha256 else f"{self.path} is damaged: {differs}; {REMEDY}"


class FolderCheck(NamedTuple):
    """State of a folder that has a manifest, or of one that a run has not finished."""

    name: str  # relative to the verified folder
    state: str
    files: int
    bytes: int
    problems: list[str]


class Verification(NamedTuple):
    """Folders with their problems, and the files that have no checksum anywhere: logs, pages, exports."""

    folders: list[FolderCheck]
    unchecked: list[str]

    @property
    def problems(self) -> list[str]:
        return [problem for folder in self.folders for problem in folder.problems]


class _Found(NamedTuple):
    checks: list[Check]
    problems: list[str]
    unchecked: list[str]


def verify(folder: UPath, advance: Callable[[int, int], None] = lambda done, total: None) -> Verification:
    """Verify a folder and all folders in it; ``advance(bytes, total)`` is called after each file.

    Raises WorkError if nothing in the folder is finished.
    """
    below = dict(walk(folder))
    found = {path: _look(path, names) for path, names in below.items()}
    if not any(MANIFEST in names or found[path].checks for path, names in below.items()):
        raise WorkError(f"{folder} holds nothing finished; name a work folder, tokens, a tokenizer or a model's run")
    total = sum(check.bytes for each in found.values() for check in each.checks)
    listed = {str(check.path) for each in found.values() for check in each.checks}
    folders, unchecked = [], []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for path, each in found.items():
            for check, problem in zip(each.checks, threads.map(Check.problem, each.checks), strict=True):
                each.problems.extend([problem] if problem else [])
                advance(check.bytes, total)
            unchecked += [_relative(path / name, folder) for name in each.unchecked if str(path / name) not in listed]
            state = DAMAGED if each.problems else UNFINISHED if PROGRESS in below[path] else INTACT
            if each.problems or each.checks or MANIFEST in below[path] or state == UNFINISHED:
                size = sum(check.bytes for check in each.checks)
                folders.append(FolderCheck(_relative(path, folder), state, len(each.checks), size, each.problems))
    return Verification(folders, sorted(unchecked))


def walk(folder: UPath) -> Iterator[tuple[UPath, list[str]]]:
    """Yield a folder and each folder in it, with the names of its files.

    The records of an unfinished folder count as one file. Files of partitions, which have no manifest of their own,
    count as files of the folder around them. Links to folders count as files too: they may lead out of the folder, or
    around in it.
    """
    names: list[str] = []
    folders: list[UPath] = []
    for path in sorted(folder.iterdir(), key=lambda path: path.name) if folder.is_dir() else ():
        if is_partition(path):
            names += sorted(f"{path.name}/{each.name}" for each in path.iterdir())
        elif path.is_dir() and not path.is_symlink() and path.name != PROGRESS:
            folders.append(path)
        else:
            names.append(path.name)
    yield folder, names
    for path in folders:
        yield from walk(path)


def _look(folder: UPath, names: list[str]) -> _Found:
    """Return the files of one folder that have a checksum, the problems of its manifest, and all other files."""
    others = [name for name in names if name not in (MANIFEST, PROGRESS) and TEMPORARY not in name]
    if MANIFEST not in names:
        return _look_at_single_files(folder, others)
    try:
        manifest = Manifest.read(folder)
    except WorkError as error:
        return _Found([], [str(error)], [])
    assert manifest
    checks = [Check(folder / name, file["bytes"], file["sha256"]) for name, file in manifest.files.items()]
    prints = [manifest.fingerprint, *(part.fingerprint for part in manifest.parts.values())]
    wrong = [each for each in prints if not re.fullmatch("[0-9a-f]{32}", each)]
    problems = [f"{folder / MANIFEST} has the fingerprint {each!r}, expected 32 hexadecimal digits" for each in wrong]
    unlisted = [name for name in others if name not in manifest.files]
    suffixes = {name.rpartition(".")[2] for name in manifest.files} - {"json"}  # JSON: exports and notes
    strays = [name for name in unlisted if name.rpartition(".")[2] in suffixes]
    problems += [
        f"{folder / name} is not in {MANIFEST}; remove it, or readers of the folder may use it" for name in strays
    ]
    return _Found(checks, problems, [name for name in unlisted if name not in strays])


def _look_at_single_files(folder: UPath, names: list[str]) -> _Found:
    """Return the same for a folder without manifest: a run's recipe and summary, classifiers, n-gram models."""
    checks, problems, unchecked = [], [], []
    for name in names:
        try:
            if name in SEALED:
                read_sealed(folder / name, REMEDY)
            elif f"{name}.json" in names and (sha256 := _sha256(folder / f"{name}.json")):
                checks.append(Check(folder / name, (folder / name).stat().st_size, sha256))
            elif (folder / name).is_file() and (sha256 := stored_digest(folder / name)):
                checks.append(Check(folder / name, (folder / name).stat().st_size, sha256, HEAD))
            else:
                unchecked.append(name)
        except WorkError as error:
            problems.append(str(error))
    if "ledger" in {path.name for path in folder.iterdir()}:
        missing = {RECIPE, SUMMARY} - {*names}
        problems += [f"{folder / name} is missing; run `gristmill clean` again" for name in sorted(missing)]
    return _Found(checks, problems, unchecked)


def _sha256(path: UPath) -> str:
    """Return the checksum of a model that the JSON beside it holds, "" without one."""
    try:
        about = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise WorkError(f"{path} is damaged ({error}); {REMEDY}") from None
    return about.get("sha256", "") if isinstance(about, dict) else ""


def _relative(path: UPath, folder: UPath) -> str:
    return str(path)[len(str(folder)) :].lstrip("/") or "."
