"""Manifests of finished folders, and records of finished parts for resuming a killed run.

``manifest.json`` is written last, atomically: a folder without one is unfinished. It depends on documents and settings
alone (no times, no hosts), so folders compare byte for byte; the run's log holds seconds and rates. Until the
manifest is written, each finished part has a record under ``.progress/``, from which the next run continues. Manifests
and records are sealed (sealed.py), and hold the checksum by which a reader of a part knows that no bit has changed.
"""

import hashlib
import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Annotated

import orjson
from pydantic import AfterValidator, TypeAdapter, ValidationError
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import (
    atomic_write,
    current_checksum,
    damage_of,
    is_local,
    remove_temporary_files,
    verify_files,
)
from gristmill.pipelines.storage.partitions import files_below, is_partition
from gristmill.pipelines.storage.sealed import read_sealed, write_sealed

MANIFEST, PROGRESS = "manifest.json", ".progress"
VERSION = version("gristmill")


def fingerprint(*parts) -> str:
    """Return a hash, 32 hexadecimal digits, of JSON values and Gristmill's version."""
    text = orjson.dumps([VERSION, *parts], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.sha256(text).hexdigest()[:32]


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"the file {name!r} lies outside its folder")
    return name


def _size_and_checksum(file: dict) -> dict:
    size, sha256 = file.get("bytes"), file.get("sha256")
    if type(size) is not int or size < 0 or not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"found {file}, expected a size in bytes and a SHA-256")
    return file


Name = Annotated[str, AfterValidator(_inside)]
Entry = Annotated[dict, AfterValidator(_size_and_checksum)]


@dataclass
class Part:
    """Files and counts that one job left in a folder, with the fingerprint of its inputs and settings."""

    fingerprint: str
    files: dict[Name, Entry] = field(default_factory=dict)  # name -> {"bytes": int, "sha256": str}
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_files(cls, folder: UPath, fingerprint: str, names: list[str], counts: dict) -> "Part":
        paths = {name: folder / name for name in sorted(names)}
        files = {n: {"bytes": path.stat().st_size, "sha256": current_checksum(path)} for n, path in paths.items()}
        return cls(fingerprint, files, {key: int(value) for key, value in sorted(counts.items())})

    def has_files(self, folder: UPath) -> bool:
        """True if all files exist with the recorded sizes; `verify_files` compares their contents."""
        try:
            return all((folder / name).stat().st_size == file["bytes"] for name, file in self.files.items())
        except FileNotFoundError:
            return False

    def is_intact(self, folder: UPath) -> bool:
        """True if all files have the recorded contents."""
        return self.has_files(folder) and not any(
            damage_of(folder / name, file["sha256"]) for name, file in self.files.items()
        )


@dataclass
class Manifest:
    """Contents of a finished folder."""

    fingerprint: str
    settings: dict
    parts: dict[str, Part]
    version: str = VERSION

    @property
    def counts(self) -> Counter:
        return sum((Counter(part.counts) for part in self.parts.values()), Counter())

    @property
    def files(self) -> dict[str, dict]:
        return {name: file for _, part in sorted(self.parts.items()) for name, file in part.files.items()}

    def verify(self, folder: UPath) -> None:
        """Raise WorkError if a file is missing or its content differs from the recorded one."""
        verify_files((folder / name, file["sha256"]) for name, file in self.files.items())

    def write(self, folder: UPath) -> None:
        """Write the manifest, which finishes the folder, then remove the records of its parts."""
        body = {"counts": self.counts, **self.__dict__}
        write_sealed(folder / MANIFEST, body, orjson.OPT_SORT_KEYS)
        clear_progress(folder)

    @classmethod
    def read(cls, folder: UPath) -> "Manifest | None":
        """Read the folder's manifest; None if the folder is unfinished. Raises WorkError if the manifest is damaged."""
        remedy = f"remove {folder} and run again the command that made it"
        try:
            body = read_sealed(folder / MANIFEST, remedy)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            manifest = _reader(Manifest).validate_python(body)
        except ValidationError as error:
            first = error.errors()[0]
            message = first["msg"].removeprefix("Value error, ")
            place = ".".join(map(str, first["loc"]))
            raise WorkError(f"{folder / MANIFEST} is damaged: {place}: {message}; {remedy}") from None
        if body.get("counts") != manifest.counts:
            found, expected = body.get("counts"), dict(manifest.counts)
            raise WorkError(f"{folder / MANIFEST} is damaged: found counts {found}, expected {expected}; {remedy}")
        return manifest


@cache
def _reader(kind: type) -> TypeAdapter:
    return TypeAdapter(kind)


def require_finished(folder: UPath, remedy: str) -> Manifest:
    """Read the manifest of a finished folder. Raises WorkError with the remedy if the folder is unfinished."""
    manifest = Manifest.read(folder)
    if manifest is None:
        raise WorkError(f"{folder} is missing or unfinished; {remedy}")
    return manifest


def record_part(folder: UPath, name: str, part: Part) -> None:
    """Record that the part ``name`` of an unfinished folder is finished."""
    write_sealed(folder / PROGRESS / f"{name}.json", part.__dict__)


def resume(
    folder: UPath, wanted: dict[str, str], joint: Callable[[Part], bool] = lambda part: False
) -> dict[str, Part]:
    """Prepare ``folder`` for the parts ``{name: fingerprint}`` and return the parts that are finished.

    Parts that are ``joint`` were changed by each other when the folder was finished: if the folder has lost a part or
    gets another one, they count as lost, too.

    All other files (parts of another recipe, damaged and unfinished files) are removed, in an order such that a kill at
    any moment leaves no record of a part that is incomplete. Raises WorkError if the folder contains files of someone
    else.
    """
    manifest, records = Manifest.read(folder), folder / PROGRESS
    ours = manifest or records.exists() or not folder.is_dir()
    if not ours and files_below(folder):
        raise WorkError(f"{folder} holds files that are not Gristmill's; choose another --output or empty it")
    with atomic_write(records / "started"):  # marks the folder as ours
        pass
    found = dict(manifest.parts) if manifest else {}
    for path in records.iterdir():
        if path.suffix == ".json":
            found[path.stem] = Part(**read_sealed(path, "remove it and run again"))
    fitting = {n: p for n, p in found.items() if p.fingerprint == wanted.get(n)}
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        intact = threads.map(lambda part: part.is_intact(folder), fitting.values())
        finished = {name: part for (name, part), whole in zip(fitting.items(), intact, strict=True) if whole}
    if finished.keys() != found.keys() | wanted.keys():
        finished = {name: part for name, part in finished.items() if not joint(part)}
    if manifest:
        for name, part in finished.items():
            record_part(folder, name, part)
        (folder / MANIFEST).unlink()
    for name in found.keys() - finished.keys():
        (records / f"{name}.json").unlink(missing_ok=True)
    kept = {str(folder / file) for part in finished.values() for file in part.files}
    for path in files_below(folder):
        if str(path) not in kept:
            path.unlink()
    for path in folder.iterdir() if is_local(folder) else ():
        if is_partition(path) and not any(path.iterdir()):
            path.rmdir()
    remove_temporary_files(records.iterdir())
    return finished


def clear_progress(folder: UPath) -> None:
    """Remove the records of finished parts, after the files that workers which died left unfinished."""
    records = folder / PROGRESS
    if records.is_dir():
        if is_local(folder):
            remove_temporary_files(files_below(folder))
        shutil.rmtree(str(records)) if is_local(records) else records.rmdir(recursive=True)
