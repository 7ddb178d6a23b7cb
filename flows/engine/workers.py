"""Worker processes, one job at a time each: a crash or a hang affects one job, which is named and repeated.

(The pool of concurrent.futures fails as a whole when a worker dies, and does not know the job. Processes of
multiprocessing run the user's script again: without ``if __name__ == "__main__"`` in it, each starts a run of its own.)
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from gristmill.pipelines.arrow_alone import keep_pandas_out
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.progress import counted, teller
from gristmill.pipelines.steps.step import Job, release_memory, run_job
from gristmill.pipelines.storage.manifest import Part

log = logging.getLogger("gristmill")

# One thread per process: parallelism is across shards, and idle thread pools cost start-up time and memory.
ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")
IDLE_SECONDS = 0.1  # without a next job, after which a worker returns its free memory to the system
STOPPED = "the run has been stopped"
MAX_ATTEMPTS = 3  # for a job whose worker died; the last runs alone, since lack of memory is the usual cause
START = """
import sys; sys.path[:] = {path}
import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is left to the parent
from gristmill.flows.engine.workers import serve; serve({pipe}, {parent})
"""


class WorkerDied(Exception):
    """Death of a worker during a job."""


class Worker:
    """Worker process that runs one job after another. It shares the module path with this process, and no module."""

    def __init__(self):
        self.pipe, theirs = Pipe()
        start = START.format(path=list(map(str, sys.path)), pipe=theirs.fileno(), parent=os.getpid())
        environment, kept = os.environ | dict.fromkeys(ONE_THREAD, "1"), (theirs.fileno(),)
        command = [sys.executable, "-c", start]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment, pass_fds=kept)
        theirs.close()  # so that its death is the end of the pipe

    def run(self, job: Job, seconds: float | None) -> list[Part]:
        """Run a job there; raise WorkerDied if the process dies or exceeds ``seconds``, else the job's own error."""
        tell, end = teller(job), time.monotonic() + (seconds or 0)
        try:
            self.pipe.send(job)
            while True:
                if not self.pipe.poll(seconds and max(0.0, end - time.monotonic())):
                    self.stop()
                    raise WorkerDied(f"exceeded the limit of {seconds:g} s for one job")
                message = self.pipe.recv()
                if not isinstance(message, int):
                    break
                tell(message)  # bytes that the job is done with
            parts, error = message
        except (EOFError, OSError):
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
            raise WorkerDied(_exit_reason(self.process.poll())) from None
        if error:
            raise error
        return parts

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


def _exit_reason(code: int | None) -> str:
    if code == -signal.SIGKILL:
        return "was killed (SIGKILL), most likely for lack of memory"
    if code is not None and code < 0:
        return f"was killed ({signal.Signals(-code).name})"
    return f"ended with exit code {code}"


class Workers:
    """Pool of up to ``width`` worker processes, started on demand. Thread-safe."""

    def __init__(self, width: int, seconds: float | None = None):
        self.width, self.seconds = width, seconds
        self.idle: list[Worker] = []
        self.all: set[Worker] = set()
        self.lock, self.queue, self.free = threading.Lock(), threading.Lock(), threading.Semaphore(width)
        self.closed = False

    def run(self, job: Job) -> list[Part]:
        """Run a job in the next free worker; if that worker dies, repeat the job in a new one."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            with self._slots(alone=attempt == MAX_ATTEMPTS):
                worker = self._take()
                try:
                    parts = worker.run(job, self.seconds)
                except WorkerDied as death:
                    self.all.discard(worker)
                    why = f"the worker running {job.title!r} {death}"
                except BaseException:
                    self.idle.append(worker)
                    raise
                else:
                    self.idle.append(worker)
                    return parts
            if self.closed:  # closing ended the worker
                raise WorkError(STOPPED)
            if attempt < MAX_ATTEMPTS:
                log.warning("%s; trying again (%d of %d)", why, attempt + 1, MAX_ATTEMPTS)
        raise WorkError(f"{why}, {attempt} times; finished parts are kept: run again with fewer --workers or more time")

    @contextmanager
    def _slots(self, alone: bool) -> Iterator[None]:
        """Hold one slot, or all of them so that nothing else runs."""
        slots = self.width if alone else 1
        with self.queue:  # one at a time, or two threads that need all slots would wait for each other
            for _ in range(slots):
                self.free.acquire()
        try:
            yield
        finally:
            self.free.release(slots)

    def _take(self) -> Worker:
        with self.lock:
            if self.closed:
                raise WorkError(STOPPED)
            while self.idle:
                if (worker := self.idle.pop()).process.poll() is None:
                    return worker
                self.all.discard(worker)
            self.all.add(worker := Worker())
            return worker

    def close(self) -> None:
        """Stop all workers at once; the next run repeats their jobs."""
        with self.lock:
            self.closed = True
            for worker in list(self.all):  # their threads see the end of the pipe and remove them
                worker.stop()


def serve(handle: int, parent: int) -> None:
    """Run jobs until the pipe ends; exit if the parent has died."""
    threading.Thread(target=_exit_with, args=(lambda: os.getppid() != parent,), daemon=True).start()
    keep_pandas_out()
    pipe = Connection(handle)
    while True:
        if not pipe.poll(IDLE_SECONDS):
            release_memory()
        try:
            job = pipe.recv()
        except EOFError:
            return
        except Exception as error:  # a class of the script or notebook itself
            found = f"a worker process cannot load the job: {error}"
            _send(pipe, WorkError(f"{found}; define classes and functions of a recipe in a file that can be imported"))
            continue
        try:
            with counted(pipe.send):
                parts = run_job(job)
            pipe.send((parts, None))
        except Exception as error:
            error.add_note("".join(traceback.format_exception(error)))  # the traceback does not pickle
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
