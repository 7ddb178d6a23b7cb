"""Packages that a library imports if they are installed, hidden from it: their import takes time for nothing."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.abc import MetaPathFinder


class _Hidden(MetaPathFinder):
    """Finder that raises for some modules, in the thread that made it."""

    def __init__(self, names: tuple[str, ...]):
        self.names, self.thread = names, threading.get_ident()

    def find_spec(self, name, path=None, target=None):
        if name in self.names and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(name, name=name)


_ALONE: list[bool] = []  # not empty: this process runs Gristmill's code alone


def set_alone(alone: bool) -> None:
    """Say whether this process runs Gristmill's code alone, as the command and workers do without code of a user."""
    _ALONE[:] = [True] * alone


@contextmanager
def hidden_if_alone(*names: str) -> Iterator[None]:
    """Hide modules from this thread where no code but ours could miss them later."""
    with hidden(*names) if _ALONE else nullcontext():
        yield


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """Let this thread find none of the modules, except modules that are imported already."""
    sys.meta_path.insert(0, finder := _Hidden(names))
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
