"""gristmill ingest"""

import click

from flows.cli.options import run_options, shown, writable


@click.command()
@run_options
def ingest(recipe, paths, work, engine, changes):
    """Read raw files into WORK/documents as RECIPE's [input] says, and no more.

    \b
        gristmill ingest recipes/clean-corpus.toml --input crawl.jsonl.zst --output work
    """
    from flows.lock import alone
    from flows.recipe import read_recipe
    from pipelines.ingest import ingest_step
    from pipelines.step import run_step

    settings = read_recipe(recipe, changes, paths)
    folder = writable(work)
    progress = shown(folder)
    try:
        with alone(folder):
            manifests, _ = run_step(ingest_step(folder, settings.input), engine, progress)
    finally:
        progress.stop()
    for path, manifest in manifests.items():
        counts = ", ".join(f"{count:,} {key}" for key, count in sorted(manifest.counts.items()))
        click.echo(f"{path}  {counts}")
