"""gristmill pretrain"""

import os

import click

from gristmill.flows.cli.options import METHOD, settings_option, whole
from gristmill.flows.cli.output import console, say, say_json


@click.command()
@click.argument("tokens")
@click.option("--preset", "name", default="nano", show_default=True, help="Name of the model's configuration.")
@click.option("--steps", type=whole(1), help="Number of training steps [default: 1000].")
@click.option("--output", default="run", show_default=True, metavar="FOLDER", help="Folder of the run.")
@click.option("--init", metavar="MODEL", help="Start from the weights of a run, or of GPT-2 or Llama.")
@METHOD
@settings_option("model, train, adapter, machine or save")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def pretrain(tokens, name, steps, output, init, method, changes, as_json):
    """Train a GPT on the token shards in TOKENS.

    An interrupted run resumes from its last checkpoint. FOLDER holds the model, a log with one line per step, a plot of
    the loss, and the loss of each document of the validation split. Under torchrun all processes train one model.

    Settings of --method: adapter.rank, adapter.alpha, adapter.dropout and adapter.targets (lora), adapter.width
    (bottleneck), adapter.tokens (prefix, prompt, p-tuning-v2), adapter.hidden (prefix).

    \b
        gristmill pretrain work/tokens/bpe --preset nano --steps 500 --output work/runs/nano
        gristmill pretrain work/tokens/bpe --preset gpt2-124m --set machine.compile=true --set train.lr=6e-4
        gristmill pretrain work/tokens/bpe --init work/runs/nano --method lora --output work/runs/lora
        torchrun --nproc-per-node 2 -m gristmill pretrain work/tokens/bpe --output work/runs/two
    """
    from gristmill.flows.models.pretraining import pretrain_settings, progress_line, train_model

    def on_log(line):
        console.print(progress_line(line), soft_wrap=True)

    settings = pretrain_settings({"preset": name, "steps": steps, "init": init}, changes, method)
    summary = train_model(tokens, output, settings, on_log)
    if os.environ.get("RANK", "0") != "0":  # under torchrun only the first process prints
        return
    if as_json:
        return say_json(summary, indent=True)
    packing = summary["packing"]
    trained = summary.get("trained_parameters")
    rows = {
        "parameters": f"{summary['parameters']:,}" + (f", {trained:,} of them trained" if trained else ""),
        "trained on": f"{summary['steps']:,} steps, {summary['tokens']:,} tokens, {summary['epochs']:.2f} epochs",
        "packing": f"{packing['kind']}: {packing['cropped']:,} tokens cropped, {packing['padded']:,} padded per epoch",
        "loss": f"{summary['loss']:.4f} nats per token, mean of the last steps",
    }
    if "validation" in summary:
        rows["validation"] = f"{summary['validation']:.4f} nats per token"
    if summary.get("bits_per_byte"):
        rows["bits per byte"] = f"{summary['bits_per_byte']:.4f}, over all documents in full"
    for label, value in (rows | {"written": output}).items():
        say(f"{label:>13}  {value}")
