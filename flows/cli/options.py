"""Options and arguments that several commands share."""

import functools
import math
import os

import click

from gristmill.flows.cli.output import console, say, silent
from gristmill.pipelines.errors import WorkError


class Real(click.FloatRange):
    """Range of finite numbers: NaN lies in every range of click."""

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        return self.fail(f"{value} is not a number", param, ctx) if math.isnan(number) else number


def whole(least: int, most: int = 2**31 - 1) -> click.IntRange:
    """Return the type of options that take whole numbers from ``least`` to ``most``."""
    return click.IntRange(least, most)


MOST_FILES = 20  # files to name at the end of a run

work_argument = click.argument("work", metavar="WORK")

input_option = click.option(
    "--input", "paths", multiple=True, metavar="PATH", help="File, folder, glob or URL to read; may be repeated."
)
METHOD = click.option(
    "--method",
    type=click.Choice(["lora", "bottleneck", "prefix", "prompt", "p-tuning-v2"]),
    help="Freeze the weights that training begins with, and train an adapter.",
)
_set = click.option("--set", "changes", multiple=True, metavar="STEP.SETTING=VALUE", help="Change one setting.")
_output = click.option(
    "--output", "work", default="work", show_default=True, metavar="FOLDER", help="Work folder to write."
)


def engine_options(command):
    """Add options for jobs and their log; the command gets an open ``engine``, and calls `run_progress` before jobs."""

    @functools.wraps(command)
    def run(*args, engine, workers, job_seconds, **kwargs):
        from gristmill.flows.engine.engines import engine as engine_of
        from gristmill.pipelines.arrow_alone import keep_pandas_out

        keep_pandas_out()
        with engine_of(engine, workers, job_seconds) as opened:
            return command(*args, engine=opened, **kwargs)

    for option in (
        click.option(
            "--prometheus",
            metavar="FILE",
            expose_value=False,
            callback=_keep,
            help="Write Prometheus metrics to FILE.",
        ),
        click.option(
            "--log-format",
            type=click.Choice(["text", "json"]),
            default="text",
            show_default=True,
            expose_value=False,
            callback=_keep,
            help="Format of the log on standard error.",
        ),
        click.option("--job-seconds", type=Real(0, 1e9, min_open=True), help="Time limit for one job."),
        click.option(
            "--engine",
            default="processes",
            show_default=True,
            metavar="NAME",
            help="Engine that runs jobs: processes, threads, dask (starts a cluster), dask:ADDRESS or slurm.",
        ),
        click.option(
            "--workers",
            type=whole(1, 1024),
            default=os.cpu_count(),
            show_default="all cores",
            help="Number of jobs to run at the same time.",
        ),
    ):
        run = option(run)
    return run


def _keep(context, option, value):
    context.meta[option.name] = value


def run_progress(folder):
    """Return the progress of a command with `engine_options`, with its log in ``folder``.

    Kernels are compiled here, once: after the command has read its recipe and options, where most mistakes are.
    """
    from gristmill.flows.engine.kernels import compile_all
    from gristmill.flows.engine.progress import RichProgress
    from gristmill.pipelines.storage.files import to_path

    options = click.get_current_context().meta
    prometheus = options.get("prometheus")
    as_json = options.get("log_format") == "json"
    try:
        compile_all(silent if as_json else console)
    except WorkError as error:  # nothing is lost but time: kernels compile at their first call
        console.print(str(error))
    return RichProgress(console, folder, as_json, to_path(prometheus) if prometheus else None)


def run_options(command):
    """Add RECIPE, its input paths, the work folder and `engine_options`."""
    for option in (
        _set,
        engine_options,
        _output,
        input_option,
        click.argument("recipe", metavar="RECIPE"),
    ):
        command = option(command)
    return command


def work_options(command):
    """Add CORPUS…, the work folder and `engine_options`, for commands that build their own recipe."""
    for option in (
        _set,
        engine_options,
        _output,
        click.argument("corpus", nargs=-1, required=True, metavar="CORPUS..."),
    ):
        command = option(command)
    return command


def settings_option(tables: str):
    """Return the option ``--set TABLE.SETTING=VALUE``, for commands without a recipe."""
    return click.option(
        "--set", "changes", multiple=True, metavar="TABLE.SETTING=VALUE", help=f"Change one setting of {tables}."
    )


def name_losses(files, folder):
    """Print one line for each file that was not read to its end, up to MOST_FILES."""
    for file in files[:MOST_FILES]:
        say(str(file), err=True, fg="red")
    if len(files) > MOST_FILES:
        more = len(files) - MOST_FILES
        say(f"{more:,} more files were not read to their end; {folder}/rejects lists them", err=True, fg="red")


def writable(work):
    """Return the work folder as a path; raise WorkError if it cannot be made or written."""
    from gristmill.pipelines.storage.files import atomic_write, to_path

    folder = to_path(work)
    if folder.exists() and not folder.is_dir():
        raise WorkError(f"{work} is a file; --output must name a folder")
    probe = folder / ".writable"
    with atomic_write(probe):
        pass
    probe.unlink()
    return folder


budget_option = click.option(
    "--budget", default="1h", show_default=True, metavar="TIME", help="Stop after a time (2h, 90m) or runs (40runs)."
)


def experiment_options(command):
    """Add the options of a command whose small models are those of an experiment."""
    command = click.option(
        "--set", "changes", multiple=True, metavar="TABLE.SETTING=VALUE", help="Change one setting of the experiment."
    )(command)
    return click.option(
        "--experiment",
        default="impact-small",
        show_default=True,
        metavar="RECIPE",
        help="Take model, training, tokenizer and held-out sets from a recipe of `gristmill impact`.",
    )(command)
