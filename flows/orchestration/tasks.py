"""Prefect as an engine: a job, or some short ones, is a task with a name, run where the engine says.

Manifests say what is finished (not Prefect's cache), files are the results (not Prefect's storage). The place a job
runs at needs no Prefect: workers hold no connection to the server, so a server that is restarted costs them nothing.
"""

import time
from collections.abc import Iterator
from heapq import heapreplace
from math import ceil
from uuid import UUID

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.utilities.annotations import quote

from gristmill.flows.engine.engines import Executor
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.steps.step import Job
from gristmill.pipelines.storage.manifest import Part

TELL_SECONDS = 2.0
TASK_SECONDS = 2.0  # of work, about: each task takes time of the server's, on the same cores as the work


def is_not_the_users(task, run, state) -> bool:
    """Is it worth another try? A GristmillError says what must be put right first."""
    return not isinstance(state.result(raise_on_failure=False), GristmillError)


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=1,
    retry_delay_seconds=2,
    retry_condition_fn=is_not_the_users,
)
def run_bundle(place: Executor, jobs: list[Job]) -> list[list[Part]]:
    """One job of one step, or some short ones."""
    return [place.run(job) for job in jobs]


def as_tasks(place: Executor, jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """A task a bundle, and as many at a time as the place is wide: what is shown as running runs."""
    waiting, under_way = list(reversed(bundle_jobs(jobs, place.width))), {}
    while waiting or under_way:
        while waiting and len(under_way) < place.width:
            bundle = waiting.pop()
            name = bundle[0].title + (f" and {len(bundle) - 1} more" if len(bundle) > 1 else "")
            under_way[run_bundle.with_options(task_run_name=name).submit(quote(place), quote(bundle))] = bundle
        future = next(as_completed(list(under_way)))
        yield from zip(under_way.pop(future), future.result(), strict=True)


def bundle_jobs(jobs: list[Job], width: int) -> list[list[Job]]:
    """Jobs, the largest first, as tasks of TASK_SECONDS or one job, alike in length and alike many for each place."""
    tasks = width * ceil(sum(job.seconds for job in jobs) / width / TASK_SECONDS)
    bundles = [[] for _ in range(min(tasks, len(jobs)))]
    loads = [(0.0, k) for k in range(len(bundles))]  # a heap
    for job in jobs:
        load, k = loads[0]
        bundles[k].append(job)
        heapreplace(loads, (load + job.seconds, k))
    return bundles


class PrefectProgress:
    """Progress as lines of the flow run's log; a step that takes longer also has a bar among the run's artifacts.

    The bar is told every TELL_SECONDS: the next job waits for the server's answer.
    """

    def start(self, title: str, jobs: int, bytes: int) -> None:
        self.title, self.jobs, self.done, self.bytes = title, jobs, 0, bytes
        self.bar: UUID | None = None
        self.told = time.monotonic()
        get_run_logger().info("%s: %d jobs, %.1f MB", title, jobs, bytes / 1e6)

    def advance(self, job: Job) -> None:
        self.done += 1
        if time.monotonic() - self.told > TELL_SECONDS or (self.bar and self.done == self.jobs):
            percent = 100 * self.done / self.jobs
            if self.bar:
                update_progress_artifact(self.bar, percent)
            else:
                self.bar = create_progress_artifact(percent, description=self.title)
            self.told = time.monotonic()

    def finish(self, title: str, seconds: float, fresh: int, counts: dict[str, int]) -> None:
        rate = self.bytes / 1e6 / seconds
        get_run_logger().info("%s: finished in %.1f s, %.1f MB/s, %s", title, seconds, rate, counts)


def show_funnel(summary: dict, work: str) -> None:
    """The funnel as an artifact of the flow run, and where to look next."""
    rows = [("in", summary["documents_in"], summary["bytes_in"])]
    rows += [("rejects", -summary["rejects"], None)] if summary["rejects"] else []
    for name, step in summary["steps"].items():
        rows.append((name, -step["removed"], -step["bytes_removed"]))
    rows.append(("**clean**", summary["clean"], summary["bytes_clean"]))
    lines = ["| | documents | MB |", "|---|---:|---:|"]
    lines += [f"| {name} | {documents:,} | {'' if b is None else f'{b / 1e6:,.1f}'} |" for name, documents, b in rows]
    lines += ["", f"Ledger: `{work}/ledger`, `gristmill why {work} ID`"]
    create_markdown_artifact("\n".join(lines), key="funnel", description="What each step took")
