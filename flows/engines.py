"""Where jobs run: here one after the other, in threads, in worker processes, or on a cluster."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from typing import Protocol

from flows.workers import Workers
from pipelines.errors import RecipeError
from pipelines.manifest import Part
from pipelines.settings import nearest
from pipelines.step import Engine, Job, run_job, serial

ENGINES = ("processes", "threads", "dask", "slurm")

# Light jobs (0.1 s and 40 MB/s) run here below so many seconds of them: a worker takes 2 s to start.
LIGHT_SECONDS = 6.0


class Place(Protocol):
    """Somewhere a job can be done, called from as many threads as it is wide."""

    width: int

    def run(self, job: Job) -> list[Part]: ...


class Here:
    """This process, one job after the other."""

    width = 1

    def run(self, job: Job) -> list[Part]:
        return run_job(job)


class Threads:
    """Threads of this process. Kernels run beside each other, Python does not; a thread cannot be stopped."""

    def __init__(self, width: int):
        self.width = width

    def run(self, job: Job) -> list[Part]:
        return run_job(job)


class Places:
    """The place of a run: opened for each step, or once for all where it is a cluster."""

    def __init__(self, name: str, workers: int, seconds: float | None = None):
        self.name, _, self.address = name.partition(":")
        self.workers, self.seconds, self.cluster = workers, seconds, None
        if self.name not in ENGINES or (self.address and self.name != "dask"):
            raise RecipeError(f"no engine {name!r}; {nearest(self.name, [*ENGINES, 'dask:ADDRESS'])}")
        if seconds and self.name == "threads":
            raise RecipeError("a thread cannot be stopped: --job-seconds needs --engine processes or dask")

    def stays_here(self, jobs: list[Job]) -> bool:
        """Are the jobs done sooner in this process than a worker has started?"""
        if self.name in ("dask", "slurm") or self.seconds:
            return not jobs
        light = sum(0.1 + job.bytes / 40e6 for job in jobs)
        return self.workers == 1 or len(jobs) < 2 or (light < LIGHT_SECONDS and all(job.light for job in jobs))

    def open(self, jobs: list[Job]) -> AbstractContextManager[Place]:
        """The place for the jobs of one step."""
        if self.stays_here(jobs):
            return nullcontext(Here())
        if self.name == "threads":
            return nullcontext(Threads(self.workers))
        if self.name == "processes":
            return closing(Workers(self.workers, self.seconds))
        if not self.cluster:
            self.cluster = self._connect()
        return nullcontext(self.cluster)

    def _connect(self) -> Place:
        try:
            from flows.cluster import Dask, local, slurm

            started = slurm if self.name == "slurm" else local
            return Dask(self.address or started(self.workers), self.workers, self.seconds)
        except ModuleNotFoundError as error:
            raise RecipeError(f"--engine {self.name} needs {error.name}: pip install 'gristmill[cluster]'") from error

    def close(self) -> None:
        if self.cluster:
            self.cluster.close()


def in_threads(place: Place, jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """As many jobs at a time as the place is wide."""
    if isinstance(place, Here):
        yield from serial(jobs)
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
    spread: Callable[[Place, list[Job]], Iterator[tuple[Job, list[Part]]]] = in_threads,
) -> Iterator[Engine]:
    """The engine of that name (``dask:tcp://host:8786`` for a cluster that runs).

    A job may take so many ``seconds``; ``spread`` hands jobs to the place where they run, as threads do or Prefect.
    """
    with closing(Places(name, workers or os.cpu_count() or 1, seconds)) as places:

        def run(jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
            with places.open(jobs) as place:
                yield from spread(place, jobs)

        yield run
