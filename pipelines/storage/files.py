"""Paths on any file system, atomic writes, and checksums."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from gristmill.pipelines.errors import WorkError

if TYPE_CHECKING:  # its import takes as long as numpy's
    from upath import UPath

FULL = errno.ENOSPC, errno.EDQUOT, errno.EFBIG
TEMPORARY = ".tmp-"  # part of the name of an unfinished file


def to_path(path: "str | os.PathLike | UPath") -> "UPath":
    """Return a path on the file system of its URL: ``/data``, ``s3://bucket/key``, ``memory://x``.

    Listings of stores are not cached, since other processes write to them. Raises WorkError for a file system that is
    unknown or whose package is not installed.
    """
    from upath import UPath

    try:
        found = UPath(path)
        if not is_local(found):
            found = UPath(found, use_listings_cache=False)
            _ = found.fs
    except (ImportError, ValueError) as error:
        hint = "; pip install 'gristmill[s3]'" if str(path).startswith("s3:") else ""
        raise WorkError(f"{path}: {error}{hint}") from None
    return found


def is_local(path: "UPath") -> bool:
    return path.protocol in ("", "file", "local")


@contextmanager
def atomic_write(path: "UPath") -> Iterator[BinaryIO]:
    """Open ``path`` for writing; the file appears, or is replaced, only if the block succeeds.

    Local files are written under a temporary name and renamed; object stores publish an object when it is closed. A
    device or a pipe, such as ``/dev/null``, is written to and never replaced. Raises WorkError if the path is not
    writable or the disk is full.
    """
    if is_local(path) and path.exists() and not path.is_file() and not path.is_dir():
        with _told(path), path.open("wb") as file:
            yield file
        return
    written = path.parent / f"{path.name}{TEMPORARY}{os.getpid()}" if is_local(path) else path
    try:
        with _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with written.open("wb") as file:
                yield file
            if written != path:
                os.replace(str(written), str(path))
    except BaseException:
        with suppress(OSError):
            written.unlink()
        raise


def told(error: OSError) -> str:
    """Return what went wrong with which file, and what to do about it."""
    place = "" if error.filename is None else f"{error.filename}: "
    remedy = "free space or name another output" if error.errno in FULL else "correct the cause"
    return f"{place}{error.strerror or error}; {remedy}"


def mapped_array(path: str | os.PathLike, dtype: Any, size: int) -> np.ndarray:
    """Create a file for an array of ``size`` > 0 values and map it for writing.

    The space is taken first: on a full disk a mapped page that cannot be written would end the process (SIGBUS).
    Raises OSError instead.
    """
    with open(path, "wb") as file:
        if reserve := getattr(os, "posix_fallocate", None):  # macOS has none
            reserve(file.fileno(), 0, size * np.dtype(dtype).itemsize)
        else:
            file.truncate(size * np.dtype(dtype).itemsize)
    return np.memmap(path, dtype, "r+", shape=size)


@contextmanager
def _told(path: "UPath") -> Iterator[None]:
    """Turn errors of the file system into a WorkError."""
    try:
        yield
    except OSError as error:
        raise WorkError(f"cannot write {path}: {error.strerror or error}; free space or name another output") from error


def link_or_copy(source: "UPath", target: "UPath") -> None:
    """Make ``target`` a hard link to a finished file if the file system can; else copy it atomically."""
    if is_local(source) and is_local(target):
        with suppress(OSError):  # another file system, or one without links
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            os.link(str(source), str(target))
            return
    with atomic_write(target) as file, source.open("rb") as content:
        shutil.copyfileobj(content, file, 1 << 24)


def remove_temporary_files(paths: Iterable["UPath"]) -> None:
    """Remove those of the files that a killed process did not finish."""
    for path in paths:
        if TEMPORARY in path.name:
            path.unlink(missing_ok=True)


def checksum(path: "UPath", start: int = 0) -> str:
    """Return the SHA-256 of a file's bytes from ``start`` on, in hexadecimal."""
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.file_digest(cast(BufferedIOBase, file), "sha256").hexdigest()


_HASHED: dict[str, tuple] = {}  # path -> size, time, inode and SHA-256 of a file when this process hashed it


def verify_files(checksums: Iterable[tuple["UPath", str]]) -> None:
    """Raise WorkError for the first file whose SHA-256 is not the given one.

    Each file is hashed once per process, here or after it was written, while its size and time stay the same. Threads
    share the work: hashing releases the GIL and passes 0.9 GB per second on one core, where measuring passes 0.02.
    """
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(lambda each: verify_file(*each), checksums):
            pass


def verify_file(path: "UPath", sha256: str) -> None:
    """Raise WorkError if the file is missing or has another SHA-256."""
    if damage := damage_of(path, sha256):
        raise WorkError(damage)


def damage_of(path: "UPath", sha256: str) -> str:
    """Return the damage of a file that should have this SHA-256, "" if it has none."""
    try:
        if _HASHED.get(str(path)) == (*_version(path), sha256):
            return ""
        found = current_checksum(path)
    except FileNotFoundError:
        return f"{path} is missing; run again the command that made it"
    if found != sha256:
        differs = f"its SHA-256 is {found[:16]}…, expected {sha256[:16]}…"
        return f"{path} is damaged: {differs}; remove it and run again the command that made it"
    return ""


def current_checksum(path: "UPath") -> str:
    """Hash a file; later calls of `verify_files` in this process trust the SHA-256 while its size and time stay."""
    version, found = _version(path), checksum(path)
    _HASHED[str(path)] = *version, found
    return found


def _version(path: "UPath") -> tuple:
    stat = path.stat()
    return stat.st_size, stat.st_mtime, stat.st_ino
