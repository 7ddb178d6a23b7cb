"""Options and arguments that several commands share."""

import os

import click
from rich.console import Console

from pipelines.errors import WorkError

console = Console(stderr=True)  # what is going on; results go to standard output


workers_option = click.option("--workers", type=click.IntRange(1), default=os.cpu_count(), show_default="all cores")


def run_options(command):
    """RECIPE, where to read, where to write, how many workers."""
    for option in (
        click.option(
            "--set", "changes", multiple=True, metavar="STEP.SETTING=VALUE", help="Change one setting of the recipe."
        ),
        workers_option,
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
        workers_option,
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
    from pipelines.files import place, write_whole

    folder = place(work)
    if folder.exists() and not folder.is_dir():
        raise WorkError(f"{work} is a file; --output must name a folder")
    probe = folder / ".writable"
    with write_whole(probe):
        pass
    probe.unlink()
    return folder
