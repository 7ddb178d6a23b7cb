"""The ``gristmill`` command: a group of small commands, each loaded when it is called."""

import importlib
import os
import sys

import click

from gristmill.pipelines.errors import GristmillError

# name, as of the click command in the module of that name in gristmill.flows.cli ("-" read as "_") -> what it does
COMMANDS = {
    "clean": "Run a recipe: raw files in, clean documents and the reasons for all others out.",
    "dedup": "Drop duplicate documents, cut repeated passages, or drop copies of another corpus.",
    "decontaminate": "Find items of evaluation sets in a corpus; drop, cut or report them.",
    "pii": "Find personal data: scan a corpus, redact it, score the rules on labelled text.",
    "overlap": "Show how much of each source is in the others, too.",
    "ingest": "Read raw files into a work folder's documents, and no more.",
    "judge": "Say of documents which rules they break, without writing anything.",
    "why": "Say what became of one document, and why.",
    "duplicates": "Show a document's duplicates, with the words that differ.",
    "status": "Show how far the run in a work folder is, and what of it is stale.",
    "what-if": "Recount a finished run with other thresholds, in seconds.",
    "report": "Write a page about a finished run: what went, why, and what is left.",
    "card": "Write the dataset card of a finished run, as the Hugging Face Hub reads it.",
    "explore": "Look through a finished run with a browser; move thresholds and see what would change.",
    "inspect": "Look into Parquet shards: schema, sizes, histograms, samples.",
    "tokenizer": "Train tokenizers; encode, decode, export, import, compare.",
    "tokenize": "Turn documents into token shards.",
    "tokens": "Look into token shards; export and import them.",
    "ngram": "Train models of n-grams, score documents with them, exchange them with KenLM.",
    "classifier": "Train quality classifiers, score documents with them or with others' fastText models.",
    "pretrain": "Train a GPT on token shards.",
    "generate": "Let a trained model continue a text.",
    "compare-baselines": "Perplexities of an n-gram, an LSTM and a GPT, side by side.",
    "export-model": "Write a trained model as transformers reads it.",
    "impact": "Measure which step of a recipe helped a model, by how much, and how sure that is.",
    "serve": "Offer the flows to Prefect, with a local server where none is configured.",
    "recipes": "List the recipes that ship with Gristmill, or print one.",
    "demo": "Write a corpus from the text that is on this machine already.",
    "compare-languages": "Compare language models on labelled text: accuracy and speed.",
    "compare-rules": "Compare variants of the rule sets: which documents they decide differently on.",
}
INTERRUPTED = 130  # what shells give for SIGINT


class Lazy(click.Group):
    """Imports a command's module only when it is asked for, so that ``gristmill --help`` answers at once."""

    def list_commands(self, context):
        return list(COMMANDS)

    def get_command(self, context, name):
        if name not in COMMANDS:
            return None
        attribute = name.replace("-", "_")
        return getattr(importlib.import_module(f"gristmill.flows.cli.{attribute}"), attribute)

    def format_commands(self, context, formatter):
        """List commands from the table above: asking each for its help would import them all."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Lazy)
@click.version_option(package_name="gristmill")
def group():
    """Gristmill: raw text to clean, explained shards for language-model pretraining.

    \b
        gristmill demo --output demo
        gristmill clean clean-corpus --input demo --output work
    """


def main() -> None:
    """Entry point: the user's mistakes are one line and exit code 2, Ctrl-C is 130; anything else is our bug."""
    try:
        sys.exit(group.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except GristmillError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. What is finished is kept: the same command goes on from there.", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has gone: `gristmill inspect … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
