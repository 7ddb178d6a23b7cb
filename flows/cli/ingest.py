"""gristmill ingest"""

import click

from gristmill.flows.cli.options import name_losses, run_options, run_progress, writable
from gristmill.flows.cli.output import say


@click.command()
@run_options
def ingest(recipe, paths, work, engine, changes):
    """Read raw files into FOLDER/documents by the [input] tables of RECIPE; run no step.

    \b
        gristmill ingest clean-corpus --input crawl.jsonl.zst --output work
    """
    from gristmill.flows.clean.recipe import read_recipe
    from gristmill.flows.engine.run_lock import exclusive_run
    from gristmill.pipelines.ingest.ingest import REJECTS, ingest_step
    from gristmill.pipelines.ingest.losses import lost_files
    from gristmill.pipelines.steps.step import run_step

    settings = read_recipe(recipe, changes, paths)
    folder = writable(work)
    progress = run_progress(folder)
    try:
        with exclusive_run(folder):
            manifests, _ = run_step(ingest_step(folder, settings.input), engine, progress)
    finally:
        progress.stop()
    for path, manifest in manifests.items():
        counts = ", ".join(f"{count:,} {key}" for key, count in sorted(manifest.counts.items()))
        say(f"{path}  {counts}")
    name_losses(lost_files(folder / REJECTS, manifests[folder / REJECTS]), work)
