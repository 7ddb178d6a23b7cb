"""Worker processes with one job each, so that a death or a hang costs that one job and is told by its name.

(concurrent.futures' pool breaks as a whole when a worker dies, and does not know which job it was.)
"""

import logging
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.steps.step import Job, run_job
from gristmill.pipelines.storage.manifest import Part

log = logging.getLogger("gristmill")

# One thread a process: parallelism is across shards, and idle pools of threads only cost start-up and memory.
ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")
STOPPED = "the run has been stopped"
MAX_ATTEMPTS = (
    3  # of a job whose worker was lost; the last with nothing beside it, for want of memory is the usual reason
)


class WorkerDied(Exception):
    """A worker is gone, in the middle of a job."""


class Worker:
    """A process that does jobs one after the other."""

    def __init__(self):
        context = get_context("spawn")  # it inherits nothing
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, os.getpid()), daemon=True)
        self.process.start()
        theirs.close()  # so that its death is the end of the pipe

    def run(self, job: Job, seconds: float | None) -> list[Part]:
        """Do a job there. Raises Lost where the process dies or the job takes too long, else what the job raises."""
        try:
            self.pipe.send(job)
            if not self.pipe.poll(seconds):
                self.stop()
                raise WorkerDied(f"took more than the {seconds:g} s that a job may take")
            parts, error = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            raise WorkerDied(_exit_reason(self.process.exitcode)) from None
        if error:
            raise error
        return parts

    def stop(self) -> None:
        self.process.kill()
        self.process.join()


def _exit_reason(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL), most likely for want of memory"
    if code is not None and code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"


class Workers:
    """So many worker processes, started when there is work for them. Safe to use from threads."""

    def __init__(self, width: int, seconds: float | None = None):
        self.width, self.seconds = width, seconds
        self.idle: list[Worker] = []
        self.all: set[Worker] = set()
        self.lock, self.turn, self.free = threading.Lock(), threading.Lock(), threading.Semaphore(width)
        self.closed = False

    def run(self, job: Job) -> list[Part]:
        """Do a job in the next free worker, and again in a new one if that worker is lost."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            with self._room(alone=attempt == MAX_ATTEMPTS):
                worker = self._take()
                try:
                    parts = worker.run(job, self.seconds)
                except WorkerDied as lost:
                    self.all.discard(worker)
                    why = f"the worker doing {job.title!r} {lost}"
                except BaseException:
                    self.idle.append(worker)
                    raise
                else:
                    self.idle.append(worker)
                    return parts
            if self.closed:  # which is what ended the worker
                raise WorkError(STOPPED)
            if attempt < MAX_ATTEMPTS:
                log.warning("%s; trying again (%d of %d)", why, attempt + 1, MAX_ATTEMPTS)
        raise WorkError(f"{why}, {attempt} times; finished parts are kept: run again with fewer --workers or more time")

    @contextmanager
    def _room(self, alone: bool) -> Iterator[None]:
        """A free place; or all of them, in the knowledge that nothing else runs."""
        places = self.width if alone else 1
        with self.turn:  # one asks at a time: two that want all places would wait for each other
            for _ in range(places):
                self.free.acquire()
        try:
            yield
        finally:
            self.free.release(places)

    def _take(self) -> Worker:
        with self.lock:
            if self.closed:
                raise WorkError(STOPPED)
            while self.idle:
                if (worker := self.idle.pop()).process.is_alive():
                    return worker
                self.all.discard(worker)
            os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
            self.all.add(worker := Worker())
            return worker

    def close(self) -> None:
        """Stop all workers at once: what they were doing is done again by the next run."""
        with self.lock:
            self.closed = True
            for worker in list(self.all):  # whose threads see the end of their pipes, and take it out
                worker.stop()


def _serve(pipe, parent: int) -> None:
    """The life of a worker. It leaves Ctrl-C to its parent, and goes when the parent is gone (killed, say)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with, args=(lambda: os.getppid() != parent,), daemon=True).start()
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send((run_job(job), None))
        except Exception as error:
            error.add_note("".join(traceback.format_exception(error)))  # the parent cannot see our stack
            _send(pipe, error)


def _send(pipe, error: Exception) -> None:
    try:
        pipe.send((None, error))
    except Exception:  # it does not pickle
        pipe.send((None, RuntimeError("\n".join(error.__notes__))))


def _exit_with(orphaned: Callable[[], bool]) -> None:
    while not orphaned():
        time.sleep(0.5)
    os._exit(1)
