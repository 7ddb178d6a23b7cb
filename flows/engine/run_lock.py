"""Lock of a work folder, and the record of its last run."""

import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import orjson
from upath import UPath

from gristmill.pipelines.errors import GristmillError, WorkError
from gristmill.pipelines.storage.files import is_local

INTERRUPTED = "interrupted"  # error of a run that Ctrl-C ended
RUN = "run.json"  # in the work folder: process, command, times and error of the last run
RECIPE, SUMMARY = "recipe.json", "summary.json"  # there: the recipe of the last finished run, and its counts
BUSY = (errno.EACCES, errno.EAGAIN)


@contextmanager
def exclusive_run(work: UPath, **about) -> Iterator[None]:
    """Hold the work folder's lock while the block runs; raise WorkError, naming the holder, if another run has it.

    ``about`` is recorded besides the run's process, command and times.

    The operating system releases the lock of a killed process. Object stores have no such lock: there, two runs at
    once do the same work twice and write the same bytes.
    """
    if not is_local(work):
        yield
        return
    try:
        work.mkdir(parents=True, exist_ok=True)
        note = open(str(work / RUN), "a+b", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise WorkError(f"cannot write {work}: {error.strerror}; free space or name another --output") from error
    with note:
        _take(note, work)
        about = {"pid": os.getpid(), "host": socket.gethostname(), "command": sys.argv, "began": time.time(), **about}
        _write(note, about)
        try:
            yield
        except BaseException as error:
            message = str(error) if isinstance(error, GristmillError) else f"{type(error).__name__}: {error}"
            message = INTERRUPTED if isinstance(error, KeyboardInterrupt) else message
            _write(note, about | {"ended": time.time(), "error": message})
            raise
        _write(note, about | {"ended": time.time()})


def _take(note: BinaryIO, work: UPath) -> None:
    try:
        fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in BUSY:
            return  # a file system without locks, such as some network shares
        holder = _read(note)
        by = f"process {holder['pid']} on {holder['host']}" if holder else "another run"
        raise WorkError(f"{work} is in use by {by}; wait until it has ended, or name another --output") from None


def last_run(work: UPath) -> tuple[dict, bool]:
    """Return the record of the last run ({} if there was none), and whether it is still running."""
    if not is_local(work):
        return {}, False
    try:
        note = open(str(work / RUN), "rb")  # noqa: SIM115
    except FileNotFoundError:
        return {}, False
    with note:
        try:
            fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return _read(note), error.errno in BUSY
        return _read(note), False


def _write(note: BinaryIO, about: dict) -> None:
    note.truncate(0)
    note.write(orjson.dumps(about) + b"\n")


def _read(note: BinaryIO) -> dict:
    note.seek(0)
    try:
        found = orjson.loads(note.read())
    except orjson.JSONDecodeError:  # half written
        return {}
    return found if isinstance(found, dict) else {}
