"""Retry of jobs after transient errors: a stalled network share, a busy store.

The whole job is repeated, since a job writes its files atomically.
"""

import errno
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)

# Not transient, and raised at once: no space (ENOSPC), no permission (EACCES), no file (ENOENT).
TRANSIENT_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "EAGAIN", "EINTR", "EBUSY", "ESTALE", "ETIMEDOUT", "EREMOTEIO", "ENETDOWN", "ENETUNREACH"),
        *("ENETRESET", "ECONNABORTED", "ECONNRESET", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "EPIPE"),
    )
    if hasattr(errno, name)
)
BACKOFF_SECONDS = (0.5, 2.0, 8.0)  # before each retry

T = TypeVar("T")


def is_transient(error: BaseException) -> bool:
    """True if the error, or one that caused it, may disappear by itself."""
    return any(
        isinstance(each, (ConnectionError, TimeoutError))
        or (isinstance(each, OSError) and each.errno in TRANSIENT_ERRNOS)
        for each in _causes(error)
    )


def retry(work: Callable[[], T], title: str, pauses: tuple[float, ...] = BACKOFF_SECONDS) -> T:
    """Call ``work`` and return its result; after a transient error, retry after each of the ``pauses`` in seconds."""
    for pause in pauses:
        try:
            return work()
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("%s: %s; trying again in %.1f s", title, error, pause)
            time.sleep(pause)
    return work()


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error:
        yield error
        error = error.__cause__
