"""Jobs on a Dask cluster: one of our own, one at an address, or one that SLURM starts. Needs gristmill[cluster].

Every worker must see the work folder (a shared file system, or S3) and have the same Gristmill installed. A job that
loses its worker is done again by Dask on another.
"""

import shutil
import signal
import time
from itertools import count

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.steps.step import Job, run_job
from gristmill.pipelines.storage.manifest import Part

CONNECT_SECONDS = 10
WORKER_SECONDS = 30


class Dask:
    """A client of a cluster. Safe to use from threads."""

    def __init__(self, cluster, workers: int, seconds: float | None = None):
        from distributed import Client

        try:
            self.client = Client(cluster, timeout=CONNECT_SECONDS, set_as_default=False)
        except OSError as error:
            raise WorkError(f"no Dask scheduler answers at {cluster}: {error}; is `dask scheduler` running?") from error
        self.cluster, self.workers, self.seconds, self.numbers = cluster, workers, seconds, count()
        if isinstance(cluster, str):
            self._wait_for_a_worker()

    def _wait_for_a_worker(self) -> None:
        """SLURM may take its time; a scheduler that runs should have workers."""
        try:
            self.client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            self.client.close()
            raise WorkError(f"{self.cluster} has no worker; start some by `dask worker {self.cluster}`") from error

    @property
    def width(self) -> int:
        """Jobs that are handed over at a time: more than there are threads, so that no worker waits for us.

        Workers that are still on their way count by what was asked for.
        """
        return 2 * max(sum(self.client.nthreads().values()), self.workers)

    def run(self, job: Job) -> list[Part]:
        """Do a job on some worker."""
        from distributed import KilledWorker

        key = f"{job.title.replace(' ', '-')}-{time.time_ns()}-{next(self.numbers)}"  # what the dashboard shows
        future = self.client.submit(in_time, job, self.seconds, key=key, pure=False)
        try:
            return future.result()
        except KilledWorker as error:
            raise WorkError(f"{job.title!r} lost its worker again and again: {error}; more memory or time?") from error

    def close(self) -> None:
        self.client.close()
        if not isinstance(self.cluster, str):
            self.cluster.close()


def in_time(job: Job, seconds: float | None) -> list[Part]:
    """Do a job; where it takes too long the kernel ends this worker, whatever it hangs in."""
    signal.setitimer(signal.ITIMER_REAL, seconds or 0)
    try:
        return run_job(job)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def local(workers: int):
    """A cluster on this machine: a process a worker, with one thread each."""
    from distributed import LocalCluster

    return LocalCluster(workers, threads_per_worker=1, memory_limit=0, dashboard_address=None)


def slurm(workers: int):
    """A cluster of so many SLURM jobs, as ``jobqueue.slurm`` of Dask's configuration describes one."""
    from dask_jobqueue import SLURMCluster

    if not shutil.which("sbatch"):
        raise RecipeError("--engine slurm submits jobs by sbatch, which is not on this machine: use a login node")
    cluster = SLURMCluster()
    cluster.scale(jobs=workers)
    return cluster
