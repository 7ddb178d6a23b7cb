"""Work on parts of a corpus side by side in threads: kernels and Parquet let go of the interpreter's lock."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
THREADS = ContextVar("width", default=1)


@contextmanager
def thread_limit(width: int) -> Iterator[None]:
    """What is done within may take so many threads for its parts: a job has them where it has the run to itself."""
    token = THREADS.set(width)
    try:
        yield
    finally:
        THREADS.reset(token)


def map_threads(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """``work`` of each item, in their order; no more results wait than there are threads."""
    width = THREADS.get()
    if width == 1:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(width) as threads:
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(threads.submit(work, item))
                if len(waiting) > width:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
