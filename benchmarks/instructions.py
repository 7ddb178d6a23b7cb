"""Losses of instruction fine-tuning: ``python -m benchmarks.instructions DATA``.

DATA is the folder of the development data. 1,100 questions about countries are made of the lines of its factbook, and
a small GPT that has read the book learns to answer them: once with a loss on answers alone, once on prompts, too. A
row shows the loss on held-out answers at the beginning, at its lowest and at the end, the last loss on the training
records, and the share of the held-out prompts that are answered word for word.
"""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from benchmarks.inputs import read
from gristmill.flows.cli import run
from gristmill.flows.models.instructing import instruct

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


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option("--records", type=click.IntRange(100), default=1100, show_default=True, help="Number of questions.")
@click.option("--pretrain", type=click.IntRange(1), default=400, show_default=True, help="Steps of the base model.")
@click.option("--steps", type=click.IntRange(50), default=300, show_default=True, help="Steps of fine-tuning.")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Number of runs of each kind.")
def main(data, records, pretrain, steps, seeds):
    """Train a model that was pretrained on the factbook in DATA to answer questions about it."""
    with TemporaryDirectory() as folder:
        book, tasks, base = (f"{folder}/{name}" for name in ("book.jsonl", "tasks.jsonl", "base"))
        rows = [{"id": row["id"], "text": row["text"]} for row in read(data, "prose_factbook")]
        for path, lines in ((book, rows), (tasks, questions(data, records))):
            Path(path).write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        tokenizer, tokens = f"{folder}/tokenizer", f"{folder}/tokens"
        for command in (
            f"tokenizer train {book} --vocab-size 2000 --output {tokenizer}",
            f"tokenize {book} --tokenizer {tokenizer} --output {tokens}",
            f"pretrain {tokens} --preset nano-gpt2 --steps {pretrain} --output {base}",
        ):
            assert run(command.split()) == 0, command
        click.echo(
            f"{'loss on':<10}{'seed':>5}{'first':>9}{'lowest':>9}{'at step':>9}{'last':>9}{'training':>10}{'exact':>8}"
        )
        for kind in ("answers", "all"):
            lowest = []
            for seed in range(seeds):
                output = f"{folder}/{kind}-{seed}"
                changes = [f"instruct.loss={kind}", f"train.steps={steps}", f"train.seed={seed}"]
                changes += ["instruct.responses=20", "save.evaluate_every=25"]
                losses: list[tuple[int, float]] = []

                def keep(line, losses=losses):
                    losses += [(line["step"], line["validation"])] if "validation" in line else []

                summary = instruct(base, tasks, "alpaca", output, f"{output}-work", changes, None, None, keep)
                step, least = min(losses, key=lambda pair: pair[1])
                lines = [json.loads(line) for line in Path(output, "responses.jsonl").read_text().splitlines()]
                exact = np.mean([line["response"] == line["reference"] for line in lines])
                numbers = f"{losses[0][1]:>9.3f}{least:>9.3f}{step:>9}{losses[-1][1]:>9.3f}"
                click.echo(f"{kind:<10}{seed:>5}{numbers}{summary['loss']:>10.3f}{exact:>8.0%}")
                lowest.append(least)
            click.echo(
                f"{kind:<10} mean of the lowest {np.mean(lowest):.3f}, range {min(lowest):.3f} to {max(lowest):.3f}"
            )


if __name__ == "__main__":
    main()
