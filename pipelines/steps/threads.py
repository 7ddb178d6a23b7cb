"""Threads over parts of a corpus; kernels and Parquet release the interpreter's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
THREADS = ContextVar("threads", default=1)


@contextmanager
def thread_limit(threads: int) -> Iterator[None]:
    """Set the number of threads for `map_threads` in the block: more than one for a job that runs alone."""
    token = THREADS.set(threads)
    try:
        yield
    finally:
        THREADS.reset(token)


def map_threads(work: Callable[[Item], Result], items: Iterable[Item], most: int | None = None) -> Iterator[Result]:
    """Yield ``work(item)`` for each item, in order; at most one result per thread waits.

    ``most`` limits the threads where each of them holds much memory; beside one, items are made in the caller's.
    """
    limit = THREADS.get()
    if limit == 1:
        yield from map(work, items)
        return
    limit = min(limit, most or limit)
    with ThreadPoolExecutor(limit) as threads:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(threads.submit(work, item))
                if len(waiting) > limit:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
