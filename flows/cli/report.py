"""gristmill report"""

import click

from gristmill.flows.cli.options import work_argument
from gristmill.flows.cli.output import say


@click.command()
@work_argument
@click.option("--output", metavar="FILE", help="Page to write [default: WORK/report/index.html].")
@click.option("--impact", metavar="FOLDER", help="Experiment to include [default: WORK/impact if it exists].")
def report(work, output, impact):
    """Write one HTML page about the finished run in WORK. The page loads nothing from a network.

    It shows the funnel, rules with histograms of their measures, sources, languages, personal data by type,
    duplicates, and samples for each reason. Tokenizers, token shards, models and an experiment are included if WORK
    contains them in tokenizers/, tokens/, runs/ and impact/.

    \b
        gristmill report work
        gristmill report work --output report.html
    """
    from gristmill.flows.report.html import PAGE
    from gristmill.flows.report.html import report as write
    from gristmill.pipelines.storage.files import to_path

    target = to_path(output) if output else to_path(work) / PAGE
    size = write(to_path(work), target, to_path(impact) if impact else None)
    say(f"{target}  {size / 1e6:.1f} MB, opens in any browser")
