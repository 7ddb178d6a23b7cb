"""Prefect tasks for jobs: one job, or several short ones, is a named task on the engine's executor.

Manifests record finished work, not Prefect's cache; files are the results, not Prefect's storage. Workers need no
Prefect and no connection to its server, so a restart of the server does not affect them.
"""

import time
from collections.abc import Iterator
from heapq import heapreplace
from math import ceil
from typing import Any

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.utilities.annotations import quote

from gristmill.flows.clean.funnel import funnel_rows, funnel_text
from gristmill.flows.engine.engines import Executor
from gristmill.flows.escape import LINE, TERMINAL
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.steps.step import Job
from gristmill.pipelines.storage.manifest import Part

UPDATE_SECONDS = 2.0  # between updates of a progress bar
TASK_SECONDS = 2.0  # of work per task, about: each task costs time of the server, on the same cores


def is_worth_retry(task, run, state) -> bool:
    """True if a task may succeed on a second attempt: a GristmillError needs a correction by the user first."""
    return not isinstance(state.result(raise_on_failure=False), GristmillError)


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=is_worth_retry,
)
def run_bundle(executor: Executor, jobs: list[Job]) -> list[list[Part]]:
    """Run one job, or several short ones."""
    return [executor.run(job) for job in jobs]


def as_tasks(executor: Executor, jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """Run one task per bundle, ``executor.width`` at a time, so that tasks shown as running do run."""
    waiting = list(reversed(bundle_jobs(jobs, executor.width)))
    running: dict[PrefectFuture, list[Job]] = {}
    while waiting or running:
        while waiting and len(running) < executor.width:
            bundle = waiting.pop()
            name = bundle[0].title + (f" and {len(bundle) - 1} more" if len(bundle) > 1 else "")
            quoted: tuple[Any, Any] = quote(executor), quote(bundle)
            running[run_bundle.with_options(task_run_name=name.translate(LINE)).submit(*quoted)] = bundle
        future = next(as_completed(list(running)))
        yield from zip(running.pop(future), future.result(), strict=True)


def bundle_jobs(jobs: list[Job], width: int) -> list[list[Job]]:
    """Group jobs, given largest first, into tasks of about TASK_SECONDS or one job, equally long and many per slot."""
    tasks = width * ceil(sum(job.seconds for job in jobs) / width / TASK_SECONDS)
    bundles: list[list[Job]] = [[] for _ in range(min(tasks, len(jobs)))]
    loads = [(0.0, k) for k in range(len(bundles))]  # a heap
    for job in jobs:
        load, k = loads[0]
        bundles[k].append(job)
        heapreplace(loads, (load + job.seconds, k))
    return bundles


class PrefectProgress:
    """Progress as lines in the flow run's log, and for long steps as a bar among the run's artifacts.

    The bar is updated every UPDATE_SECONDS at most, since the next job waits for the server's answer.
    """

    def start(self, title: str, jobs: int, bytes: int) -> None:
        self.title, self.jobs, self.done, self.bytes = title, jobs, 0, bytes
        self.bar: Any = None  # the artifact's id
        self.updated = time.monotonic()
        log_line(f"{title}: {jobs} jobs, {bytes / 1e6:.1f} MB")

    def move(self, job: Job, bytes: int) -> None:
        """Show nothing: the server lists the tasks that run."""

    def advance(self, job: Job) -> None:
        self.done += 1
        if time.monotonic() - self.updated > UPDATE_SECONDS or (self.bar and self.done == self.jobs):
            percent = 100 * self.done / self.jobs
            if self.bar:
                update_progress_artifact(self.bar, percent)
            else:
                self.bar = create_progress_artifact(percent, description=self.title)
            self.updated = time.monotonic()

    def finish(self, title: str, seconds: float, jobs_run: int, counts: dict[str, int]) -> None:
        rate = self.bytes / 1e6 / seconds
        log_line(f"{title}: finished in {seconds:.1f} s, {rate:.1f} MB/s, {counts}")


def log_line(text: str) -> None:
    """Write to the flow run's log, without the control characters that names of files and steps may hold."""
    get_run_logger().info("%s", text.translate(TERMINAL))


def show_funnel(summary: dict, work: str) -> None:
    """Write the funnel to the flow run's log, and create an artifact with it and a command to continue with."""
    log_line(f"funnel of {work}\n{funnel_text(summary)}")
    lines = ["| | documents | MB |", "|---|---:|---:|"]
    lines += [f"| {name} | {documents:,} | {megabytes} |" for name, documents, megabytes in funnel_rows(summary)]
    lines += ["", f"Ledger: `{work}/ledger`, `gristmill why {work} ID`"]
    create_markdown_artifact("\n".join(lines), key="funnel", description="Documents removed by each step")
