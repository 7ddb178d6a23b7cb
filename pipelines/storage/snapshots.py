"""Snapshots of objects that are slow to build: a pickle in the cache folder, with its arrays mapped from the file.

The name of a file is a digest of all that the object is made of, and its beginning is the SHA-256 of the rest. A file
that is missing, damaged or of other data or code is built again. Processes share the memory of a mapped array until
they write to it. The folder is that of compiled kernels: the user's own, and cleared of files unused for 30 days.
"""

import hashlib
import mmap
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.garbage import no_collection
from gristmill.pipelines.kernels.cache import DIGEST, cache_folder
from gristmill.pipelines.sources import code_of
from gristmill.pipelines.storage.files import atomic_write, to_path

T = TypeVar("T")
ALIGNMENT = 64  # bytes: arrays lie in the file as in memory, up to a multiple of a cache line


def snapshot(kind: type[T], version: str, build: Callable[[], T]) -> T:
    """Return the object of a kind and a version, mapped from its file, or built and written.

    ``version`` names all data that the object is made of; the code of its class counts by itself.
    """
    folder = cache_folder()
    if folder is None:
        return build()
    key = repr((version, code_of(build, kind), np.__version__))
    path = folder / f"snapshot.{kind.__name__}-{hashlib.sha256(key.encode()).hexdigest()[:32]}"
    if (found := _read(path)) is None:
        found = build()
        data = _dumps(found)
        with suppress(WorkError), atomic_write(to_path(path)) as file:
            file.write(hashlib.sha256(data).digest() + data)
    return found


def _read(path: Path) -> Any:
    """Return the object in a file; None if it is missing or damaged."""
    try:
        with path.open("rb") as file:
            memory = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
    except (OSError, ValueError):  # missing, or empty
        return None
    if hashlib.sha256(memory[DIGEST:]).digest() != memory[:DIGEST]:
        return None
    with suppress(OSError):
        os.utime(path)  # for `prune`
    count = int.from_bytes(memory[DIGEST : DIGEST + 8], "little")
    bounds = np.frombuffer(memory, np.int64, 2 * count, DIGEST + 8).reshape(-1, 2).tolist()
    pickled, *arrays = (memory[begin:end] for begin, end in bounds)
    with no_collection():
        return pickle.loads(pickled, buffers=arrays)


def _dumps(value: Any) -> bytes:
    """Return the number of parts, where each begins and ends in the file, and the parts: the pickle, then arrays."""
    written, buffers = BytesIO(), []  # type: ignore[var-annotated]
    _Pickler(written, 5, buffer_callback=buffers.append).dump(value)
    parts = [memoryview(written.getvalue()), *(buffer.raw() for buffer in buffers)]
    end, bounds = DIGEST + 8 + 16 * len(parts), []
    for part in parts:
        address = np.frombuffer(part, np.uint8).ctypes.data if len(part) else 0
        begin = end + (address - end) % ALIGNMENT
        end = begin + len(part)
        bounds.append((begin, end))
    data = bytearray(end - DIGEST)
    data[:8] = len(parts).to_bytes(8, "little")
    data[8 : 8 + 16 * len(parts)] = np.array(bounds, np.int64).tobytes()
    for (begin, end), part in zip(bounds, parts, strict=True):
        data[begin - DIGEST : end - DIGEST] = part
    return bytes(data)


class _Pickler(pickle.Pickler):
    """Pickler that keeps views as views of one memory, and writes an array of zeros, an empty cache, as its shape."""

    def reducer_override(self, value: Any) -> Any:
        if type(value) is not np.ndarray or value.dtype.hasobject:
            return NotImplemented
        root = value
        while type(root.base) is np.ndarray:
            root = root.base
        if not root.flags.c_contiguous:
            return NotImplemented
        if root is not value:
            offset = value.ctypes.data - root.ctypes.data
            return _view, (root, value.shape, value.dtype, offset, value.strides, value.flags.writeable)
        if value.flags.writeable and value.nbytes > mmap.PAGESIZE and not value.view(np.uint8).any():
            return np.zeros, (value.shape, value.dtype)
        return NotImplemented


def _view(root: np.ndarray, shape: tuple, dtype: np.dtype, offset: int, strides: tuple, writeable: bool) -> np.ndarray:
    """Return an array over the memory of another one."""
    array: np.ndarray = np.ndarray(shape, dtype, root, offset, strides)
    array.flags.writeable = writeable
    return array
