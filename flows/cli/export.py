"""gristmill export"""

import click

from gristmill.flows.cli.options import engine_options, run_progress, work_argument, writable
from gristmill.flows.cli.output import console, say


@click.command()
@work_argument
@click.option(
    "--format",
    "kind",
    type=click.Choice(["jsonl.zst", "datasets"]),
    default="jsonl.zst",
    show_default=True,
    help="Compressed JSON lines, or a folder for datasets.load_dataset.",
)
@click.option("--output", required=True, metavar="FOLDER", help="Folder to write to.")
@click.option("--license", default="unknown", show_default=True, metavar="ID", help="License identifier on the Hub.")
@click.option("--name", help="Name of the dataset [default: name of the recipe].")
@engine_options
def export(work, kind, output, license, name, engine):
    """Write the clean documents of the finished run in WORK in another format; clean/ stays as it is.

    The same command continues an export that was stopped, and rewrites only the files that have changed.

    \b
        gristmill export work --format jsonl.zst --output jsonl
        gristmill export work --format datasets --output dataset --license cc-by-4.0
    """
    from gristmill.flows.publish.export import ExportSettings, export_corpus
    from gristmill.pipelines.storage.files import to_path

    folder, settings = writable(output), ExportSettings(format=kind, license=license, name=name)
    progress = run_progress(None)
    try:
        counts = export_corpus(to_path(work), folder, settings, engine, progress)
    finally:
        progress.stop()
    say(f"{output}: {counts.get('documents', 0):,} documents in files of {counts.get('bytes', 0) / 1e6:,.1f} MB")
    if kind == "datasets":
        console.print(f"  datasets.load_dataset({output!r}) reads it; gristmill push {work} REPO uploads it")
