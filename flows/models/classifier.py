"""A quality classifier from two corpora, good documents and bad ones, and what it says of others.

1. Of each side the documents with the lowest hashes of their ids are taken, up to ``max_bytes``; then as many of the
   one as of the other.
2. Those whose ids hash below ``held_out`` are kept away from training; the others are mixed by their hashes.
3. The model is trained, and asked about the held-out ones: the curves, the areas under them, the threshold.
"""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
from pydantic import Field
from upath import UPath

from gristmill.filters.classifier.filter import NEGATIVE, POSITIVE, open_model, sidecar
from gristmill.filters.classifier.roc import RocCurve
from gristmill.filters.core.sampling import uniform_by_id
from gristmill.filters.fasttext.format import write_fasttext
from gristmill.filters.fasttext.predict import FastTextPredictor
from gristmill.filters.fasttext.train import FastTextSettings, train
from gristmill.flows.clean.corpus import corpus_shards
from gristmill.flows.clean.recipe import make_change
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.storage.files import atomic_write, checksum, to_path
from gristmill.pipelines.storage.shards import cut_groups, read_batches

TABLE = "classifier"
LABELS = [POSITIVE, NEGATIVE]
RECALLS = (0.8, 0.9, 0.95, 0.99)


class ClassifierSettings(FastTextSettings):
    """What the model is trained on, and how."""

    max_bytes: int = Field(128_000_000, ge=1)  # of text, of each side
    balance: bool = True  # as many documents of the one side as of the other
    held_out: float = Field(0.1, gt=0, lt=1)  # share of the documents that judge the model


def classifier_settings(changes: Sequence[str]) -> ClassifierSettings:
    """``classifier.epochs=10`` and the like -> settings."""
    tables = {TABLE: {}}
    for change in changes:
        make_change(tables, change, f"{TABLE}.SETTING=VALUE")
    return read_settings(ClassifierSettings, tables[TABLE], f"[{TABLE}]")


def train_classifier(
    positive: Sequence[str], negative: Sequence[str], work: UPath, output: str, settings: ClassifierSettings
) -> dict:
    """Write the model, its curves (``OUTPUT.png``) and what was found out of it (``OUTPUT.json``), which it returns."""
    sides = [_sample(positive, work / "positive", settings), _sample(negative, work / "negative", settings)]
    if settings.balance:
        fewest = min(map(len, sides))
        sides = [side.slice(0, fewest) for side in sides]
    targets = np.repeat(range(len(LABELS)), [len(side) for side in sides])
    documents = pa.concat_tables(sides).combine_chunks()
    ids = Ragged.from_text(documents[ID])
    away = uniform_by_id(ids, "held out") < settings.held_out
    trained, held = mixed(ids, ~away), np.flatnonzero(away)
    for rows, purpose in ((trained, "train"), (held, "judge")):
        if np.unique(targets[rows]).size < len(LABELS):
            raise InputError(
                f"too few documents to {purpose} a classifier: {(targets == 0).sum():,} good and "
                f"{(targets == 1).sum():,} bad with text; give more, or another classifier.held_out"
            )
    sidecar(output).unlink(missing_ok=True)  # an old one would speak of the old model
    result = train(_texts(documents, trained), targets[trained], LABELS, settings)
    write_fasttext(to_path(output), *result)
    model = FastTextPredictor(result.model)
    scores = np.concatenate([model.probability(text, POSITIVE) for text in _texts(documents, held)])
    curve = RocCurve.from_scores(scores[targets[held] == 0], scores[targets[held] == 1])
    draw(curve, to_path(f"{output}.png"), f"{curve.auc():.4f}, of {held.size:,} held-out documents")
    found = _found(curve, output, settings) | {
        "trained_on": np.bincount(targets[trained]).tolist(),
        "held_out": np.bincount(targets[held]).tolist(),
    }
    with atomic_write(sidecar(output)) as file:
        file.write(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    return found


def score_corpus(corpus: Sequence[str], work: UPath, model: str, label: str) -> Iterator[tuple[str, float]]:
    """Each document's id and score; one that the model knows nothing of has 0."""
    classifier = open_model(model)
    if label not in classifier.labels:
        raise RecipeError(f"{model} has no label {label!r}; --label names one of {', '.join(classifier.labels[:5])}")
    for shard in corpus_shards(corpus, work):
        for table in read_batches(shard, [ID, TEXT]):
            scores = classifier.probability(Ragged.from_text(table[TEXT]), label)
            yield from zip(table[ID].to_pylist(), scores.tolist(), strict=True)


def _sample(corpus: Sequence[str], work: UPath, settings: ClassifierSettings) -> pa.Table:
    """Documents with text, by the hash of their ids, the lowest first."""
    shards = list(corpus_shards(corpus, work))
    listed = [pl.DataFrame(schema={"draw": pl.Float64, "bytes": pl.Int64})]
    for shard in shards:
        for table in read_batches(shard, [ID, TEXT]):
            listed.append(_listed(table))
    every = pl.concat(listed).with_row_index("row").filter(pl.col("bytes") > 0).sort("draw", "row")
    chosen = every.filter(pl.col("bytes").cum_sum() <= settings.max_bytes)["row"].to_numpy()
    first, parts, ascending = 0, [], np.sort(chosen)
    for shard in shards:
        for table in read_batches(shard, [ID, TEXT]):
            begin, end = np.searchsorted(ascending, (first, first + len(table)))
            parts.append(table.take(ascending[begin:end] - first))
            first += len(table)
    schema = pa.schema([(ID, pa.large_string()), (TEXT, pa.large_string())])
    together = pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in parts)])
    return together.take(np.searchsorted(ascending, chosen))


def _listed(table: pa.Table) -> pl.DataFrame:
    text = pl.from_arrow(table[TEXT])
    size = pl.when(text.str.strip_chars() == "").then(0).otherwise(text.str.len_bytes().cast(pl.Int64))
    return pl.select(draw=pl.Series(uniform_by_id(Ragged.from_text(table[ID]), "sample")), bytes=size)


def mixed(ids: Ragged, among: np.ndarray) -> np.ndarray:
    """The rows of ``among``, bool[n], in an order that is a function of their ids."""
    order = np.argsort(uniform_by_id(ids, "order"), kind="stable")
    return order[among[order]]


def _texts(documents: pa.Table, rows: np.ndarray) -> Iterator[Ragged]:
    for part in cut_groups(documents.take(rows)):
        yield Ragged.from_text(part[TEXT])


def _found(curve: RocCurve, output: str, settings: ClassifierSettings) -> dict:
    threshold = curve.youden_threshold()
    at_recall = {f"{least}": float(curve.thresholds[np.argmax(curve.recall >= least)]) for least in RECALLS}
    return {
        "label": POSITIVE,
        "threshold": threshold,
        "at_threshold": curve.at(threshold),
        "threshold_at_recall": at_recall,
        "roc_auc": curve.auc(),
        "average_precision": curve.average_precision(),
        "settings": settings.model_dump(mode="json"),
        "sha256": checksum(to_path(output)),
    }


def draw(curve: RocCurve, path: UPath, title: str) -> None:
    """The ROC and the precision-recall curve side by side, the chosen threshold as a dot: a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), dpi=120, layout="constrained")
    left, right = FigureCanvasAgg(figure).figure.subplots(1, 2)
    chosen = curve.at(curve.youden_threshold())
    left.plot([0, *curve.false_positive_rate], [0, *curve.recall], color="#1f5fa8")
    left.plot(
        chosen["false_positive_rate"],
        chosen["recall"],
        "o",
        color="#c8553d",
        label=f"threshold {curve.youden_threshold():.3f}",
    )
    left.set(xlabel="bad documents kept", ylabel="good documents kept (recall)", title="ROC")
    right.plot(curve.recall, curve.precision, color="#1f5fa8")
    right.plot(chosen["recall"], chosen["precision"], "o", color="#c8553d")
    right.set(xlabel="recall", ylabel="precision", title="precision and recall")
    for axes in (left, right):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.grid(alpha=0.3)
    left.legend(frameon=False, loc="lower right")
    figure.suptitle(f"area under the ROC curve {title}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    with atomic_write(path) as file:
        file.write(buffer.getvalue())
