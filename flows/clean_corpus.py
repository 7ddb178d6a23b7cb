"""The flow ``clean-corpus``: the plan of ``gristmill clean``, run and shown by Prefect. Same steps, same bytes."""

from collections.abc import Iterator

from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE
from prefect.futures import as_completed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from flows.recipe import read_recipe
from flows.run import clean
from pipelines.files import place
from pipelines.manifest import Part
from pipelines.step import Job, run_job


# Manifests say what is finished (not Prefect's cache), and files are the results (not Prefect's storage).
@task(cache_policy=NO_CACHE, persist_result=False, retries=1)
def run(job: Job) -> list[Part]:
    """One job of one step."""
    return run_job(job)


def as_tasks(jobs: list[Job]) -> Iterator[tuple[Job, list[Part]]]:
    """The engine of a flow: a task a job, on the flow's task runner."""
    futures = {}
    for job in jobs:
        name = f"{job.work.__name__} {job.outputs[0].name}".replace("_", " ")
        futures[run.with_options(task_run_name=name).submit(quote(job))] = job
    for future in as_completed(list(futures)):
        yield futures[future], future.result()


class Logged:
    """Progress as lines of the flow run's log."""

    def start(self, title, jobs, bytes):
        get_run_logger().info("%s: %d jobs, %.1f MB", title, jobs, bytes / 1e6)

    def advance(self, job):
        pass

    def finish(self, title, seconds, fresh, counts):
        get_run_logger().info("%s: finished in %.1f s, %s", title, seconds, counts)


@flow(name="clean-corpus", task_runner=ThreadPoolTaskRunner(max_workers=2), validate_parameters=True)
def clean_corpus(
    recipe: str = "recipes/clean-corpus.toml", input: list[str] | None = None, output: str = "work"
) -> dict:
    """Clean a corpus: the paths ``input`` (or the recipe's own) by ``recipe`` into the work folder ``output``."""
    return clean(read_recipe(recipe, paths=tuple(input or ())), place(output), as_tasks, Logged())
