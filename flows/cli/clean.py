"""gristmill clean"""

import functools

import click

from gristmill.flows.cli.options import name_losses, run_options, run_progress, writable
from gristmill.flows.cli.output import console, say_table
from gristmill.pipelines.garbage import importing


def unless_finished(command):
    """Return a command that prints the summary of the run that it would repeat, and imports none of its steps."""

    @functools.wraps(command)
    def run(**options):
        with importing():
            from gristmill.flows.runs.receipt import request_of, unchanged
            from gristmill.pipelines.storage.files import to_path

        recipe, paths, work = options["recipe"], options["paths"], options["work"]
        request = request_of(recipe, options["changes"], paths, options["profiles"])
        request = request if options["engine"] == "processes" else ""
        if summary := unchanged(request, recipe, paths, to_path(work)):
            say_unchanged(work)
            return report(summary, work)
        click.get_current_context().meta["request"] = request
        return command(**options)

    return run


@click.command()
@unless_finished
@run_options
@click.option(
    "--profiles", multiple=True, metavar="PATH", help="File or folder of language profiles to use; may be repeated."
)
def clean(recipe, paths, work, engine, changes, profiles):
    """Run RECIPE: read raw files; write clean documents, removed documents, and the reasons for each removal.

    Finished work is reused: run the same command again after a crash, Ctrl-C or a changed threshold.

    \b
        gristmill clean clean-corpus --input crawl.jsonl.zst --output work
        gristmill clean clean-corpus --input 'crawl/*.parquet' --set gopher.min_words=30
        gristmill clean clean-corpus --input crawl --profiles profiles
    """
    with importing():
        from gristmill.flows.clean.recipe import LATER, read_recipe

    settings = read_recipe(recipe, changes, paths, profiles or None)
    report(run(settings, writable(work), engine), work)
    if later := [name for name in LATER if getattr(settings, name) is not None]:
        command = f"gristmill run {recipe} --output {work}"
        console.print(f"  {'later':<{len(work) + 10}}{', '.join(later)}: {command}", soft_wrap=True)


def run(recipe, folder, engine) -> dict:
    """Run a recipe, show its progress, and return the summary."""
    with importing():
        from gristmill.flows.clean.run import clean
        from gristmill.flows.runs.receipt import write_receipt

    progress, request = run_progress(folder), click.get_current_context().meta.get("request", "")
    try:
        summary = clean(recipe, folder, engine, progress, functools.partial(write_receipt, folder, request))
    finally:
        progress.stop()
    if progress.work_done:
        console.print()
    else:
        say_unchanged(folder)
    return summary


def say_unchanged(work) -> None:
    console.print(f"\nNothing to do: {work} is finished, and recipe and input are unchanged.\n")


def report(summary: dict, work: str) -> None:
    """Print the funnel to standard output, and commands to continue with."""
    from gristmill.flows.clean.funnel import funnel
    from gristmill.pipelines.ingest.losses import LostFile

    say_table(funnel(summary))
    name_losses([LostFile(**file) for file in summary["broken_files"]], work)
    for folder, holds, command in (
        ("clean", "kept documents", f"gristmill inspect {work}/clean"),
        ("removed", "removed documents", f"gristmill inspect {work}/removed --histogram reason"),
        ("ledger", "every document", f"gristmill why {work} ID"),
    ):
        console.print(f"  {work}/{folder:<9}{holds:<19}{command}", soft_wrap=True)
