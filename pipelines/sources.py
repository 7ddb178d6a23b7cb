"""Digest of the sources of a kernel or job: its file and all files of Gristmill that the file imports.

numba itself checks only the kernel's own file. A cached kernel that inlines an older hash or class table would return
wrong results. Changes to files that no kernel imports recompile nothing:
``python -m benchmarks.first_run`` prints what compiling all kernels takes.
"""

import hashlib
import os
import re
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CHECKOUT = (ROOT / "pyproject.toml").is_file()  # an installed package changes with its version alone
IMPORTS = re.compile(r"^(?:from ([\w.]+) import (\([^)]*\)|.*)|import ([\w.]+))", re.MULTILINE)


@cache
def imported(path: Path) -> frozenset[Path]:
    """Return the files of Gristmill that a file imports by statements without indentation."""
    found: set[Path] = set()
    for package, names, module in IMPORTS.findall(path.read_text("utf-8")):
        for name in [module or package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))]:
            found |= _files(name)
    return frozenset(found)


@cache
def _files(module: str) -> frozenset[Path]:
    """Return the files of a module of Gristmill: none for a module of others, or a name in a module."""
    base = os.path.join(ROOT, *module.removeprefix("gristmill.").split("."))  # pathlib takes five times as long
    return frozenset(Path(file) for file in (f"{base}.py", os.path.join(base, "__init__.py")) if os.path.isfile(file))


def sources(path: Path) -> set[Path]:
    """Return a file and all files of Gristmill that it imports, directly or indirectly."""
    known, new = set(), {path}
    while new:
        known |= new
        new = set().union(*map(imported, new)) - known
    return known


@cache
def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


@cache
def state(path: str) -> str:
    """Return a digest of a file's sources, independent of path and time of the checkout."""
    file = Path(path).resolve()
    digests = sorted(map(_digest, sources(file) if file.is_relative_to(ROOT) else {file}))
    return hashlib.sha256(b"".join(digests)).hexdigest()


def code_of(*values: Any) -> list[str]:
    """Return digests of the sources of functions, and of the classes of other values; none in an installed package.

    What a function imports when it is called does not count, nor does code of other packages.
    """
    if not CHECKOUT:
        return []
    functions = (value.func if isinstance(value, partial) else value for value in values)
    modules = {getattr(function, "__module__", None) or "" for function in functions}
    ours = (sys.modules[module] for module in modules if module.startswith("gristmill."))
    return sorted({state(module.__file__) for module in ours if module.__file__})
