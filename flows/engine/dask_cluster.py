"""Jobs on a Dask cluster: a local one, one at an address, or one that SLURM starts. Needs gristmill[cluster].

Every worker must have access to the work folder (shared file system or S3) and the same version of Gristmill. When a
worker dies, Dask repeats its job on another.
"""

import shutil
import signal
import time
from collections.abc import Callable
from itertools import count

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.progress import counted, teller
from gristmill.pipelines.steps.step import Job, release_memory, run_job
from gristmill.pipelines.storage.manifest import Part

CONNECT_SECONDS = 10
WORKER_SECONDS = 30
TOPIC = "gristmill"  # of Dask's events: a job's key, and the bytes that it is done with


class Dask:
    """Client of a cluster. Thread-safe."""

    def __init__(self, cluster, workers: int, seconds: float | None = None):
        from distributed import Client

        try:
            self.client = Client(cluster, timeout=CONNECT_SECONDS, set_as_default=False)
        except OSError as error:
            raise WorkError(f"no Dask scheduler answers at {cluster}: {error}; is `dask scheduler` running?") from error
        self.cluster, self.workers, self.seconds, self.numbers = cluster, workers, seconds, count()
        self.told: dict[str, Callable[[int], None]] = {}  # key of a running job -> its watcher
        self.client.subscribe_topic(TOPIC, self._on_event)
        if isinstance(cluster, str):
            self._wait_for_a_worker()

    def _wait_for_a_worker(self) -> None:
        """Raise WorkError if a running scheduler has no worker. (SLURM may take longer to start one.)"""
        try:
            self.client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            self.client.close()
            raise WorkError(f"{self.cluster} has no worker; start one by `dask worker {self.cluster}`") from error

    def _on_event(self, event: tuple) -> None:
        _, (key, size) = event
        if tell := self.told.get(key):
            tell(size)

    @property
    def width(self) -> int:
        """Number of jobs to submit at a time: two per worker thread, so that no worker waits for the next job.

        Requested workers count before they have started.
        """
        return 2 * max(sum(self.client.nthreads().values()), self.workers)

    def run(self, job: Job) -> list[Part]:
        """Run a job on any worker."""
        from distributed import KilledWorker

        key = f"{job.title.replace(' ', '-')}-{time.time_ns()}-{next(self.numbers)}"  # shown by the dashboard
        self.told[key] = teller(job)
        future = self.client.submit(run_with_limit, job, self.seconds, key, key=key, pure=False)
        try:
            return future.result()
        except KilledWorker as error:
            raise WorkError(f"{job.title!r} lost all its workers: {error}; allow more memory or time") from error
        finally:
            del self.told[key]

    def close(self) -> None:
        self.client.close()
        if not isinstance(self.cluster, str):
            self.cluster.close()


def run_with_limit(job: Job, seconds: float | None, key: str) -> list[Part]:
    """Run the job of a key; after ``seconds`` the operating system ends this worker, even inside a kernel."""
    from distributed import get_worker

    worker = get_worker()
    signal.setitimer(signal.ITIMER_REAL, seconds or 0)
    try:
        with counted(lambda size: worker.log_event(TOPIC, (key, size))):
            return run_job(job)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        release_memory()


def local(workers: int):
    """Start a cluster on this machine: one process per worker, with one thread each."""
    from distributed import LocalCluster

    return LocalCluster(workers, threads_per_worker=1, memory_limit=0, dashboard_address=None)


def slurm(workers: int):
    """Start a cluster of SLURM jobs, each as ``jobqueue.slurm`` of Dask's configuration describes."""
    from dask_jobqueue import SLURMCluster

    if not shutil.which("sbatch"):
        raise RecipeError("--engine slurm submits jobs by sbatch, which is not on this machine: use a login node")
    cluster = SLURMCluster()
    cluster.scale(jobs=workers)
    return cluster
