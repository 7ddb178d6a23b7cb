"""gristmill demo"""

import click

from gristmill.flows.cli.options import Real
from gristmill.flows.cli.output import say, say_json
from gristmill.pipelines.ingest.demo_corpus import write_demo


@click.command()
@click.option("--output", default="demo", show_default=True, metavar="FOLDER", help="Folder to write the corpus to.")
@click.option("--max-mb", type=Real(0.1, 1e9), default=64, show_default=True, help="Largest size of the text.")
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
        return say_json(counts, indent=True)
    for kind, count in counts["kinds"].items():
        say(f"{count['documents']:>9,}  {count['bytes'] / 1e6:>7.2f} MB  {kind}")
    say(f"{counts['documents']:>9,}  {counts['bytes'] / 1e6:>7.2f} MB  from {counts['packages']} packages")
    say(
        f"{counts['licenses_like_another']:,} license texts equal another one; "
        f"{counts['mail_addresses']:,} e-mail addresses"
    )
    say(f"{len(counts['files'])} files in {output}")
