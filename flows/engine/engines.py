"""Engines: jobs run in this process, in threads, in worker processes, or on a cluster."""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from contextvars import copy_context
from typing import Protocol

from gristmill.flows.engine.workers import Workers
from gristmill.pipelines.errors import RecipeError, nearest
from gristmill.pipelines.progress import counted, teller
from gristmill.pipelines.steps.step import Engine, Job, run_job
from gristmill.pipelines.steps.threads import thread_limit
from gristmill.pipelines.storage.manifest import Part

ENGINES = ("processes", "threads", "dask", "slurm")

# Cheap and threaded jobs below this sum of seconds run in threads of this process: a worker takes 2 to 4 CPU seconds to
# start and to load kernels and models. Above, Python's lock, held a quarter of the time, would keep 16 cores waiting.
INLINE_SECONDS = 20.0

# A thread that leaves a kernel waits so long for Python's lock while another thread runs Python. By default it is 5 ms,
# in which many kernels measure a batch.
SWITCH_SECONDS = 0.0005


class Executor(Protocol):
    """Runner of jobs, called from up to ``width`` threads at a time."""

    @property
    def width(self) -> int: ...

    def run(self, job: Job) -> list[Part]: ...

    def close(self) -> None: ...


class InProcess:
    """Executor in this process: ``width`` jobs at a time, each in a thread; what holds Python's lock runs by turns.

    A job that runs alone may use ``threads`` threads for its parts.
    """

    def __init__(self, width: int = 1, threads: int = 1):
        self.width, self.threads = width, threads

    def run(self, job: Job) -> list[Part]:
        with thread_limit(self.threads), counted(teller(job)):
            return run_job(job)

    def close(self) -> None:
        """Release nothing."""


class EnginePool:
    """Executors of a run: this process for short steps, and one executor, started on demand, for all other steps."""

    def __init__(self, name: str, workers: int, seconds: float | None = None):
        self.name, _, self.address = name.partition(":")
        self.workers, self.seconds = workers, seconds
        self.shared: Executor | None = None
        if self.name not in ENGINES or (self.address and self.name != "dask"):
            raise RecipeError(f"unknown engine {name!r}; {nearest(self.name, [*ENGINES, 'dask:ADDRESS'])}")
        if seconds and self.name == "threads":
            raise RecipeError("a thread cannot be stopped: --job-seconds needs --engine processes or dask")

    def run_inline(self, jobs: list[Job]) -> bool:
        """True if this process finishes the jobs before a worker would have started."""
        if self.name in ("dask", "slurm") or self.seconds:
            return not jobs
        if self.workers == 1 or len(jobs) < 2:
            return True
        light = all(job.cheap or job.threaded for job in jobs) and sum(job.seconds for job in jobs) < INLINE_SECONDS
        return light and not self.shared

    def open(self, jobs: list[Job]) -> Executor:
        """Return the executor for the jobs of one step."""
        if self.run_inline(jobs):
            return InProcess(threads=self.workers) if len(jobs) < 2 else InProcess(self.workers)
        if not self.shared:
            self.shared = self._start()
        return self.shared

    def _start(self) -> Executor:
        if self.name == "threads":
            return InProcess(self.workers)
        if self.name == "processes":
            return Workers(self.workers, self.seconds)
        try:
            from gristmill.flows.engine.dask_cluster import Dask, local, slurm

            started = slurm if self.name == "slurm" else local
            return Dask(self.address or started(self.workers), self.workers, self.seconds)
        except ModuleNotFoundError as error:
            raise RecipeError(f"--engine {self.name} needs {error.name}: pip install 'gristmill[cluster]'") from error

    def close(self) -> None:
        if self.shared:
            self.shared.close()


def in_threads(executor: Executor, jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """Run jobs, ``executor.width`` at a time; yield each with its parts when it is finished."""
    if executor.width == 1:
        for job in jobs:
            yield job, executor.run(job)
        return
    threads = ThreadPoolExecutor(min(executor.width, len(jobs)))
    try:
        futures = {threads.submit(copy_context().run, executor.run, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:  # on Ctrl-C do not wait for running jobs: the next run repeats them
        threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def switching(seconds: float) -> Iterator[None]:
    """Let threads of this process take Python's lock from each other after ``seconds`` in the block."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(seconds)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def frozen() -> Iterator[None]:
    """Let the garbage collector pass over all objects that exist, in the block: 100,000 of modules and classes."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def engine(
    name: str = "processes",
    workers: int | None = None,
    seconds: float | None = None,
    submit: Callable[[Executor, list[Job]], Iterator[tuple[Job, list[Part]]]] = in_threads,
) -> Iterator[Engine]:
    """Open an engine by name: one of ENGINES, or ``dask:tcp://host:8786`` for a running cluster.

    ``seconds`` limits the time of one job. ``submit`` passes jobs to their executor: by threads, or as Prefect tasks.
    """
    executors = EnginePool(name, workers or os.cpu_count() or 1, seconds)
    with closing(executors), switching(SWITCH_SECONDS), frozen():

        def run(jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
            largest_first = sorted(jobs, key=lambda job: -job.bytes)  # so that no long job is left for the end
            yield from submit(executors.open(jobs), largest_first)

        yield run
