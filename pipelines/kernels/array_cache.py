"""Arrays that take long to make, kept on disk beside the compiled kernels; processes map one file and share it."""

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from gristmill.pipelines.kernels.cache import cache_folder
from gristmill.pipelines.kernels.hashing import hash_rows
from gristmill.pipelines.ragged import Ragged

CHECKSUM = ("checksum", np.uint64)  # of all bytes after it
HEAD = 64  # bytes of a file before the arrays: the checksum, and padding, so that each array may begin a cache line


def mapped_arrays(name: str, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return the read-only arrays of ``make()``, mapped from the file ``name`` of the cache.

    ``name`` must hold all that the arrays depend on. A missing or damaged file is written again; without a folder for
    it the arrays are made in memory. Those of many bytes should come first: they then begin at a cache line.
    """
    folder = cache_folder()
    path = folder and folder / f"{name}.npy"
    found = _read(path) if path else None
    if found is None:
        found = make()
        if path:
            with suppress(OSError):  # a full disk, a folder that others have filled for us
                _write(path, found)
        for array in found.values():
            array.flags.writeable = False  # as mapped ones, so that each kernel compiles for one type
    return found


def _read(path: Path) -> dict[str, np.ndarray] | None:
    try:
        record = np.load(path, mmap_mode="r")
        os.utime(path)  # for `prune` of the kernels
    except (OSError, ValueError, EOFError):  # missing, or no array
        return None
    payload = np.asarray(record).view(np.uint8)[HEAD:]
    if record.dtype.names is None or _checksum(payload) != record["checksum"][0]:
        return None
    return {key: np.asarray(record[key][0]) for key in record.dtype.names if key != "checksum"}


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a file at once; a process that is killed here leaves a temporary file to `prune`."""
    formats = [np.uint64, *((array.dtype, array.shape) for array in arrays.values())]
    offsets, end = [0], HEAD
    for array in arrays.values():
        offsets.append(end)
        end += -(-array.nbytes // HEAD) * HEAD
    kind = np.dtype({"names": ["checksum", *arrays], "formats": formats, "offsets": offsets, "itemsize": end})
    record = np.zeros(1, kind)
    for key, array in arrays.items():
        record[key][0] = array
    record["checksum"] = _checksum(record.view(np.uint8)[HEAD:])
    handle, temporary = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            np.save(file, record)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _checksum(payload: np.ndarray) -> int:
    return int(hash_rows(*Ragged.from_arrays(np.array([0, payload.size]), payload))[0])
