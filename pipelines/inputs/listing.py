"""Listing of the files that a path or pattern names. The log names everything that is left out.

- Symbolic links are followed once: a folder reached twice, or a cycle, is listed under one path.
- Pipes, sockets, devices, dangling links and folders without permission are skipped.
- Work folders, and other folders with a manifest of Gristmill, are left out unless a path names them or lies in them.
- Files that describe a dataset (DESCRIPTIONS) are ignored unless a path or pattern names them.
"""

import heapq
import logging
import os
import re
import stat
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import fsspec
import orjson
from fsspec import AbstractFileSystem

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.schema import DOCUMENTS
from gristmill.pipelines.storage.manifest import MANIFEST, PROGRESS

log = logging.getLogger(__name__)

DESCRIPTIONS = re.compile(
    r"(readme|licen[cs]e|copying|notice|citation)(\.(md|rst|te?xt))?|(dataset_(infos?|dict)|manifest|state)\.json",
    re.IGNORECASE,
)
CACHES = re.compile(r"cache-[0-9a-f]{16}(_\d+_of_\d+)?\.arrow")  # what `datasets` writes beside its data
EXAMPLES = 5  # names in one line of the log


class Found(NamedTuple):
    """Input file: its size, the version of its contents, and its path without symbolic links."""

    size: int
    version: str  # ETag or modification time; "" if unknown
    real: str


class Listing:
    """Files that one path or pattern names, and the names that were left out, by reason."""

    def __init__(self, path: str, work: str | None = None):
        """List the files; ``work`` is the folder that the run writes to. Raises InputError if there is nothing."""
        if not path:
            raise InputError("an input path is empty; name a file, a folder or a pattern")
        try:
            self.fs, inner = fsspec.url_to_fs(path)
        except (ImportError, ValueError) as error:
            raise InputError(f"{printable(path)}: {error}") from None
        self.path, self.is_local = path, "file" in self.fs.protocol
        self.work = self._output(work)
        self.left_out: dict[str, list[str]] = defaultdict(list)  # "skipped {:,} (pipe)" -> names
        self.found: dict[str, Found] = {}
        self.real_folders: dict[str, str] = {}  # of single files
        infos = {inner: self.fs.info(inner)} if self.fs.exists(inner) else self.fs.glob(inner, detail=True)
        self.is_pattern = inner not in infos or len(infos) > 1
        if not infos:
            raise InputError(f"{printable(path)}: no such file or folder, and as a pattern it matches nothing")
        for name, info in infos.items():
            self._add(name, info)
        if self.is_pattern:  # keep the part before its first wild card
            inner = inner[: min(inner.find(c) for c in "*?[" if c in inner)] + "x"
        elif inner not in self.found:
            inner += "/x"
        self.root = inner.rpartition("/")[0]  # that names are relative to
        self.folder = self._url(self.root)

    @property
    def files(self) -> dict[str, Found]:
        """Return the files by URL."""
        return {self._url(name): found for name, found in self.found.items()}

    def account(self) -> list[str]:
        """Return one line for each reason to leave files out."""
        lines = []
        for reason, names in sorted(self.left_out.items()):
            shown = [printable(name.removeprefix(f"{self.root}/")) for name in sorted(names)[:EXAMPLES]]
            more = ", …" if len(names) > EXAMPLES else ""
            lines.append(f"{reason.format(len(names))}: {', '.join(shown)}{more}")
        return lines

    def _url(self, name: str) -> str:
        return name if self.is_local else self.fs.unstrip_protocol(name)

    def _add(self, name: str, info: dict) -> None:
        """Add a file, or the files below a folder."""
        if self.work and self._is_output(name):
            self._leave_out("written by this run", name)
        elif self.is_local:
            self._add_local(name, info)
        elif info["type"] == "directory":
            self._add_folder(name, {n: found_in_store(n, i) for n, i in self.fs.find(name, detail=True).items()})
        else:
            self.found[name] = found_in_store(name, info)

    def _add_local(self, name: str, info: dict) -> None:
        if info["type"] == "file" and not info["islink"]:  # nearly always; saves a call of stat
            self.found[name] = _found(self._real(name), info["size"], info["mtime"], info["mode"])
            return
        status = _status(name)
        if status and stat.S_ISDIR(status.st_mode):
            self._add_folder(name, dict(self._walk(name)))
        elif status and stat.S_ISREG(status.st_mode):
            self.found[name] = _found_now(os.path.realpath(name), status)
        else:
            self.left_out[f"skipped {{:,}} ({_special(status)})"].append(name)

    def _real(self, name: str) -> str:
        """Return the path of a local file without links. The folder's is kept: to find it takes 50 µs."""
        folder, _, last = name.rpartition("/")
        if (real := self.real_folders.get(folder)) is None:
            real = self.real_folders[folder] = os.path.realpath(folder or "/").rstrip("/")
        return f"{real}/{last}"

    def _add_folder(self, name: str, below: dict[str, Found]) -> None:
        left = self._made(name, below)
        if name in left:
            self._leave_out("a work folder", name)
            return
        if self.work.startswith(f"{name}/"):
            log.info("%s: left out, as this run writes to it", printable(self.work))
            left.add(self.work)
        prefixes = tuple(f"{folder}/" for folder in left)
        for file, found in below.items():
            if file.startswith(prefixes) or "/." in file.removeprefix(name):  # made by us, or hidden
                continue
            if file == f"{name}/{MANIFEST}" and self._is_manifest(file):  # ours: not worth a line
                continue
            if CACHES.fullmatch(file, file.rfind("/") + 1):
                self.left_out["ignored {:,} (caches of a dataset; to read one, name it)"].append(file)
            elif DESCRIPTIONS.fullmatch(file, file.rfind("/") + 1):
                self.left_out["ignored {:,} (describe a dataset; to read one, name it)"].append(file)
            else:
                self.found[file] = found

    def _output(self, work: str | None) -> str:
        """Return the path of the work folder, or "" if the run has none on this file system."""
        fs, name = fsspec.url_to_fs(work) if work else (None, "")
        return name if isinstance(fs, type(self.fs)) else ""

    def _leave_out(self, what: str, name: str) -> None:
        """Leave out a match of a pattern. Raises InputError for a path that was named."""
        if not self.is_pattern:
            raise InputError(f"{printable(name)} is {what}; name a folder in it, or another --output")
        self.left_out[f"left out {{:,}} ({what})"].append(name)

    def _is_output(self, name: str) -> bool:
        """True for the output folder and for everything in a folder there that a run made."""
        inside = name.removeprefix(f"{self.work}/")
        return name == self.work or (inside != name and self._is_made(f"{self.work}/{inside.partition('/')[0]}"))

    def _walk(self, root: str) -> Iterator[tuple[str, Found]]:
        """Yield the files below a local folder. Links to folders come last, so that a folder keeps its own path."""
        folders, seen = [(root, os.path.realpath(root))], set()
        links: list[tuple[str, str]] = []  # a heap
        work = os.path.realpath(self.work) if self.work else None
        while folders or links:
            path, real = folders.pop() if folders else heapq.heappop(links)
            if real in seen or real == work:
                continue
            seen.add(real)
            try:
                entries = os.scandir(path)
            except OSError as error:
                self.left_out[f"skipped {{:,}} ({error.strerror})"].append(path)
                continue
            with entries:
                for entry in entries:
                    if entry.name[0] == "." and entry.name != PROGRESS:
                        continue
                    is_link = entry.is_symlink()
                    target = os.path.realpath(entry.path) if is_link else f"{real}/{entry.name}"
                    try:
                        if entry.is_file():
                            yield entry.path, _found_now(target, entry.stat())
                        elif not entry.is_dir():
                            self.left_out[f"skipped {{:,}} ({_special(_status(entry.path))})"].append(entry.path)
                        elif is_link:
                            heapq.heappush(links, (entry.path, target))
                        else:
                            folders.append((entry.path, target))
                    except OSError as error:  # removed meanwhile, or a link to itself
                        self.left_out[f"skipped {{:,}} ({error.strerror})"].append(entry.path)

    def _made(self, root: str, below: dict[str, Found]) -> set[str]:
        """Return the folders that a run of Gristmill made: the root, if it is a work folder, or folders below it."""
        made = {name.rpartition("/")[0] for name in below if name.endswith(f"/{MANIFEST}") and self._is_manifest(name)}
        made |= {name.partition(f"/{PROGRESS}/")[0] for name in below if f"/{PROGRESS}/" in name}
        made = {folder.removesuffix(f"/{DOCUMENTS}") for folder in made - {root}}
        made = {folder for folder in made if not any(folder.startswith(f"{other}/") for other in made)}
        if below_root := {folder for folder in made if folder.startswith(f"{root}/")}:
            self.left_out["left out {:,} (made by Gristmill; to read one, name it)"] += below_root
        return made

    def _is_made(self, folder: str) -> bool:
        return self._is_manifest(f"{folder}/{MANIFEST}") or self.fs.exists(f"{folder}/{PROGRESS}")

    def _is_manifest(self, name: str) -> bool:
        try:
            body = orjson.loads(self.fs.cat_file(name))
        except (OSError, orjson.JSONDecodeError):
            return False
        return isinstance(body, dict) and {"fingerprint", "parts", "version"} <= body.keys()


def look_up(fs: AbstractFileSystem, name: str) -> Found:
    """Return size and version of one file as they are now. Raises FileNotFoundError if it does not exist."""
    if "file" in fs.protocol:
        return _found_now(name, os.stat(name))
    info = fs.info(name)  # has times in other forms than a listing, so only an ETag is a version here
    return found_in_store(name, {key: info[key] for key in ("size", "ETag", "etag") if key in info})


def found_in_store(name: str, info: dict) -> Found:
    """Convert what a store tells about a file."""
    version = next((str(info[key]) for key in ("ETag", "etag", "mtime", "LastModified", "created") if key in info), "")
    return Found(info["size"] or 0, version.strip('"'), name)


def as_text(name: str) -> str:
    """Return a file name as text that ids can hold: bytes that are not UTF-8 become ``\\xff``.

    >>> as_text("caf\\udce9.txt")
    'caf\\\\xe9.txt'
    """
    return name if name.isascii() else name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def printable(name: str) -> str:
    """Return a file name for messages: one line, with control characters as escapes.

    >>> printable("two\\nlines\\x1b[31m.txt")
    'two\\\\nlines\\\\x1b[31m.txt'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in as_text(name))


def _found_now(real: str, status: os.stat_result) -> Found:
    return _found(real, status.st_size, status.st_mtime, status.st_mode)


def _found(real: str, size: int, mtime: float, mode: int) -> Found:
    # chmod changes no time, so a file that becomes readable gets another version.
    readable = mode & stat.S_IROTH or os.access(real, os.R_OK)
    return Found(size, str(mtime) if readable else "unreadable", real)


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _special(status: os.stat_result | None) -> str:
    """Return the kind of a path that is neither a file nor a folder."""
    if status is None:
        return "dangling link"
    return "pipe" if stat.S_ISFIFO(status.st_mode) else "socket" if stat.S_ISSOCK(status.st_mode) else "device"
