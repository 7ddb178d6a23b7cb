"""Compile all kernels at once, on all cores, before the first command needs them.

``kernels.txt`` lists the kernels that commands call, with the types of their arguments; ``python -m tools.kernel_list``
writes it. A kernel that is not listed compiles at its first call, and is kept as well.
"""

import fcntl
import time
from contextlib import suppress
from functools import partial
from importlib import import_module
from itertools import groupby
from pathlib import Path
from typing import Any

import numba
import numpy as np
from rich.console import Console

from gristmill.flows.engine.engines import engine
from gristmill.flows.engine.progress import RichProgress
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.garbage import no_collection
from gristmill.pipelines.kernels.cache import cache_folder, prune
from gristmill.pipelines.steps.step import Job

types: Any = numba.types  # its stubs lack most types
LIST = Path(__file__).with_name("kernels.txt")
DONE, LOCK = "compiled", "lock"  # files in the folder of the cache


def compile_all(console: Console, look: bool = False) -> None:
    """Compile the listed kernels, unless a process has done so for these versions and this processor.

    With ``look`` kernels that are not kept are compiled nevertheless, as their sources may have changed since.

    Processes that call it at the same time say so and wait for the first. Without a folder to keep the kernels nothing
    is done. Raises WorkError if they cannot be written there, or a process that compiles was killed.
    """
    folder = cache_folder()
    if folder is None or ((folder / DONE).exists() and not look):
        return
    with suppress(PermissionError), open(folder / LOCK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.print("Another process compiles the kernels for this processor; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / DONE).exists():
            prune()
            _compile(listed_kernels(), console)
            (folder / DONE).touch()
        elif look and (changed := [kernel for kernel in listed_kernels() if not _is_kept(*kernel)]):
            _compile(changed, console)
        elif look:
            console.print("All kernels are compiled for this processor.")


def listed_kernels() -> list[tuple[str, str, str]]:
    """Return module, kernel and argument types of each line, as Python expressions."""
    return [(module, kernel, kinds) for module, kernel, kinds in map(str.split, LIST.read_text("utf-8").splitlines())]


def _compile(kernels: list[tuple[str, str, str]], console: Console) -> None:
    """Compile the kernels of each folder in one job: what they share compiles in one worker, not in each.

    The last folders come first, as tokenizers_lab has the largest kernels.
    """
    began, progress = time.perf_counter(), RichProgress(console)
    console.print(f"Compiling {len(kernels)} kernels for this processor, once.")
    folders = groupby(kernels, lambda kernel: kernel[0].rpartition(".")[0])
    jobs = [Job(compile_kernels, ([*each],), ()) for _, each in folders][::-1]
    progress.start("compiling", len(jobs), 0)
    try:
        with engine() as run:
            for job, _ in run(jobs):
                progress.advance(job)
    finally:
        progress.stop()
    console.print(f"Compiled them in {time.perf_counter() - began:.0f} s.")


def compile_kernels(kernels: list[tuple[str, str, str]], outputs: tuple = ()) -> list:
    """Compile kernels, or load them from the cache. Raises WorkError if the result cannot be kept."""
    for module, kernel, kinds in kernels:
        dispatcher, arguments = _resolved(module, kernel, kinds)
        with no_collection():
            dispatcher.compile(arguments)
        path = dispatcher._cache.path(arguments)
        if not path or not path.exists():
            raise WorkError(f"compiled kernels cannot be kept: {path} cannot be written")
    return []


def _resolved(module: str, kernel: str, kinds: str) -> tuple[Any, tuple]:
    """Return the dispatcher of a listed kernel and the types of its arguments."""
    return eval(kernel, vars(import_module(module))), parse(kinds)


def _is_kept(module: str, kernel: str, kinds: str) -> bool:
    dispatcher, arguments = _resolved(module, kernel, kinds)
    path = dispatcher._cache.path(arguments)
    return path is not None and path.exists()


def spell(kind: Any) -> str:
    """Return the expression of an argument's type.

    >>> spell(types.Array(types.uint8, 1, "C", readonly=True))
    'read(uint8)'
    """
    if isinstance(kind, types.BaseNamedTuple):
        made = kind.instance_class
        return f"named({','.join([repr(f'{made.__module__}.{made.__qualname__}'), *map(spell, kind.types)])})"
    if isinstance(kind, types.BaseTuple):
        return f"tuple_of({','.join(map(spell, kind.types))})"
    if isinstance(kind, types.Omitted):
        return f"Omitted({kind.value!r})"
    if isinstance(kind, types.Array) and (kind.ndim, kind.layout, kind.aligned) == (1, "C", True):
        return f"{'write' if kind.mutable else 'read'}({spell(kind.dtype)})"
    return repr(kind).replace(" ", "")


def parse(kinds: str) -> tuple:
    """Return the types of an expression of `spell`, separated by commas.

    >>> parse("read(uint8),int64")
    (Array(uint8, 1, 'C', True, aligned=True), int64)
    """
    return eval(f"({kinds},)", NAMES)


def _named(name: str, *kinds: Any) -> Any:
    module, _, made = name.rpartition(".")
    return types.BaseTuple.from_types(kinds, getattr(import_module(module), made))


NAMES = {
    **vars(types),
    "np": np,
    "read": partial(types.Array, ndim=1, layout="C", readonly=True),
    "write": partial(types.Array, ndim=1, layout="C", readonly=False),
    "named": _named,
    "tuple_of": lambda *kinds: types.BaseTuple.from_types(kinds),
}
