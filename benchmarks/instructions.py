"""Losses of instruction fine-tuning, with intervals: ``python -m benchmarks.instructions DATA``.

DATA is the folder of the development data. Questions about countries are made of the lines of its factbook, and a small
GPT that has read the book learns to answer them: once with a loss on answers alone, once on prompts, too. A row per
seed shows the loss on held-out answers at its lowest and at the end, the last loss on the training records, and the
held-out prompts that are answered word for word. Seeds order the records; base model and held-out records are the same.
Intervals are Student's over seeds; Welch's compares both kinds at their lowest.
"""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click
import numpy as np

from benchmarks.base_model import pretrain, write_lines
from benchmarks.inputs import read
from gristmill.flows.models.instructing import InputSettings, instruct, read_conversations, split_conversations
from gristmill.flows.models.pretraining import as_gpt, open_model
from gristmill.pipelines.storage.files import to_path
from gristmill.pretrain.evaluation.perplexity import window_loss
from gristmill.pretrain.finetune.instruct import InstructSettings
from gristmill.pretrain.impact.significance import compare, mean_interval
from gristmill.tokenizers_lab.chat.encode import ChatEncoder
from gristmill.tokenizers_lab.import_tokenizer import load_any
from gristmill.tokenizers_lab.tokenizer import Tokenizer

NAME = re.compile(r"^Country name: conventional short form: (.+)$", re.MULTILINE)
# Question, and the beginning of the line in the book with its answer.
QUESTIONS = {
    "Where is {}?": "Location",
    "What is the climate of {}?": "Climate",
    "What is the terrain of {}?": "Terrain",
    "What are the natural resources of {}?": "Natural resources",
    "What is the capital of {}?": "Capital: name",
    "What is the government of {}?": "Government type",
}
MOST_CHARACTERS = 200  # of an answer
ANSWERED = 20  # held-out prompts


def questions(data: Path, most: int) -> list[dict]:
    """Return instructions with outputs, in the order of the countries' ids."""
    found = []
    for row in sorted(read(data, "prose_factbook"), key=lambda row: row["id"]):
        name = NAME.search(row["text"])
        for question, field in QUESTIONS.items():
            answer = re.search(f"^{field}: (.+)$", row["text"], re.MULTILINE)
            if name and name[1] != "none" and answer and len(answer[1]) <= MOST_CHARACTERS:
                task = {"instruction": question.format(name[1]), "output": answer[1]}
                found.append({"id": f"{row['id']}/{field}", "input": "", **task})
    return found[:most]


def loss_before(base: str, tasks: str, work: str) -> float:
    """Return the loss of the base model on the held-out answers that the runs report as their validation loss."""
    chat, model = ChatEncoder(Tokenizer(load_any(to_path(base))), "plain"), as_gpt(open_model(base), base)
    conversations = read_conversations(tasks, work, InputSettings(records="alpaca"))
    splits, _ = split_conversations(conversations, chat, InstructSettings())
    return window_loss(model, splits["validation"], model.shape.context, packing="whole")


class Outcome(NamedTuple):
    """Losses of a run on held-out answers and training records, and held-out prompts answered word for word."""

    lowest: float
    step: int  # of the lowest
    last: float
    training: float
    exact: int


def one_run(base: str, tasks: str, work: str, output: str, changes: list[str]) -> Outcome:
    """Train the base model on tasks; return what came out."""
    losses: list[tuple[float, int]] = []

    def keep(line):
        losses.extend([(line["validation"], line["step"])] if "validation" in line else [])

    summary = instruct(base, tasks, "alpaca", output, work, changes, None, None, keep)
    lines = [json.loads(line) for line in Path(output, "responses.jsonl").read_text().splitlines()]
    exact = sum(line["response"] == line["reference"] for line in lines)
    return Outcome(*min(losses), losses[-1][0], summary["loss"], exact)


def interval(values: list[float]) -> str:
    """Format a mean with its 95 % interval over seeds."""
    low, high = mean_interval(values)
    return f"{np.mean(values):.3f} [{low:.3f}, {high:.3f}]"


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--records", type=click.IntRange(100), default=1100, show_default=True, help="Number of questions.")
@click.option(
    "--pretrain", "base_steps", type=click.IntRange(1), default=400, show_default=True, help="Steps of the base model."
)
@click.option("--steps", type=click.IntRange(20), default=300, show_default=True, help="Steps of fine-tuning.")
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True, help="Rows per step of fine-tuning.")
@click.option("--seeds", type=click.IntRange(2), default=5, show_default=True, help="Number of runs of each kind.")
def main(data, records, base_steps, steps, batch, seeds):
    """Train a model that was pretrained on the factbook in DATA to answer questions about it."""
    with TemporaryDirectory() as folder:
        base = pretrain(read(data, "prose_factbook"), Path(folder), base_steps, 2000).run
        tasks, work = write_lines(Path(folder, "tasks.jsonl"), questions(data, records)), f"{folder}/work"
        click.echo(f"loss on held-out answers before: {loss_before(base, tasks, work):.3f}")
        click.echo(f"{'loss on':<10}{'seed':>5}{'lowest':>9}{'at step':>9}{'last':>9}{'training':>10}{'exact':>10}")
        runs: dict[str, list[Outcome]] = {"answers": [], "all": []}
        for kind, found in runs.items():
            fixed = [f"instruct.loss={kind}", f"instruct.responses={ANSWERED}", "save.evaluate_every=20"]
            fixed += [f"train.steps={steps}", f"train.batch_size={batch}"]
            for seed in range(seeds):
                run = one_run(base, tasks, work, f"{folder}/{kind}-{seed}", [*fixed, f"train.seed={seed}"])
                numbers = f"{run.lowest:>9.3f}{run.step:>9}{run.last:>9.3f}{run.training:>10.3f}"
                click.echo(f"{kind:<10}{seed:>5}{numbers}{run.exact:>4} of {ANSWERED}")
                found.append(run)
            ends = interval([run.last for run in found])
            click.echo(f"{kind}: lowest {interval([run.lowest for run in found])}, last {ends}")
        answers, prompts_too = ([run.lowest for run in found] for found in runs.values())
        difference = compare(answers, prompts_too)
        low, high = difference.welch
        click.echo(f"answers - all, lowest: {difference.delta:+.3f} [{low:+.3f}, {high:+.3f}], p = {difference.p:.2g}")


if __name__ == "__main__":
    main()
