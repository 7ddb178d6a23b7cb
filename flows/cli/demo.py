"""gristmill demo"""

import click
import orjson

from gristmill.pipelines.ingest.demo_corpus import write_demo


@click.command()
@click.option("--output", default="demo", show_default=True, metavar="FOLDER", help="Folder to write the corpus to.")
@click.option("--max-mb", type=click.FloatRange(0.1), default=64, show_default=True, help="Largest size of the text.")
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def demo(output, max_mb, as_json):
    """Write a corpus from text that is already on this machine.

    It holds READMEs, licenses, notes and docstrings of the installed Python packages and the standard library, as
    JSONL. Each document has its package, path, kind and license. Nothing is downloaded and no package is imported.

    \b
        gristmill demo --output demo --max-mb 10
    """
    counts = write_demo(output, max_mb).summary()
    if as_json:
        return click.echo(orjson.dumps(counts, option=orjson.OPT_INDENT_2))
    for kind, count in counts["kinds"].items():
        click.echo(f"{count['documents']:>9,}  {count['bytes'] / 1e6:>7.2f} MB  {kind}")
    click.echo(f"{counts['documents']:>9,}  {counts['bytes'] / 1e6:>7.2f} MB  from {counts['packages']} packages")
    click.echo(
        f"{counts['licenses_like_another']:,} license texts equal another one; "
        f"{counts['mail_addresses']:,} e-mail addresses"
    )
    click.echo(f"{len(counts['files'])} files in {output}")
