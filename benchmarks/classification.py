"""A fine-tuned GPT against fastText on SMS spam, with intervals: ``python -m benchmarks.classification DATA``.

DATA is the folder of the development data. A small GPT is pretrained on tweets, film reviews and speeches, then
fine-tuned once per seed; Gristmill's fastText is trained on the same messages in another order per seed, those included
on which the GPT's early stop decides. Messages that occur twice are kept once, else held-out ones would be known. Base
model and held-out messages are the same for all seeds: Student's and Welch's intervals are over seeds, the bootstrap's
is over seeds and messages.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np
import polars as pl

from benchmarks.base_model import pretrain, write_lines
from benchmarks.inputs import cut, read
from gristmill.filters.fasttext.predict import FastTextPredictor
from gristmill.filters.fasttext.train import FastTextSettings, train
from gristmill.flows.models.finetuning import classify
from gristmill.pipelines.ragged import Ragged
from gristmill.pretrain.finetune.classify import PREDICTIONS, measures
from gristmill.pretrain.impact.bootstrap import bootstrap
from gristmill.pretrain.impact.significance import compare, mean_interval

READ = ("quality_offensive", "quality_movie_reviews", "prose_speeches")
MEGABYTES = 4
CLASSES = ["false", "true"]  # spam
FASTTEXT = FastTextSettings(epochs=25, learning_rate=0.2)


def base_texts(data: Path) -> Iterator[dict]:
    """Yield `MEGABYTES` of the texts that the base model reads."""
    documents = [(row["id"], row["text"]) for name in READ for row in read(data, name)]
    return ({"id": id, "text": text} for id, text in cut(documents, MEGABYTES))


def messages(data: Path) -> dict[str, dict]:
    """Return distinct messages by their ids, with ``text`` and ``spam``."""
    rows = {row["text"]: row for row in reversed(list(read(data, "quality_sms_spam")))}
    found = sorted(rows.values(), key=lambda row: int(row["id"].partition("/")[2]))
    return {row["id"]: {**row, "spam": row["labels"]["spam"]} for row in found}


def of_gpt(base: str, sms: str, folder: Path, seeds: int, steps: int) -> Iterator[pl.DataFrame]:
    """Yield for each seed the held-out ids and the probability of spam."""
    for seed in range(seeds):
        changes = [f"train.steps={steps}", f"train.seed={seed}", "classify.pooling=mean"]
        output = folder / f"spam-{seed}"
        classify(base, sms, "spam", str(output), str(folder / "work"), changes, None, lambda line: None)
        is_spam = pl.col("predicted") == CLASSES[1]
        spam = pl.when(is_spam).then(pl.col("probability")).otherwise(1 - pl.col("probability"))
        yield pl.read_parquet(output / PREDICTIONS).select("id", spam=spam)


def of_fasttext(rows: dict[str, dict], held_out: list[str], seeds: int) -> Iterator[np.ndarray]:
    """Yield for each seed the probability of spam of the held-out messages, float[n]."""
    known = [row for id, row in rows.items() if id not in set(held_out)]
    held = Ragged.from_strings([rows[id]["text"] for id in held_out])
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(known))
        texts = Ragged.from_strings([known[i]["text"] for i in order])
        targets = np.array([int(known[i]["spam"]) for i in order])
        yield FastTextPredictor(train([texts], targets, CLASSES, FASTTEXT).model).probability(held, CLASSES[1])


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--pretrain", "base_steps", type=click.IntRange(1), default=400, show_default=True, help="Steps of the base model."
)
@click.option("--steps", type=click.IntRange(25), default=400, show_default=True, help="Most steps of fine-tuning.")
@click.option("--seeds", type=click.IntRange(2), default=5, show_default=True, help="Number of runs of each side.")
def main(data, base_steps, steps, seeds):
    """Compare a GPT and fastText as classifiers of the SMS spam in DATA."""
    rows = messages(data)
    with TemporaryDirectory() as name:
        folder = Path(name)
        base = pretrain(base_texts(data), folder, base_steps, 4096).run
        sms = write_lines(folder / "sms.jsonl", rows.values())
        tables = list(of_gpt(base, sms, folder, seeds, steps))
    held_out = tables[0]["id"].to_list()
    truth = np.array([int(rows[id]["spam"]) for id in held_out])
    sides = {"GPT": [table["spam"].to_numpy() for table in tables]}
    sides["fastText"] = list(of_fasttext(rows, held_out, seeds))
    click.echo(f"{len(rows):,} messages, {truth.size:,} held out, {truth.sum():,} of them spam; {seeds} seeds")
    found = {}
    for side, probabilities in sides.items():
        each = [measures(np.stack((1 - spam, spam), 1), truth)[0] for spam in probabilities]
        found[side] = {name: [scores[name] for scores in each] for name in ("accuracy", "f1")}
        for name, values in found[side].items():
            low, high = mean_interval(values)
            listed = ", ".join(f"{value:.4f}" for value in values)
            click.echo(f"{side:<9} {name:<9} {np.mean(values):.4f} [{low:.4f}, {high:.4f}]   {listed}")
    for name in ("accuracy", "f1"):
        difference = compare(found["GPT"][name], found["fastText"][name])
        low, high = difference.welch
        click.echo(f"GPT - fastText, {name}: {difference.delta:+.4f} [{low:+.4f}, {high:+.4f}], p = {difference.p:.2g}")
    ours, theirs = (np.array([(spam > 0.5) == truth for spam in side], float) for side in sides.values())
    low, high = bootstrap(ours, theirs, np.full(truth.size, 1 / math.log(2)))  # ln 2 is its unit: a bit
    click.echo(f"GPT - fastText, accuracy, over seeds and messages: [{low:+.4f}, {high:+.4f}]")


if __name__ == "__main__":
    main()
