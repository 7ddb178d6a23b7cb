"""gristmill ingest"""

import click

from flows.cli.options import console, run_options, writable


@click.command()
@run_options
def ingest(recipe, paths, work, workers, changes):
    """Read raw files into WORK/documents as RECIPE's [input] says, and no more.

    \b
        gristmill ingest recipes/clean-corpus.toml --input crawl.jsonl.zst --output work
    """
    from pipelines.ingest import ingest_step

    from flows.engines import engine
    from flows.progress import Shown
    from flows.recipe import read_recipe
    from pipelines.step import run_step

    settings = read_recipe(recipe, changes, paths)
    folder = writable(work)
    progress = Shown(console, folder)
    try:
        manifests, _ = run_step(ingest_step(folder, settings.input), engine(workers), progress)
    finally:
        progress.stop()
    for path, manifest in manifests.items():
        counts = ", ".join(f"{count:,} {key}" for key, count in sorted(manifest.counts.items()))
        click.echo(f"{path}  {counts}")
