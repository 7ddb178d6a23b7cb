"""Paths on any file system, and files that are there whole or not at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedIOBase
from typing import BinaryIO, cast

from upath import UPath

from gristmill.pipelines.errors import WorkError

TEMPORARY = ".tmp-"  # in the name of a file that is being written


def to_path(path: str | os.PathLike | UPath) -> UPath:
    """A path on the file system its URL names: ``/data``, ``s3://bucket/key``, ``memory://x``.

    What a store lists is asked for anew each time: another process may have written since.
    """
    path = UPath(path)
    return path if is_local(path) else UPath(path, use_listings_cache=False)


def is_local(path: UPath) -> bool:
    return path.protocol in ("", "file", "local")


@contextmanager
def atomic_write(path: UPath) -> Iterator[BinaryIO]:
    """Open ``path`` for writing so that it appears only when the block ends well, replacing what was there.

    Locally by a temporary sibling and a rename; an object store already shows an object only once it is closed.
    Raises WorkError where the place cannot be written or the disk is full.
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
    """Remove what a killed run left half-written in ``folder``."""
    if folder.is_dir():
        for path in folder.iterdir():
            if TEMPORARY in path.name:
                path.unlink(missing_ok=True)


def checksum(path: UPath) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(cast(BufferedIOBase, file), "sha256").hexdigest()
