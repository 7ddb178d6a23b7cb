"""Paths on any file system, and atomic writes."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from typing import BinaryIO, cast

from upath import UPath

from gristmill.pipelines.errors import WorkError

TEMPORARY = ".tmp-"  # part of the name of an unfinished file


def to_path(path: str | os.PathLike | UPath) -> UPath:
    """Return a path on the file system of its URL: ``/data``, ``s3://bucket/key``, ``memory://x``.

    Listings of stores are not cached, since other processes write to them.
    """
    path = UPath(path)
    return path if is_local(path) else UPath(path, use_listings_cache=False)


def is_local(path: UPath) -> bool:
    return path.protocol in ("", "file", "local")


@contextmanager
def atomic_write(path: UPath) -> Iterator[BinaryIO]:
    """Open ``path`` for writing; the file appears, or is replaced, only if the block succeeds.

    Local files are written under a temporary name and renamed; object stores publish an object when it is closed.
    Raises WorkError if the path is not writable or the disk is full.
    """
    written = path.parent / f"{path.name}{TEMPORARY}{os.getpid()}" if is_local(path) else path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written.open("wb") as file:
            yield file
        if written != path:
            os.replace(str(written), str(path))
    except OSError as error:
        with suppress(OSError):
            written.unlink()
        raise WorkError(f"cannot write {path}: {error.strerror or error}; free or change the output") from error
    except BaseException:
        with suppress(OSError):
            written.unlink()
        raise


def remove_temporary_files(folder: UPath) -> None:
    """Remove unfinished files of a killed run from ``folder``."""
    if folder.is_dir():
        for path in folder.iterdir():
            if TEMPORARY in path.name:
                path.unlink(missing_ok=True)


def checksum(path: UPath) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(cast(BufferedIOBase, file), "sha256").hexdigest()
