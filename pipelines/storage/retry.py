"""Try again what failed for a passing reason: a network share that stalled, a store that was busy.

A job writes its files whole and can be done again, so the whole job is what is repeated.
"""

import errno
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

log = logging.getLogger(__name__)

# What passes by itself. No space (ENOSPC), no rights (EACCES) or no file (ENOENT) does not: those are told at once.
TRANSIENT_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        *("EIO", "EAGAIN", "EINTR", "EBUSY", "ESTALE", "ETIMEDOUT", "EREMOTEIO", "ENETDOWN", "ENETUNREACH"),
        *("ENETRESET", "ECONNABORTED", "ECONNRESET", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "ENOTCONN", "EPIPE"),
    )
    if hasattr(errno, name)
)
BACKOFF_SECONDS = (0.5, 2.0, 8.0)  # seconds before each new try

T = TypeVar("T")


def is_transient(error: BaseException) -> bool:
    """May this go away by itself? An error that another caused is judged by its cause."""
    return any(
        isinstance(each, (ConnectionError, TimeoutError))
        or (isinstance(each, OSError) and each.errno in TRANSIENT_ERRNOS)
        for each in _causes(error)
    )


def retry(work: Callable[[], T], title: str, pauses: tuple[float, ...] = BACKOFF_SECONDS) -> T:
    """What ``work`` returns; after a passing error it is called again, with longer and longer pauses."""
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
