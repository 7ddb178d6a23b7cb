"""gristmill classify"""

import click

from gristmill.flows.cli.options import settings_option, writable
from gristmill.flows.cli.output import say_json


@click.command()
@click.argument("run")
@click.argument("corpus", nargs=-1, required=True, metavar="CORPUS...")
@click.option(
    "--work", default="work/classify", show_default=True, metavar="FOLDER", help="Folder to ingest raw files into."
)
@settings_option("machine")
def classify(run, corpus, work, changes):
    """Print a JSON line for each document of CORPUS… with its class by the model in RUN, and the probability of it.

    `gristmill finetune classify` trains the model. A document without tokens has no class.

    \b
        gristmill classify work/runs/spam messages.jsonl
        gristmill classify work/runs/spam work > classes.jsonl
    """
    from gristmill.flows.models.finetuning import classify_corpus

    for id, label, probability in classify_corpus(run, corpus, str(writable(work)), changes):
        say_json({"id": id, "label": label, "probability": probability})
