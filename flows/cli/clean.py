"""gristmill clean"""

import click

from gristmill.flows.cli.options import console, run_options, shown, writable


@click.command()
@run_options
def clean(recipe, paths, work, engine, changes):
    """Run RECIPE: raw files in; clean documents, removed documents and the reasons out.

    What is finished and still fits is not done again: run it once more after a crash, Ctrl-C or a changed threshold.

    \b
        gristmill clean clean-corpus --input crawl.jsonl.zst --output work
        gristmill clean clean-corpus --input 'crawl/*.parquet' --set gopher.min_words=30
    """
    from gristmill.flows.clean.recipe import read_recipe

    settings = read_recipe(recipe, changes, paths)
    report(run(settings, writable(work), engine), work)


def run(recipe, folder, engine) -> dict:
    """Run a recipe with its progress shown; returns the summary."""
    from gristmill.flows.clean.run import clean

    progress = shown(folder)
    try:
        summary = clean(recipe, folder, engine, progress)
    finally:
        progress.stop()
    console.print()
    if not progress.work_done:
        console.print(f"Nothing to do: {folder} is finished and fits the recipe and its input.\n")
    return summary


def report(summary: dict, work: str) -> None:
    """The funnel on standard output, and where to look next."""
    from gristmill.flows.clean.funnel import funnel

    click.echo(render(funnel(summary)))
    for folder, holds, command in (
        ("clean", "the documents that stay", f"gristmill inspect {work}/clean"),
        ("removed", "those that went, and why", f"gristmill inspect {work}/removed --histogram reason"),
        ("ledger", "every document's story", f"gristmill why ID --work {work}"),
    ):
        console.print(f"  {work}/{folder:<9}{holds:<26}{command}", soft_wrap=True, highlight=False)


def render(table) -> str:
    """A rich table as text, coloured where standard output is a terminal."""
    from rich.console import Console

    terminal = Console(width=None if Console().is_terminal else 120)
    with terminal.capture() as capture:
        terminal.print(table)
    return capture.get().rstrip("\n")
