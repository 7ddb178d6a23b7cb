"""gristmill report"""

import click

PAGE = "report/index.html"


@click.command()
@click.argument("work", metavar="WORK")
@click.option("--output", metavar="FILE", help=f"The page; WORK/{PAGE} by default.")
@click.option("--impact", metavar="FOLDER", help="Of `gristmill impact`; WORK/impact by default, if it is there.")
def report(work, output, impact):
    """Write one HTML page about the finished run in WORK, with nothing in it that asks a network.

    What each step took, rules with the spread of what they measure, sources and languages, personal data by type,
    documents that are alike, samples of all reasons; and what was made of the clean text, where WORK holds it under
    tokenizers/, tokens/, runs/ and impact/.

    \b
        gristmill report work
        gristmill report work --output report.html
    """
    from gristmill.flows.report.html import report as write
    from gristmill.pipelines.storage.files import to_path

    target = to_path(output) if output else to_path(work) / PAGE
    size = write(to_path(work), target, to_path(impact) if impact else None)
    click.echo(f"{target}  {size / 1e6:.1f} MB, opens in any browser")
