"""Manifests of finished folders, and records of finished parts for resuming a killed run.

``manifest.json`` is written last, atomically: a folder without one is unfinished. It depends on documents and settings
alone (no times, no hosts), so folders compare byte for byte; the run's log holds seconds and rates. Until the
manifest is written, each finished part has a record under ``.progress/``, from which the next run continues.
"""

import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version

import orjson
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import atomic_write, checksum, is_local, remove_temporary_files

MANIFEST, PROGRESS = "manifest.json", ".progress"
VERSION = version("gristmill")


def fingerprint(*parts) -> str:
    """Return a hash, 32 hexadecimal digits, of JSON values and Gristmill's version."""
    text = orjson.dumps([VERSION, *parts], option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return hashlib.sha256(text).hexdigest()[:32]


@dataclass
class Part:
    """Files and counts that one job left in a folder, with the fingerprint of its inputs and settings."""

    fingerprint: str
    files: dict[str, dict] = field(default_factory=dict)  # name -> {"bytes": int, "sha256": str}
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def from_files(cls, folder: UPath, fingerprint: str, names: list[str], counts: dict) -> "Part":
        files = {n: {"bytes": (folder / n).stat().st_size, "sha256": checksum(folder / n)} for n in sorted(names)}
        return cls(fingerprint, files, {key: int(value) for key, value in sorted(counts.items())})

    def verify(self, folder: UPath) -> bool:
        """True if all files exist with the recorded sizes."""
        try:
            return all((folder / name).stat().st_size == file["bytes"] for name, file in self.files.items())
        except FileNotFoundError:
            return False

    @property
    def checksums(self) -> list[str]:
        return [f"{name} {file['sha256']}" for name, file in self.files.items()]


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

    def write(self, folder: UPath) -> None:
        """Write the manifest, which finishes the folder, then remove the records of its parts."""
        body = {"counts": dict(sorted(self.counts.items())), **self.__dict__}
        with atomic_write(folder / MANIFEST) as file:
            file.write(orjson.dumps(body, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        clear_progress(folder)

    @classmethod
    def read(cls, folder: UPath) -> "Manifest | None":
        """Read the folder's manifest; None if the folder is unfinished."""
        try:
            body = orjson.loads((folder / MANIFEST).read_bytes())
        except (FileNotFoundError, NotADirectoryError):
            return None
        except orjson.JSONDecodeError as error:
            raise WorkError(f"{folder / MANIFEST} is damaged ({error}); remove {folder} and run again") from error
        parts = {name: Part(**part) for name, part in body["parts"].items()}
        return cls(body["fingerprint"], body["settings"], parts, body["version"])


def require_finished(folder: UPath, remedy: str) -> Manifest:
    """Read the manifest of a finished folder. Raises WorkError with the remedy if the folder is unfinished."""
    manifest = Manifest.read(folder)
    if manifest is None:
        raise WorkError(f"{folder} is missing or unfinished; {remedy}")
    return manifest


def record_part(folder: UPath, name: str, part: Part) -> None:
    """Record that the part ``name`` of an unfinished folder is finished."""
    with atomic_write(folder / PROGRESS / f"{name}.json") as file:
        file.write(orjson.dumps(part))


def resume(folder: UPath, wanted: dict[str, str]) -> dict[str, Part]:
    """Prepare ``folder`` for the parts ``{name: fingerprint}`` and return the parts that are finished.

    All other files (parts of another recipe, unfinished files) are removed, in an order such that a kill at any moment
    leaves no record of a part that is incomplete. Raises WorkError if the folder contains files of someone else.
    """
    manifest, records = Manifest.read(folder), folder / PROGRESS
    ours = manifest or records.exists() or not folder.is_dir()
    if not ours and any(path.is_file() for path in folder.iterdir()):
        raise WorkError(f"{folder} holds files that are not Gristmill's; choose another --output or empty it")
    with atomic_write(records / "started"):  # marks the folder as ours
        pass
    found = dict(manifest.parts) if manifest else {}
    for path in records.iterdir():
        if path.suffix == ".json":
            found[path.stem] = Part(**orjson.loads(path.read_bytes()))
    finished = {n: p for n, p in found.items() if p.fingerprint == wanted.get(n) and p.verify(folder)}
    if manifest:
        for name, part in finished.items():
            record_part(folder, name, part)
        (folder / MANIFEST).unlink()
    for name in found.keys() - finished.keys():
        (records / f"{name}.json").unlink(missing_ok=True)
    kept = {file for part in finished.values() for file in part.files}
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_file() and path.name not in kept:
                path.unlink()
    remove_temporary_files(records)
    return finished


def clear_progress(folder: UPath) -> None:
    """Remove the records of finished parts."""
    records = folder / PROGRESS
    if records.is_dir():
        shutil.rmtree(str(records)) if is_local(records) else records.rmdir(recursive=True)
