"""gristmill card"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import say


@click.command()
@work_argument
@click.option("--license", default="unknown", show_default=True, metavar="ID", help="License identifier on the Hub.")
@click.option("--name", help="Name of the dataset [default: name of the recipe].")
@click.option("--output", metavar="FILE", help="File to write or replace [default: WORK/README.md].")
def card(work, license, name, output):
    """Write the dataset card of the finished run in WORK: a README for the Hugging Face Hub.

    Its header lets `datasets` load clean/. It lists counts, steps, thresholds, languages, personal data, benchmarks,
    known limits and the recipe. Upload README.md and clean/ together.

    \b
        gristmill card work --license cc-by-4.0 --name "Mill corpus"
    """
    from gristmill.flows.report.card import card as write
    from gristmill.pipelines.storage.files import to_path

    target = to_path(output) if output else to_path(work) / "README.md"
    write(to_path(work), target, license, name)
    say(f"{target}  upload it with {work}/clean")
