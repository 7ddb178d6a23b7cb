"""Quality classifiers from two corpora, good and bad documents: training, evaluation, scoring.

1. Sample each side by the hash of the document ids, the lowest first, up to ``max_bytes``; balance both sides.
2. Hold out the documents whose ids hash below ``held_out``; shuffle the others by hash.
3. Train the model; compute curves, areas and threshold on the held-out documents.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from upath import UPath

from gristmill.filters.classifier.filter import NEGATIVE, POSITIVE, open_model, sidecar
from gristmill.filters.classifier.roc import RocCurve
from gristmill.filters.core.sampling import uniform_by_id
from gristmill.filters.fasttext.format import write_fasttext
from gristmill.filters.fasttext.predict import FastTextPredictor
from gristmill.filters.fasttext.train import FastTextSettings, train
from gristmill.flows.clean.corpus import corpus_shards
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.storage.figures import new_figure, write_png
from gristmill.pipelines.storage.files import atomic_write, checksum, to_path
from gristmill.pipelines.storage.shards import cut_groups, read_batches

LABELS = [POSITIVE, NEGATIVE]
RECALLS = (0.8, 0.9, 0.95, 0.99)


class ClassifierSettings(FastTextSettings):
    """Settings of the training documents and of training."""

    max_bytes: int = Field(128_000_000, ge=1)  # of text, per side
    balance: bool = True  # the same number of documents on both sides
    held_out: float = Field(0.1, gt=0, lt=1)  # share of the documents for evaluation


def train_classifier(
    positive: Sequence[str], negative: Sequence[str], work: UPath, output: str, settings: ClassifierSettings
) -> dict:
    """Write the model, its curves (``OUTPUT.png``) and its evaluation (``OUTPUT.json``); return the evaluation."""
    sides = [_sample(positive, work / "positive", settings), _sample(negative, work / "negative", settings)]
    if settings.balance:
        fewest = min(map(len, sides))
        sides = [side.slice(0, fewest) for side in sides]
    targets = np.repeat(range(len(LABELS)), [len(side) for side in sides])
    documents = pa.concat_tables(sides).combine_chunks()
    ids = Ragged.from_text(documents[ID])
    texts = Ragged.from_text(documents[TEXT])  # copies are on one side
    is_held_out = uniform_by_id(texts, "held out") < settings.held_out
    trained, held = shuffled(ids, ~is_held_out), np.flatnonzero(is_held_out)
    for rows, purpose in ((trained, "train"), (held, "evaluate")):
        if np.unique(targets[rows]).size < len(LABELS):
            good, bad = (len(pc.unique(side[TEXT])) for side in sides)
            raise InputError(
                f"too few documents to {purpose} a classifier: {good:,} good and {bad:,} bad with text, copies counted "
                "once; add documents, or change classifier.held_out"
            )
    sidecar(output).unlink(missing_ok=True)  # one of an older model
    result = train(_texts(documents, trained), targets[trained], LABELS, settings)
    write_fasttext(to_path(output), *result)
    model = FastTextPredictor(result.model)
    scores = np.concatenate([model.probability(text, POSITIVE) for text in _texts(documents, held)])
    curve = RocCurve.from_scores(scores[targets[held] == 0], scores[targets[held] == 1])
    draw(curve, to_path(f"{output}.png"), f"{curve.auc():.4f}, of {held.size:,} held-out documents")
    found = _evaluation(curve, output, settings) | {
        "trained_on": np.bincount(targets[trained]).tolist(),
        "held_out": np.bincount(targets[held]).tolist(),
    }
    with atomic_write(sidecar(output)) as file:
        file.write(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    return found


def score_corpus(corpus: Sequence[str], work: UPath, model: str, label: str) -> Iterator[tuple[str, float]]:
    """Yield each document's id and score; a document without known words has 0."""
    classifier = open_model(model)
    if label not in classifier.labels:
        raise RecipeError(f"{model} has no label {label!r}; --label names one of {', '.join(classifier.labels[:5])}")
    for shard in corpus_shards(corpus, work):
        for table in read_batches(shard.path, [ID, TEXT]):
            scores = classifier.probability(Ragged.from_text(table[TEXT]), label)
            yield from zip(table[ID].to_pylist(), scores.tolist(), strict=True)


def _sample(corpus: Sequence[str], work: UPath, settings: ClassifierSettings) -> pa.Table:
    """Return documents with text, sorted by the hash of their ids, up to ``max_bytes``."""
    shards = list(corpus_shards(corpus, work))
    listed = [pl.DataFrame(schema={"draw": pl.Float64, "bytes": pl.Int64})]
    for shard in shards:
        for table in read_batches(shard.path, [ID, TEXT]):
            listed.append(_listed(table))
    every = pl.concat(listed).with_row_index("row").filter(pl.col("bytes") > 0).sort("draw", "row")
    chosen = every.filter(pl.col("bytes").cum_sum() <= settings.max_bytes)["row"].to_numpy()
    first, parts, ascending = 0, [], np.sort(chosen)
    for shard in shards:
        for table in read_batches(shard.path, [ID, TEXT]):
            begin, end = np.searchsorted(ascending, (first, first + len(table)))
            parts.append(table.take(ascending[begin:end] - first))
            first += len(table)
    schema = pa.schema([(ID, pa.large_string()), (TEXT, pa.large_string())])
    together = pa.concat_tables([schema.empty_table(), *(part.cast(schema) for part in parts)])
    return together.take(np.searchsorted(ascending, chosen))


def _listed(table: pa.Table) -> pl.DataFrame:
    text = pl.Series(table[TEXT])
    size = pl.when(text.str.strip_chars() == "").then(0).otherwise(text.str.len_bytes().cast(pl.Int64))
    return pl.select(draw=pl.Series(uniform_by_id(Ragged.from_text(table[ID]), "sample")), bytes=size)


def shuffled(ids: Ragged, among: np.ndarray) -> np.ndarray:
    """Return the rows that are True in ``among``, bool[n], in an order by the hash of their ids."""
    order = np.argsort(uniform_by_id(ids, "order"), kind="stable")
    return order[among[order]]


def _texts(documents: pa.Table, rows: np.ndarray) -> Iterator[Ragged]:
    for part in cut_groups(documents.take(rows)):
        yield Ragged.from_text(part[TEXT])


def _evaluation(curve: RocCurve, output: str, settings: ClassifierSettings) -> dict:
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
    """Write the ROC and precision-recall curves, with the chosen threshold as a dot, as a PNG."""
    figure = new_figure(9, 4.5)
    left, right = figure.subplots(1, 2)
    threshold = curve.youden_threshold()
    chosen = curve.at(threshold)
    left.plot([0, *curve.false_positive_rate], [0, *curve.recall], color="#1f5fa8")
    dot = {"marker": "o", "linestyle": "", "color": "#c8553d", "label": f"threshold {threshold:.3f}"}
    left.plot(chosen["false_positive_rate"], chosen["recall"], **dot)
    left.set(xlabel="bad documents kept", ylabel="good documents kept (recall)", title="ROC")
    right.plot(curve.recall, curve.precision, color="#1f5fa8")
    right.plot(chosen["recall"], chosen["precision"], **dot)
    right.set(xlabel="recall", ylabel="precision", title="precision and recall")
    for axes in (left, right):
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.grid(alpha=0.3)
    left.legend(frameon=False, loc="lower right")
    figure.suptitle(f"area under the ROC curve {title}")
    write_png(figure, path)
