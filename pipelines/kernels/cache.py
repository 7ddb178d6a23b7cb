"""Compiled kernels on disk: one file for each kernel and signature, named by all that its machine code depends on.

numba's own cache keeps an index per kernel, and the last of several processes to write it drops the entries of the
others. It also takes its settings from the environment when numba is imported, by us or by a program before us. Here
the name of a file is the whole index: sources, signature, versions, processor and compiler options. So it does not
matter which process fills the cache, when, from which checkout, and whether it is killed.

The files are pickles and machine code: the folder is the user's own, and one that others can write to is not used.
"""

import hashlib
import logging
import os
import pickle
import re
import secrets
import sys
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from io import BytesIO
from itertools import count
from multiprocessing import parent_process
from pathlib import Path

import numba
from numba.core import config
from numba.core.bytecode import FunctionIdentity
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.environment import Environment, _rebuild_env, lookup_environment
from numba.core.registry import cpu_target
from numba.core.runtime import rtsys
from numba.core.serialize import dumps
from numba.core.sigutils import normalize_signature

from gristmill.pipelines.sources import state

log = logging.getLogger("gristmill")

VARIABLE = "GRISTMILL_CACHE"
UNUSED = 30 * 86_400  # seconds after which `prune` removes a file
OPTIONS = "BOUNDSCHECK", "OPT", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE"  # of numba, that change the code
RUNTIME = b"NRT_"  # in the names of numba's runtime; a process compiles it once, for kernels that allocate
DIGEST = hashlib.sha256().digest_size

# numba numbers the functions that it compiles from 1 on in each process, and the name of a symbol holds the number.
# Functions that two processes compiled can have one name, and a process that loads both then calls the first for both.
FunctionIdentity._unique_ids = count(secrets.randbits(48))


class KernelCache(NullCache):
    """Cache of the compiled forms of one function, for ``_cache`` of its dispatcher."""

    def __init__(self, function, wrapped: bool):
        self.function, self.wrapped = function, wrapped  # so that Python can call it

    def load_overload(self, sig, target_context):
        """Return the compiled form for a signature, or None."""
        path = self.path(sig)
        payload = _read(path) if path else None
        if payload and RUNTIME in payload:
            rtsys.initialize(target_context)  # refresh() imports what a compiler needs, with scipy: 0.3 CPU s, 40 MB
        return payload and CompileResult._rebuild(target_context, *_Unpickler(BytesIO(payload)).load())

    def save_overload(self, sig, data):
        """Write a compiled form."""
        if data.library.has_dynamic_globals or any(not each.can_cache for each in data.lifted):
            raise TypeError(f"{self.function.__qualname__} cannot be cached: it uses a pointer or a large global array")
        if path := self.path(sig):
            _write(path, dumps(data._reduce()))

    def path(self, sig) -> Path | None:
        """Return the file of a signature; None if there is no folder for it."""
        function, (arguments, _) = self.function, normalize_signature(sig)
        closed_over = [cell.cell_contents for cell in function.__closure__ or ()]
        name = f"{function.__module__}.{function.__qualname__}"
        code = function.__code__
        key = name, code.co_firstlineno, closed_over, self.wrapped, arguments, state(code.co_filename)
        folder, digest = cache_folder(), hashlib.sha256(repr(key).encode()).hexdigest()
        return folder and folder / f"{re.sub('[<>]', '', name)[:100]}-{digest[:32]}"


class _Unpickler(pickle.Unpickler):
    """Unpickler of a compiled form that imports no module of the functions in it.

    numba imports them, for globals that machine code without Python objects never reads: with ``numba.np.arraymath``,
    for ``array.sum()``, comes scipy (0.16 CPU s, 140 modules).
    """

    def find_class(self, module, name):
        return _environment if name == _rebuild_env.__name__ else super().find_class(module, name)


def _environment(module: str, constants: list, name: str) -> Environment:
    """Return the environment of a compiled function, as `_rebuild_env` does, with no globals but its module's name."""
    found = lookup_environment(name)
    if found is None:
        found = Environment({"__name__": module})
        found.consts[:], found.env_name = constants, name
        Environment._memo[name] = found
    return found


@cache
def cache_folder() -> Path | None:
    """Return the folder for these versions, this processor and these options; None if there can be none."""
    machine = repr((cpu_target.target_context.codegen().magic_tuple(), [getattr(config, name) for name in OPTIONS]))
    python, machine = f"{sys.version_info[0]}.{sys.version_info[1]}", hashlib.sha256(machine.encode()).hexdigest()[:12]
    versions = f"{version('gristmill')}-python{python}-numba{numba.__version__}-{machine}"
    try:
        own = _user_folder() / "kernels"
        own.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = own.stat()
        if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
            _warn(f"{own} belongs to another user, or others can write to it")
            return None
        with suppress(PermissionError):  # of a folder that somebody else has filled for us
            (own / versions).mkdir(mode=0o700, exist_ok=True)
    except (OSError, RuntimeError) as error:  # no home
        _warn(str(error))
        return None
    return own / versions


def _user_folder() -> Path:
    if given := os.environ.get(VARIABLE):
        return Path(given)
    given = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "gristmill"


def _read(path: Path) -> bytes | None:
    """Return the contents of a file; None if it is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data[DIGEST:]).digest() != data[:DIGEST]:
        return None
    with suppress(OSError):
        os.utime(path)  # for `prune`
    return data[DIGEST:]


def _write(path: Path, payload: bytes) -> None:
    """Write a file at once; a process that is killed here leaves a temporary file to `prune`."""
    try:
        handle, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with open(handle, "wb") as file:
                file.write(hashlib.sha256(payload).digest() + payload)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
    except OSError as error:
        _warn(f"{path.parent}: {error.strerror}")


def prune() -> None:
    """Remove kernels of all versions that no process has used for 30 days, and what killed processes left."""
    if folder := cache_folder():
        for file in folder.parent.glob("*/*-*"):
            with suppress(OSError):  # another process has removed it, or may remove it
                if file.stat().st_mtime < time.time() - UNUSED:
                    file.unlink()


@cache
def _warn(why: str) -> None:
    """Say once, and not again in each worker, that nothing is kept."""
    if parent_process() is None:
        log.warning("compiled kernels are not kept: %s; %s names another folder", why, VARIABLE)
