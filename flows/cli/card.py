"""gristmill card"""

import click


@click.command()
@click.argument("work", metavar="WORK")
@click.option("--license", "licence", default="unknown", show_default=True, metavar="ID", help="As the Hub names it.")
@click.option("--name", help="Of the dataset; the recipe's by default.")
@click.option("--output", metavar="FILE", help="The card; WORK/README.md by default. What is there is replaced.")
def card(work, licence, name, output):
    """Write the dataset card of the finished run in WORK: a README for the Hugging Face Hub, beside clean/.

    A header that `datasets` loads clean/ by; counts, steps, thresholds, languages, personal data, benchmarks, known
    limits, the recipe. Upload README.md and clean/ together.

    \b
        gristmill card work --license cc-by-4.0 --name "Mill corpus"
    """
    from gristmill.flows.report.card import card as write
    from gristmill.pipelines.storage.files import to_path

    target = to_path(output) if output else to_path(work) / "README.md"
    write(to_path(work), target, licence, name)
    click.echo(f"{target}  to publish beside {work}/clean")
