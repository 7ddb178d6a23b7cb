"""Where jobs run: here one after the other, or in worker processes."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from pipelines.errors import WorkError
from pipelines.manifest import Part
from pipelines.step import Engine, Job, run_job, serial

# One thread a process: parallelism is across shards, and idle pools of threads only cost start-up and memory.
ONE_THREAD = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS")

# Light jobs (0.1 s and 40 MB/s) run here below so many seconds of them: a worker takes 2 s to start.
LIGHT_SECONDS = 6.0


def engine(workers: int) -> Engine:
    """The engine for a number of workers; one worker is this process."""
    return serial if workers == 1 else processes(workers)


def processes(workers: int) -> Engine:
    """Worker processes, spawned anew for each step so that they inherit nothing and leave nothing."""

    def run(jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
        light = sum(0.1 + job.bytes / 40e6 for job in jobs)
        if len(jobs) < 2 or (light < LIGHT_SECONDS and all(job.light for job in jobs)):
            yield from serial(jobs)
            return
        os.environ.update(dict.fromkeys(ONE_THREAD, "1"))
        pool = ProcessPoolExecutor(min(workers, len(jobs)), get_context("spawn"), _start_worker, (os.getpid(),))
        try:
            futures = {pool.submit(run_job, job): job for job in jobs}
            for future in as_completed(futures):
                yield futures[future], future.result()
            pool.shutdown()
        except BrokenProcessPool as error:
            raise WorkError(
                "a worker process was killed, most likely for want of memory; finished shards are kept: "
                f"run the same command again with --workers {max(1, workers // 2)}"
            ) from error
        finally:  # also on Ctrl-C: do not wait for jobs that are under way, they are made again
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(wait=False, cancel_futures=True)

    return run


def _start_worker(parent: int) -> None:
    """A worker leaves Ctrl-C to its parent, and goes when the parent is gone (killed, say)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_exit_with, args=(lambda: os.getppid() != parent,), daemon=True).start()


def _exit_with(orphaned: Callable[[], bool]) -> None:
    while not orphaned():
        time.sleep(0.5)
    os._exit(1)
