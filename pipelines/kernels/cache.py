"""Where numba keeps compiled kernels, and when it compiles one anew: when its file changes, or any file that imports.

numba itself looks at a kernel's own file only. A kernel over an older hash or class table, inlined or frozen into it,
would go on answering, wrongly. Changes to files that no kernel imports cost nothing: all of them take 100 s to compile.
"""

import hashlib
import re
from functools import cache
from pathlib import Path

from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

ROOT = Path(__file__).resolve().parents[2]
IMPORTS = re.compile(r"^(?:from ([\w.]+) import (\([^)]*\)|.*)|import ([\w.]+))", re.MULTILINE)


@cache
def imported(path: Path) -> frozenset[Path]:
    """The files of ours that a file imports where it begins a line, itself not among them unless they import it."""
    found = set()
    for package, names, module in IMPORTS.findall(path.read_text("utf-8")):
        places = [module or package, *(f"{package}.{name}" for name in re.findall(r"\w+", names))]
        for place in places:
            base = ROOT / place.removeprefix("gristmill.").replace(".", "/")
            found |= {file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()}
    return frozenset(found)


def sources(path: Path) -> set[Path]:
    """A file of ours and all those it leads to."""
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
    """A digest of a file's sources, the same wherever and whenever they were checked out."""
    file = Path(path).resolve()
    digests = sorted(map(_digest, sources(file) if file.is_relative_to(ROOT) else {file}))
    return hashlib.sha256(b"".join(digests)).hexdigest()


class _Stamped:
    _py_file: str

    def get_source_stamp(self):
        return state(self._py_file)


class Given(_Stamped, UserProvidedCacheLocator):
    """In NUMBA_CACHE_DIR, where that is set."""


class Beside(_Stamped, InTreeCacheLocator):
    """In the ``__pycache__`` beside the source."""


class OfUser(_Stamped, UserWideCacheLocator):
    """In the user's cache folder, where the sources cannot be written beside."""
