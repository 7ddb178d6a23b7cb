"""Gristmill's fastText trainer against fastText, on the same documents in the same order with the same settings.

    python -m benchmarks.classifier DATA

The table has the area under the ROC curve on held-out documents, the training speed (MB of text times epochs, per
second) and the scoring speed in MB/s. A hash of the ids selects the held-out third. ``fasttext`` predicts with one call
per document, as in ordinary use.
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import numpy as np

from benchmarks.inputs import read
from gristmill.filters.classifier.roc import RocCurve
from gristmill.filters.core.sampling import uniform_by_id
from gristmill.filters.fasttext.predict import SPACE, FastTextPredictor
from gristmill.filters.fasttext.train import FastTextSettings, train
from gristmill.flows.models.classifier import LABELS, shuffled
from gristmill.pipelines.ragged import Ragged

HELD_OUT = 1 / 3
SETTINGS = FastTextSettings(epochs=20, learning_rate=0.2)


def posts(data: Path) -> list[tuple[str, str]]:
    names = "quality_sms_spam", "quality_offensive"
    return [(row["id"], row["text"]) for name in names for row in read(data, name)]


# name -> good and bad documents: ids and texts
TASKS: dict[str, Callable] = {
    "ham / spam": lambda data: by_label(data, "quality_sms_spam", lambda labels: not labels["spam"]),
    "neither / offensive": lambda data: by_label(
        data, "quality_offensive", lambda labels: labels["label"] == "neither"
    ),
    "positive / negative reviews": lambda data: by_label(
        data, "quality_movie_reviews", lambda labels: labels["sentiment"] == "pos"
    ),
    "reviews / posts": lambda data: (
        [(row["id"], row["text"]) for row in read(data, "quality_movie_reviews")],
        posts(data),
    ),
}


def by_label(data: Path, name: str, is_good: Callable) -> tuple[list, list]:
    sides = [], []
    for row in read(data, name):
        sides[not is_good(row["labels"])].append((row["id"], row["text"]))
    return sides


def ours(texts: list[str], targets: np.ndarray, held: list[str]) -> tuple[np.ndarray, float, float]:
    """Train; return the scores of the held-out texts and the CPU seconds of training and scoring."""
    began = time.process_time()
    model = train([Ragged.from_strings(texts)], targets, LABELS, SETTINGS).model
    trained = time.process_time()
    classifier, rows = FastTextPredictor(model), Ragged.from_strings(held)
    ready = time.process_time()
    scores = classifier.probability(rows, LABELS[0])
    return scores, trained - began, time.process_time() - ready


def theirs(texts: list[str], targets: np.ndarray, held: list[str]) -> tuple[np.ndarray, float, float]:
    import fasttext

    with TemporaryDirectory() as folder:
        path = Path(folder) / "train.txt"
        lines = [f"{LABELS[target]} {one_line(text)}\n" for text, target in zip(texts, targets, strict=True)]
        path.write_text("".join(lines), "utf-8")
        options = {"dim": SETTINGS.dim, "epoch": SETTINGS.epochs, "lr": SETTINGS.learning_rate, "verbose": 0}
        options |= {"wordNgrams": SETTINGS.word_ngrams, "bucket": SETTINGS.buckets, "thread": 1}
        began = time.process_time()
        model = fasttext.train_supervised(str(path), **options)
        spent = time.process_time() - began
    lines = [one_line(text) + "\n" for text in held]
    began, scores = time.process_time(), []
    for line in lines:
        found = {label: probability for probability, label in model.f.predict(line, 2, 0.0, "strict")}
        scores.append(found[LABELS[0]])
    return np.array(scores), spent, time.process_time() - began


def one_line(text: str) -> str:
    """Replace line breaks and other white space by spaces, since fastText reads one document per line."""
    for byte in np.flatnonzero(SPACE).tolist():
        text = text.replace(chr(byte), " ")
    return text


@click.command()
@click.argument("data", type=click.Path(exists=True, path_type=Path))
def main(data):
    """Compare gristmill's fastText trainer with fastText on the development data in DATA."""
    ours(["a", "b"], np.array([0, 1]), ["a"])  # compiles
    click.echo(f"{'':<30}{'documents':>10}{'MB':>6}{'ROC area':>10}{'fasttext':>10}{'difference':>11}", nl=False)
    click.echo(f"{'train MB/s':>12}{'fasttext':>10}{'score MB/s':>12}{'fasttext':>10}")
    for name, task in TASKS.items():
        good, bad = task(data)
        documents, targets = good + bad, np.repeat([0, 1], [len(good), len(bad)])
        ids = Ragged.from_strings([id for id, _ in documents])
        away = uniform_by_id(ids, "held out") < HELD_OUT
        trained, held = shuffled(ids, ~away), np.flatnonzero(away)
        texts, others = ([documents[i][1] for i in rows] for rows in (trained, held))
        size, other = (sum(len(text.encode()) for text in part) / 1e6 for part in (texts, others))
        areas, rates = [], []
        for side in (ours, theirs):
            scores, train_seconds, score_seconds = side(texts, targets[trained], others)
            areas.append(RocCurve.from_scores(scores[targets[held] == 0], scores[targets[held] == 1]).auc())
            rates.append((size * SETTINGS.epochs / train_seconds, other / score_seconds))
        click.echo(f"{name:<30}{len(documents):>10,}{size + other:>6.1f}{areas[0]:>10.4f}{areas[1]:>10.4f}", nl=False)
        click.echo(f"{areas[0] - areas[1]:>+11.4f}{rates[0][0]:>12.1f}{rates[1][0]:>10.1f}", nl=False)
        click.echo(f"{rates[0][1]:>12.1f}{rates[1][1]:>10.1f}")


if __name__ == "__main__":
    main()
