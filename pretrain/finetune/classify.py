"""Classification: the objective, its measures, and the picture of its errors."""

from typing import Literal

import numpy as np
import polars as pl
import torch
from pydantic import Field
from upath import UPath

from gristmill.pipelines.settings import Settings
from gristmill.pipelines.storage.figures import new_figure, write_png
from gristmill.pipelines.storage.files import atomic_write
from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.finetune.labeled import LabeledDocuments, LabeledLoader
from gristmill.pretrain.model.classifier import Classifier
from gristmill.pretrain.model.devices import ProcessGroup
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.training.trainer import TrainSettings

PREDICTIONS, CONFUSION = "predictions.parquet", "confusion.png"
BATCH = 32


class ClassifySettings(Settings):
    """Settings of classification."""

    layers: Literal["all", "last", "head"] = "all"  # trained weights: "last" is the last block, the norm and the head
    pooling: Literal["last", "mean"] = "last"  # state that is classified: of the last token, or the mean of all
    balance: bool = True  # draw as many training documents of each class
    validation: float = Field(default=0.1, gt=0, lt=0.5)  # share of the documents for early stopping
    held_out: float = Field(default=0.2, gt=0, lt=0.5)  # share of the documents for the final evaluation
    patience: int = Field(default=5, ge=1)  # evaluations without a lower validation loss before training stops


class ClassObjective:
    """Classification of documents. Of the held-out documents, `finish` writes predictions and a confusion matrix."""

    def __init__(
        self, splits: dict[str, LabeledDocuments], ids: list[str], settings: ClassifySettings, training: TrainSettings
    ):
        self.splits, self.ids, self.classify, self.training = splits, ids, settings, training
        self.patience: int | None = settings.patience
        self.bidirectional = training.objective == "masked"
        data = {name: split.fingerprint for name, split in splits.items()}
        self.settings = {"documents": data, "classify": settings.model_dump()}

    def loader(self, world: ProcessGroup) -> LabeledLoader:
        training, balance = self.training, self.classify.balance
        train = self.splits["train"]
        return LabeledLoader(train, training.batch_size, training.seed, balance, self.bidirectional, world)

    def evaluate(self, model: LanguageModel, world: ProcessGroup) -> dict:
        probabilities = predict(model, self.splits["validation"], self.bidirectional)
        return measures(probabilities, self.splits["validation"].labels)[0]

    def finish(self, model: LanguageModel, folder: UPath, world: ProcessGroup) -> tuple[dict, list[str]]:
        assert isinstance(model, Classifier)
        held_out, classes = self.splits["held out"], model.settings.classes
        probabilities = predict(model, held_out, self.bidirectional)
        found, confusion = measures(probabilities, held_out.labels)
        if world.rank == 0:
            names = np.array(classes)
            columns = {"id": self.ids, "label": names[held_out.labels], "predicted": names[probabilities.argmax(1)]}
            frame = pl.DataFrame({**columns, "probability": probabilities.max(1)})
            with atomic_write(folder / PREDICTIONS) as file:
                frame.write_parquet(file)
            title = f"accuracy {found['accuracy']:.4f}, F1 {found['f1']:.4f}, {len(frame):,} held-out documents"
            draw_confusion(folder / CONFUSION, confusion, classes, title)
        held = {name: value for name, value in found.items() if name != "validation"}
        return {**held, "classes": classes, "confusion": confusion.tolist()}, [PREDICTIONS]


@torch.no_grad()
def predict(model: LanguageModel, documents: LabeledDocuments, bidirectional: bool = False) -> np.ndarray:
    """Return the probability of each class for each document, float64[n, classes]."""
    model.eval()
    device = next(model.parameters()).device
    order, out = np.argsort(documents.lengths, kind="stable"), np.empty((len(documents.labels), model.targets))
    for at in range(0, order.size, BATCH):
        rows = order[at : at + BATCH]
        inputs, targets, padding = documents.gather(rows, bidirectional)
        mask = None if padding is None else torch.from_numpy(padding).to(device)
        hidden = model.hidden(torch.from_numpy(inputs).to(device), mask)
        last = torch.from_numpy(targets != IGNORE_INDEX).to(device)
        out[rows] = model.logits(hidden[last]).double().softmax(-1).cpu().numpy()
    return out


def measures(probabilities: np.ndarray, labels: np.ndarray) -> tuple[dict, np.ndarray]:
    """Return loss, accuracy and F1, and the confusion matrix, int64[true, predicted].

    With two classes F1 is that of the second, else the mean over all classes. A class that is neither found nor there
    has an F1 of 0.

    >>> found, confusion = measures(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), np.array([0, 1, 1]))
    >>> round(found["accuracy"], 3), round(found["f1"], 3), confusion.tolist()
    (0.667, 0.667, [[1, 0], [1, 1]])
    """
    count = probabilities.shape[1]
    confusion = np.zeros((count, count), np.int64)
    np.add.at(confusion, (labels, probabilities.argmax(1)), 1)
    hits = np.diag(confusion)
    f1 = 2 * hits / np.maximum(confusion.sum(0) + confusion.sum(1), 1)
    nats = -np.log(np.maximum(probabilities[np.arange(labels.size), labels], 1e-300))
    scores = {"validation": float(nats.mean()), "accuracy": float(hits.sum() / max(1, labels.size))}
    return {**scores, "f1": float(f1[1] if count == 2 else f1.mean())}, confusion


def draw_confusion(path: UPath, confusion: np.ndarray, classes: list[str], title: str) -> None:
    """Write the confusion matrix as a PNG; colors are shares of the true class."""
    size = 2.5 + 0.6 * len(classes)
    figure = new_figure(size + 1, size)
    axes = figure.subplots()
    shares = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(confusion):
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    axes.set_xticks(range(len(classes)), classes, rotation=30)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="predicted", ylabel="label")
    axes.set_title(title, fontsize=8)
    write_png(figure, path)
