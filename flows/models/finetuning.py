"""Fine-tuning for the command line: labeled documents of a corpus become the splits of a classifier."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from gristmill.filters.core.sampling import uniform_by_id
from gristmill.flows.clean.corpus import corpus_shards
from gristmill.flows.models.pretraining import as_gpt, open_model, parse_changes, read_table
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.shards import read_batches, shard_schema
from gristmill.pretrain.adapters.attach import AdapterSettings, attach
from gristmill.pretrain.finetune.classify import ClassifySettings, ClassObjective, predict
from gristmill.pretrain.finetune.labeled import LabeledDocuments
from gristmill.pretrain.model.classifier import Classifier, HeadSettings, freeze
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.training.run import CheckpointSettings, OnLog, fit
from gristmill.pretrain.training.trainer import TrainSettings
from gristmill.tokenizers_lab.formats.model import write_model
from gristmill.tokenizers_lab.import_tokenizer import load_any
from gristmill.tokenizers_lab.tokenizer import Tokenizer

# A third of the rate of pretraining: the weights are good already.
DEFAULTS: dict[str, dict] = {
    "train": {"steps": 400, "batch_size": 32, "optimizer": "adamw", "schedule": "linear", "warmup": 20},
    "save": {"evaluate_every": 25},
}
DEFAULT_LR = 1e-3  # at a width of 128, as in pretraining
TABLES = "classify", "train", "adapter", "machine", "save"
UNUSED = {"objective", "packing", "mask_probability", "mean_span"}  # settings of batches of tokens


def classify(
    run: str, data: str, label: str, output: str, work: str, changes: Iterable[str], method: str | None, on_log: OnLog
) -> dict[str, Any]:
    """Train a classifier for ``gristmill finetune classify``; return the summary of the run."""
    defaults: dict[str, dict] = {**DEFAULTS, "adapter": {"method": method} if method else {}}
    tables = parse_changes(changes, TABLES, **defaults)
    settings = read_table(ClassifySettings, tables, "classify")
    adapter = read_table(AdapterSettings, tables, "adapter") if tables["adapter"] else None
    machine, saving = read_table(Machine, tables, "machine"), read_table(CheckpointSettings, tables, "save")
    if unused := sorted(tables["train"].keys() & UNUSED):
        raise RecipeError(f"[train]: {unused[0]} is of no use to a classifier, which reads one document per row")
    body = as_gpt(open_model(run), run)
    tables["train"] |= {"objective": "next" if body.shape.causal else "masked"}
    tables["train"].setdefault("lr", DEFAULT_LR * 128 / body.shape.d_model)
    training = read_settings(TrainSettings, tables["train"], "[train]")
    tokenizer = Tokenizer(load_any(to_path(run)))
    documents = read_labeled(data, label, work)
    classes = documents["label"].unique().sort().to_list()
    if len(classes) < 2:
        raise InputError(f"{data} has one class in {label!r} ({classes[0]!r}); expected two or more")
    if adapter:
        attach(body, adapter, training.init_seed)
    model = Classifier(body, HeadSettings(classes=classes, pooling=settings.pooling))
    freeze(model, settings.layers if adapter is None else "head")
    splits, held_out_ids = split_documents(documents, classes, tokenizer, body.shape, settings)
    folder = to_path(output)
    objective = ClassObjective(splits, held_out_ids, settings, training)
    summary = fit(objective, model, training, folder, machine, saving, on_log)
    write_model(tokenizer.model, folder)
    return summary


def read_labeled(data: str, label: str, work: str) -> pl.DataFrame:
    """Return ``id``, ``text`` and ``label`` of all documents with text and label.

    ``label`` names a column, or a field of one: ``labels.spam``. Raises RecipeError if there is no such column, and
    InputError if no document has the label.
    """
    column, _, field = label.partition(".")
    parts = [pl.DataFrame(schema={ID: pl.String, TEXT: pl.String, "label": pl.String})]
    for shard in corpus_shards([data], to_path(work)):
        names = shard_schema(shard.path).names
        if column not in names:
            raise RecipeError(f"{data} has no column {column!r}; --label names one of {', '.join(names)}")
        for table in read_batches(shard.path, [ID, TEXT, column]):
            value = pl.Series(table[column])
            if field:  # nested values of the input are stored as JSON
                value = value.cast(pl.String).str.json_path_match(f"$.{field}")
            columns = {ID: pl.Series(table[ID]), TEXT: pl.Series(table[TEXT]), "label": value.cast(pl.String)}
            parts.append(pl.DataFrame(columns))
    found = pl.concat(parts).filter(pl.col("label").is_not_null() & (pl.col(TEXT).str.strip_chars() != ""))
    if found.is_empty():
        raise InputError(f"{data} has no document with text and {label!r}")
    return found


def split_documents(
    documents: pl.DataFrame, classes: list[str], tokenizer: Tokenizer, shape: ModelConfig, settings: ClassifySettings
) -> tuple[dict[str, LabeledDocuments], list[str]]:
    """Split documents into train, validation and held out; return the ids of the last, too.

    The hash of the text decides, so copies are on one side and no held-out document has been read in training.
    """
    texts = Ragged.from_text(pa.array(documents[TEXT].to_list(), pa.large_string()))
    tokens = tokenizer(texts)
    if tokens.data.size and tokens.data.max() >= shape.vocab_size:
        raise RecipeError(f"the tokenizer gives id {tokens.data.max()}, but the model has {shape.vocab_size:,} tokens")
    labels = np.searchsorted(np.array(classes), documents["label"].to_numpy())
    is_held_out = uniform_by_id(texts, "held out") < settings.held_out
    is_validation = ~is_held_out & (uniform_by_id(texts, "validation") < settings.validation)
    masks = {"train": ~is_held_out & ~is_validation, "validation": is_validation, "held out": is_held_out}
    rows = {name: np.flatnonzero(mask) for name, mask in masks.items()}
    begins, ends = tokens.offsets[:-1], tokens.offsets[1:]
    splits = {
        name: LabeledDocuments(
            *([tokens.data[begins[i] : ends[i]] for i in some], labels[some], len(classes), shape.context, name)
        )
        for name, some in rows.items()
    }
    return splits, documents[ID].gather(rows["held out"]).to_list()


def classify_corpus(
    run: str, corpus: Sequence[str], work: str, changes: Iterable[str]
) -> Iterator[tuple[str, str | None, float | None]]:
    """Yield id, class and its probability for each document; None for a document without tokens.

    Raises RecipeError for a run that is no classifier.
    """
    machine = read_table(Machine, parse_changes(changes, ("machine",)), "machine")
    model = open_model(run)
    if not isinstance(model, Classifier):
        raise RecipeError(f"{run} is no classifier; `gristmill finetune classify {run} DATA --label COLUMN` trains one")
    model, tokenizer = model.to(machine.init_device()), Tokenizer(load_any(to_path(run)))
    for shard in corpus_shards(corpus, to_path(work)):
        for table in read_batches(shard.path, [ID, TEXT]):
            tokens = tokenizer(Ragged.from_text(table[TEXT]))
            rows = np.flatnonzero(np.diff(tokens.offsets))
            ids = [tokens.data[tokens.offsets[row] : tokens.offsets[row + 1]] for row in rows]
            found = np.zeros((table.num_rows, model.targets))
            if ids:
                documents = LabeledDocuments(ids, np.zeros(rows.size, np.int64), 1, model.shape.context, "classify")
                found[rows] = predict(model, documents, not model.body.shape.causal)
            for id, each in zip(table[ID].to_pylist(), found, strict=True):
                best = int(each.argmax())
                yield (id, model.settings.classes[best], float(each[best])) if each.any() else (id, None, None)
