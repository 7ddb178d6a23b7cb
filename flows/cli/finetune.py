"""gristmill finetune"""

import click

from gristmill.flows.cli.options import METHOD, settings_option, writable
from gristmill.flows.cli.output import console, say, say_json


@click.group()
def finetune():
    """Train a pretrained model on labeled documents, or on instructions with answers.

    \b
        gristmill finetune classify work/runs/nano messages.jsonl --label spam --output work/runs/spam
        gristmill finetune instruct work/runs/nano tasks.jsonl --records alpaca --output work/runs/assistant
    """


@finetune.command()
@click.argument("run")
@click.argument("data")
@click.option("--label", required=True, metavar="COLUMN", help="Column of the class, or a field of it: labels.spam.")
@click.option("--output", required=True, metavar="FOLDER", help="Folder of the new run.")
@click.option(
    "--work", default="work/finetune", show_default=True, metavar="FOLDER", help="Folder to ingest raw files into."
)
@METHOD
@settings_option("classify, train, adapter, machine or save")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def classify(run, data, label, output, work, method, changes, as_json):
    """Train a classifier from the model in RUN on DATA: a work folder, or raw files.

    Training stops when the loss on the validation documents no longer falls. FOLDER holds the best model, its
    predictions for the held-out documents and their confusion matrix (confusion.png).

    Settings: classify.layers (all, last, head), classify.pooling (last, mean), classify.balance, classify.validation,
    classify.held_out, classify.patience.

    \b
        gristmill finetune classify work/runs/nano messages.jsonl --label spam --output work/runs/spam
        gristmill finetune classify work/runs/nano work --label topic --method lora --output work/runs/topic
    """
    from gristmill.flows.models.finetuning import classify
    from gristmill.flows.models.pretraining import progress_line

    def on_log(line):
        console.print(progress_line(line), soft_wrap=True)

    summary = classify(run, data, label, output, str(writable(work)), changes, method, on_log)
    if as_json:
        return say_json(summary, indent=True)
    trained = summary.get("trained_parameters", summary["parameters"])
    confusion = "; ".join(
        f"{name}: {', '.join(f'{count:,}' for count in row)}"
        for name, row in zip(summary["classes"], summary["confusion"], strict=True)
    )
    rows = {
        "parameters": f"{trained:,} of {summary['parameters']:,} trained",
        "trained for": f"{summary['steps']:,} steps, {summary['epochs']:.2f} epochs",
        "held out": f"accuracy {summary['accuracy']:.4f}, F1 {summary['f1']:.4f}",
        "confusion": f"predictions by label, {', '.join(summary['classes'])}: {confusion}",
        "written": output,
    }
    for name, value in rows.items():
        say(f"{name:>13}  {value}")


@finetune.command()
@click.argument("run")
@click.argument("data")
@click.option(
    "--records",
    type=click.Choice(["messages", "conversations", "alpaca", "prompt"]),
    help="Form of the records in raw files [default: by their columns].",
)
@click.option("--output", required=True, metavar="FOLDER", help="Folder of the new run.")
@click.option("--judge", metavar="COMMAND", help="Command that reads responses as JSON lines and prints their scores.")
@click.option(
    "--work", default="work/finetune", show_default=True, metavar="FOLDER", help="Folder to ingest raw files into."
)
@METHOD
@settings_option("instruct, train, adapter, sample, machine or save")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def instruct(run, data, records, output, judge, work, method, changes, as_json):
    """Train the model in RUN to answer, on DATA: a work folder whose documents have roles, or raw files.

    Documents are packed whole, and only the tokens of answers have a loss (instruct.loss = all: those of prompts, too).
    FOLDER holds the model with its chat template, the loss curve, and the answers to held-out prompts
    (responses.jsonl); scores.jsonl adds the scores of --judge.

    Settings: instruct.template (alpaca, chatml, llama-3, phi-3, plain, or a file), instruct.loss, instruct.validation,
    instruct.held_out, instruct.responses.

    \b
        gristmill finetune instruct work/runs/nano tasks.jsonl --records alpaca --output work/runs/assistant
        gristmill finetune instruct work/runs/nano work --judge "python judge.py" --output work/runs/assistant
    """
    from gristmill.flows.models.instructing import instruct
    from gristmill.flows.models.pretraining import progress_line

    def on_log(line):
        console.print(progress_line(line), soft_wrap=True)

    summary = instruct(run, data, records, output, str(writable(work)), changes, method, judge, on_log)
    if as_json:
        return say_json(summary, indent=True)
    trained = summary.get("trained_parameters", summary["parameters"])
    rows = {
        "parameters": f"{trained:,} of {summary['parameters']:,} trained",
        "trained for": f"{summary['steps']:,} steps, {summary['epochs']:.2f} epochs",
        "validation": f"{summary['validation']:.4f} nats per token",
        "answered": f"{summary['responses']:,} held-out prompts, in {output}/responses.jsonl",
        **({"score": f"{summary['score']:.4f}, mean of {output}/scores.jsonl"} if judge else {}),
        "written": f"{output}   gristmill chat {output}",
    }
    for name, value in rows.items():
        say(f"{name:>13}  {value}")
