"""Packages that a library imports if they are installed, hidden from it: their import takes time for nothing."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder


class _Hidden(MetaPathFinder):
    """Finder that raises for some modules, in the thread that made it."""

    def __init__(self, names: tuple[str, ...]):
        self.names, self.thread = names, threading.get_ident()

    def find_spec(self, name, path=None, target=None):
        if name in self.names and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(name, name=name)


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let this thread find none of the modules, except modules that are imported already."""
    sys.meta_path.insert(0, finder := _Hidden(names))
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
