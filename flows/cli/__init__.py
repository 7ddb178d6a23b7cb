"""The ``gristmill`` command: a group of small commands, each loaded when it is called."""

import importlib
import os
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import TextIO, cast

import click

from gristmill.pipelines.errors import GristmillError

# section of the help -> command -> description; gristmill.flows.cli has a module and a function of the command's name,
# with "_" for "-"
SECTIONS = {
    "Prepare": {
        "init": "Write a recipe to start with.",
        "run": "Run a recipe to its end: clean documents, tokenizers, tokens, exports, a model, a report.",
        "clean": "Run a recipe: read raw files, write clean documents and the reasons for each removal.",
        "dedup": "Drop duplicate documents, cut repeated passages, or drop copies of another corpus.",
        "decontaminate": "Find items of evaluation sets in a corpus; drop, cut or report them.",
        "pii": "Find personal data: scan or redact a corpus, score the rules on labeled text.",
        "ingest": "Read raw files into a work folder, without running any step.",
        "demo": "Write a corpus from text that is already on this machine.",
        "profile": "Find thresholds for each language of a corpus; write language profiles.",
        "recipes": "List the recipes that ship with Gristmill, or print one.",
        "steps": "List the steps of recipes, or every setting of one.",
    },
    "Look": {
        "check": "Check documents against rules, without writing anything.",
        "status": "Show the progress of a run, and which of its folders are stale.",
        "why": "Explain why a run kept or removed a document.",
        "duplicates": "Show a document's duplicates, with the words that differ.",
        "what-if": "Recount a finished run under other thresholds, in seconds.",
        "report": "Write an HTML page about a finished run.",
        "explore": "Browse the documents of a finished run; move thresholds and see the effect.",
        "inspect": "Inspect Parquet shards: schema, sizes, histograms, samples.",
        "overlap": "Show how much of each source is in the others, too.",
        "verify": "Verify the checksums of everything finished in a folder: documents, tokens, models.",
    },
    "Share": {
        "certify": "Write the certificate of a finished run, which others verify by making parts of it again.",
        "export": "Write the clean documents as JSON lines, or as a folder for `datasets`.",
        "card": "Write the dataset card of a finished run, for the Hugging Face Hub.",
        "push": "Upload the clean documents and their card to the Hugging Face Hub.",
    },
    "Tokenize": {
        "tokenizer": "Train, compare, export and import tokenizers; encode and decode text.",
        "tokenize": "Encode documents into token shards.",
        "tokens": "Inspect, trace, export and import token shards.",
    },
    "Train": {
        "pretrain": "Train a GPT on token shards.",
        "finetune": "Train a pretrained model on labeled documents, or on instructions with answers.",
        "classify": "Classify documents with a model that was fine-tuned to.",
        "generate": "Generate text with a trained model.",
        "fill-mask": "Predict the hidden words of a text with a masked model.",
        "chat": "Talk to a model that was trained on conversations.",
        "quantize": "Quantize a trained model to 8, 4 or 2 bits per weight.",
        "export-model": "Export a trained model for transformers.",
        "ngram": "Train n-gram language models, score documents, convert from and to KenLM.",
        "classifier": "Train quality classifiers; score documents with them or any fastText model.",
    },
    "Experiment": {
        "impact": "Measure how much each step of a recipe changes a model's loss, with intervals.",
        "tune": "Choose thresholds of a recipe by the loss of small models, with intervals.",
        "mix": "Choose the mixture of sources by the loss of small models, with intervals.",
        "worth": "Measure whether the documents that a rule alone removed would have helped a small model.",
        "compare-baselines": "Compare the perplexities of an n-gram model, an Elman network, an LSTM and a GPT.",
        "compare-languages": "Compare language detectors on labeled text: accuracy and speed.",
        "compare-rules": "Compare the decisions of two variants of the rule sets.",
    },
    "Serve": {
        "compile": "Compile all kernels for this processor; the first run does so, too.",
        "serve": "Register the flows as Prefect deployments and run them on request.",
    },
}
COMMANDS = {name: about for commands in SECTIONS.values() for name, about in commands.items()}
MODULES = {"run": "run_recipe"}  # a module `run` would hide the function below once it is imported
WIDEST = max(map(len, COMMANDS))  # so that the sections share a column
LONGEST = 1_500  # characters of a message
MISTAKE = 2
INTERRUPTED = 130  # exit code of a shell for SIGINT


class Lazy(click.Group):
    """Group of commands whose modules are imported on call, so that ``gristmill --help`` takes 0.1 s."""

    def make_context(self, *args, **kwargs):
        try:
            return super().make_context(*args, **kwargs)
        except BrokenPipeError:  # `gristmill --help | head`
            raise click.exceptions.Exit(0) from None

    def parse_args(self, context, args):
        for argument in args:
            try:
                argument.encode()
            except UnicodeEncodeError:
                found = f"argument {os.fsencode(argument)!r} is not {sys.getfilesystemencoding()}"
                raise click.UsageError(f"{found}; name a file by a pattern", context) from None
        return super().parse_args(context, args)

    def invoke(self, context):
        try:
            return super().invoke(context)
        except BrokenPipeError:  # the reader of our output has ended: `gristmill inspect … | head`
            context.exit(0)

    def list_commands(self, context):
        return list(COMMANDS)

    def get_command(self, context, name):
        if name not in COMMANDS:
            return None
        attribute = name.replace("-", "_")
        return getattr(importlib.import_module(f"gristmill.flows.cli.{MODULES.get(name, attribute)}"), attribute)

    def format_commands(self, context, formatter):
        """Write the table above: the help of the commands themselves would import all modules."""
        for section, commands in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl([(f"{name:<{WIDEST}}", about) for name, about in commands.items()])


@click.group(cls=Lazy, commands=COMMANDS)  # the names, for click to suggest one
@click.version_option(package_name="gristmill")
def group():
    """Prepare text for language-model pretraining: clean it, tokenize it, train on it, measure the effect.

    \b
        gristmill demo --output demo
        gristmill clean clean-corpus --input demo --output work
    """


def main() -> None:
    """Run the command of this process."""
    open_streams()
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        if not flushed(stream):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # or Python reports it once more at its end
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code.

    A user's mistake is one line and 2, Ctrl-C is 130, anything else a traceback.
    """
    try:
        return group.main(arguments, "gristmill", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.UsageError as error:
        message = error.format_message().removesuffix(".")
        message = message.replace(". Did you mean", "; did you mean")
        place = f"{' See' if message.endswith('?') else '; see'} {error.ctx.command_path} --help" if error.ctx else ""
        return complain(message + place)
    except (click.ClickException, GristmillError) as error:
        return complain(str(error))
    except OSError as error:
        place = "" if error.filename is None else f"{error.filename}: "
        return complain(f"{place}{error.strerror or error}")
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted. Finished parts are kept; the same command continues from there.", err=True)
        return INTERRUPTED


def complain(message: str) -> int:
    """Print a user's mistake, if standard error takes it, and return its exit code."""
    from gristmill.flows.cli.output import say

    with suppress(OSError):
        say(f"Error: {message[:LONGEST]}", err=True)
    return MISTAKE


def open_streams() -> None:
    """Make closed streams empty ones, read UTF-8, and write what an encoding lacks as escapes."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115
    cast(TextIOWrapper, sys.stdin).reconfigure(encoding="utf-8")
    for stream in (sys.stdout, sys.stderr):
        cast(TextIOWrapper, stream).reconfigure(errors="backslashreplace")


def flushed(stream: TextIO) -> bool:
    """True if a stream could write all of its output."""
    try:
        stream.flush()
    except OSError:
        return False
    return True
