"""Progress within a job: bytes of its input that it is done with, told to the progress bar of the run.

Whatever reads the input of a job counts it (`count_bytes`). The executor passes the sums on, from another process or
machine if need be. They change no result: a message that is lost moves a bar later.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

TELL_SECONDS = 0.25  # between two messages of a job

Watcher = Callable[[Any, int], None]  # gets a job and the bytes of its input that it is done with
_WATCHER: ContextVar[Watcher] = ContextVar("watcher", default=lambda job, bytes: None)
_COUNTER: ContextVar["Counter | None"] = ContextVar("counter", default=None)


class Counter:
    """Sum of the bytes of one job; ``tell`` gets it a few times a second at most."""

    def __init__(self, tell: Callable[[int], None]):
        self.tell, self.bytes, self.told = tell, 0, time.monotonic()

    def add(self, size: int) -> None:
        self.bytes += size
        now = time.monotonic()
        if now - self.told >= TELL_SECONDS:
            self.told = now
            self.tell(self.bytes)


def count_bytes(size: int) -> None:
    """Count bytes of input that the running job is done with. Outside of a job, and in its threads, do nothing."""
    if counter := _COUNTER.get():
        counter.add(size)


@contextmanager
def counted(tell: Callable[[int], None]) -> Iterator[None]:
    """Run a job in the block; ``tell`` gets the bytes that it is done with, from this thread."""
    token = _COUNTER.set(Counter(tell))
    try:
        yield
    finally:
        _COUNTER.reset(token)


@contextmanager
def watched(watcher: Watcher) -> Iterator[None]:
    """Let ``watcher`` see the progress of the jobs that executors run in the block."""
    token = _WATCHER.set(watcher)
    try:
        yield
    finally:
        _WATCHER.reset(token)


def teller(job: Any) -> Callable[[int], None]:
    """Return the function that passes a job's bytes to the watcher of this context."""
    watcher = _WATCHER.get()
    return lambda size: watcher(job, size)
