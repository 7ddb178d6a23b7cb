"""Where jobs run: here one after the other, in threads, in worker processes, or on a cluster."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing, contextmanager
from typing import Protocol

from gristmill.flows.engine.workers import Workers
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import nearest
from gristmill.pipelines.steps.step import Engine, Job, run_job
from gristmill.pipelines.steps.threads import thread_limit
from gristmill.pipelines.storage.manifest import Part

ENGINES = ("processes", "threads", "dask", "slurm")

# Light jobs run here below so many seconds of them, where no worker has started: it takes 2 s to.
LIGHT_SECONDS = 6.0


class Executor(Protocol):
    """Somewhere a job can be done, called from as many threads as it is wide."""

    width: int

    def run(self, job: Job) -> list[Part]: ...

    def close(self) -> None: ...


class InProcess:
    """This process: a job after the other, or in threads, where kernels run beside each other and Python does not.

    A job that has the run to itself may use ``threads`` for its parts.
    """

    def __init__(self, width: int = 1, threads: int = 1):
        self.width, self.threads = width, threads

    def run(self, job: Job) -> list[Part]:
        with thread_limit(self.threads):
            return run_job(job)

    def close(self) -> None:
        """Nothing is held."""


class EnginePool:
    """The places of a run: this process for steps that are soon done, for all others one that stays for all of them."""

    def __init__(self, name: str, workers: int, seconds: float | None = None):
        self.name, _, self.address = name.partition(":")
        self.workers, self.seconds, self.elsewhere = workers, seconds, None
        if self.name not in ENGINES or (self.address and self.name != "dask"):
            raise RecipeError(f"no engine {name!r}; {nearest(self.name, [*ENGINES, 'dask:ADDRESS'])}")
        if seconds and self.name == "threads":
            raise RecipeError("a thread cannot be stopped: --job-seconds needs --engine processes or dask")

    def stays_here(self, jobs: list[Job]) -> bool:
        """Are the jobs done sooner in this process than a worker has started?"""
        if self.name in ("dask", "slurm") or self.seconds:
            return not jobs
        if self.workers == 1 or len(jobs) < 2:
            return True
        light = all(job.light for job in jobs) and sum(job.seconds for job in jobs) < LIGHT_SECONDS
        return light and not self.elsewhere

    def open(self, jobs: list[Job]) -> Executor:
        """The place for the jobs of one step."""
        if self.stays_here(jobs):
            return InProcess(threads=self.workers if len(jobs) == 1 else 1)
        if not self.elsewhere:
            self.elsewhere = self._start()
        return self.elsewhere

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
        if self.elsewhere:
            self.elsewhere.close()


def in_threads(place: Executor, jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """As many jobs at a time as the place is wide."""
    if place.width == 1:
        for job in jobs:
            yield job, place.run(job)
        return
    threads = ThreadPoolExecutor(min(place.width, len(jobs)))
    try:
        futures = {threads.submit(place.run, job): job for job in jobs}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:  # also on Ctrl-C: do not wait for jobs that are under way, they are made again
        threads.shutdown(wait=False, cancel_futures=True)


@contextmanager
def engine(
    name: str = "processes",
    workers: int | None = None,
    seconds: float | None = None,
    spread: Callable[[Executor, list[Job]], Iterator[tuple[Job, list[Part]]]] = in_threads,
) -> Iterator[Engine]:
    """The engine of that name (``dask:tcp://host:8786`` for a cluster that runs).

    A job may take so many ``seconds``; ``spread`` hands jobs to the place where they run, as threads do or Prefect.
    """
    with closing(EnginePool(name, workers or os.cpu_count() or 1, seconds)) as places:

        def run(jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
            largest_first = sorted(jobs, key=lambda job: -job.bytes)  # or one long job is waited for at the end
            yield from spread(places.open(jobs), largest_first)

        yield run
