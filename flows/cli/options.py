"""Options and arguments that several commands share."""

import functools
import os

import click
from rich.console import Console

from gristmill.pipelines.errors import WorkError

console = Console(stderr=True)  # what is going on; results go to standard output


ENGINE = "processes, threads, dask (a cluster of its own), dask:ADDRESS or slurm."


def engine_options(command):
    """Where jobs run and what is told of them. The command gets an ``engine``; `shown` gives it its progress."""

    @functools.wraps(command)
    def run(*args, engine, workers, job_seconds, **kwargs):
        from gristmill.flows.engine.engines import engine as engine_of

        with engine_of(engine, workers, job_seconds) as opened:
            return command(*args, engine=opened, **kwargs)

    for option in (
        click.option("--metrics", metavar="FILE", expose_value=False, callback=_keep, help="Figures for Prometheus."),
        click.option("--json-log", is_flag=True, expose_value=False, callback=_keep, help="Log as lines of JSON."),
        click.option("--job-seconds", type=click.FloatRange(0, min_open=True), help="Time limit of a job: one shard."),
        click.option("--engine", default="processes", show_default=True, metavar="NAME", help=ENGINE),
        click.option("--workers", type=click.IntRange(1), default=os.cpu_count(), show_default="all cores"),
    ):
        run = option(run)
    return run


def _keep(context, option, value):
    context.meta[option.name] = value


def shown(folder):
    """The progress of a command with `engine_options`, logged in ``folder``."""
    from gristmill.flows.engine.progress import RichProgress
    from gristmill.pipelines.storage.files import to_path

    told = click.get_current_context().meta
    metrics = told.get("metrics")
    return RichProgress(console, folder, told.get("json_log", False), to_path(metrics) if metrics else None)


def run_options(command):
    """RECIPE, where to read, where to write, how many workers."""
    for option in (
        click.option(
            "--set", "changes", multiple=True, metavar="STEP.SETTING=VALUE", help="Change one setting of the recipe."
        ),
        engine_options,
        click.option("--output", "work", default="work", show_default=True, metavar="WORK", help="The work folder."),
        click.option("--input", "paths", multiple=True, metavar="PATH", help="Files, folders, globs or URLs to read."),
        click.argument("recipe", metavar="RECIPE"),
    ):
        command = option(command)
    return command


def work_options(command):
    """CORPUS…, where to write, how many workers, settings of the recipe that the command builds."""
    for option in (
        click.option("--set", "changes", multiple=True, metavar="STEP.SETTING=VALUE", help="Change one setting."),
        engine_options,
        click.option("--output", "work", default="work", show_default=True, metavar="WORK", help="The work folder."),
        click.argument("corpus", nargs=-1, required=True, metavar="CORPUS..."),
    ):
        command = option(command)
    return command


def settings_option(tables: str):
    """``--set TABLE.SETTING=VALUE`` for commands without a recipe."""
    return click.option("--set", "changes", multiple=True, metavar="TABLE.SETTING=VALUE", help=f"Table: {tables}.")


work_folder = click.option("--work", "work", default="work", show_default=True, metavar="WORK", help="The work folder.")


def writable(work):
    """Check that the work folder can be made and written before anything is begun."""
    from gristmill.pipelines.storage.files import atomic_write, to_path

    folder = to_path(work)
    if folder.exists() and not folder.is_dir():
        raise WorkError(f"{work} is a file; --output must name a folder")
    probe = folder / ".writable"
    with atomic_write(probe):
        pass
    probe.unlink()
    return folder
