"""A classifier learns, stops early with its best weights, resumes, and its measures are those of the definitions."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pretrain.adapters.attach import AdapterSettings, attach
from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.finetune.classify import ClassifySettings, ClassObjective, measures, predict
from gristmill.pretrain.finetune.labeled import LabeledDocuments, LabeledLoader
from gristmill.pretrain.model.classifier import Classifier, HeadSettings, freeze
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.checkpoint import load_model
from gristmill.pretrain.training.run import CheckpointSettings, fit, read_log
from gristmill.pretrain.training.trainer import TrainSettings

SHAPE = {"vocab_size": 20, "context": 12, "n_layers": 2, "d_model": 16, "n_heads": 2}
HEAD = HeadSettings(classes=["ham", "spam"])


def documents(count, seed=0, name="train"):
    """Documents of random tokens; with a 7 among them it is class 1."""
    rng = np.random.default_rng(seed)
    ids = [rng.integers(8, 20, rng.integers(2, 16)).astype(np.uint16) for _ in range(count)]
    labels = (np.arange(count) % 4 == 0).astype(np.int64)
    for each, label in zip(ids, labels, strict=True):
        if label:
            each[rng.integers(min(each.size, 12))] = 7
    return LabeledDocuments(ids, labels, 2, 12, name)


def classifier(pooling="last", **changes):
    return Classifier(GPT(ModelConfig(**{**SHAPE, **changes})), HEAD.model_copy(update={"pooling": pooling})).eval()


def train(folder, model, on_log=lambda line: None, steps=150, **changes):
    training = {"steps": steps, "batch_size": 16, "optimizer": "adamw", "lr": 1e-2, "warmup": 5, "schedule": "linear"}
    training = TrainSettings(**training, objective="next" if model.shape.causal else "masked")
    splits = {"train": documents(200), "validation": documents(40, 1), "held out": documents(80, 2)}
    objective = ClassObjective(splits, [f"d{i}" for i in range(80)], ClassifySettings(**changes), training)
    saving = CheckpointSettings(evaluate_every=10, checkpoint_every=25, log_every=5)
    return fit(objective, model, training, UPath(folder), Machine(), saving, on_log)


@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("causal", [True, False])
def test_padding_changes_no_prediction(pooling, causal):
    model, every = classifier(pooling, causal=causal), documents(9)
    torch.nn.init.normal_(model.head)
    together = predict(model, every, not causal)
    with torch.no_grad():
        for i, ids in enumerate(every.ids):
            states = model.body.hidden(torch.from_numpy(ids.astype(np.int64))[None])[0]
            state = states.mean(0) if pooling == "mean" else states[-1]
            expected = (model.head @ state).double().softmax(-1).numpy()
            assert np.abs(together[i] - expected).max() < 1e-5


def test_the_loss_is_the_cross_entropy_of_the_last_token():
    model, every = classifier(), documents(6)
    torch.nn.init.normal_(model.head)
    inputs, targets, _ = every.gather(np.arange(6), False)
    assert (targets != IGNORE_INDEX).sum() == 6
    loss = model(torch.from_numpy(inputs), torch.from_numpy(targets)).item()
    assert loss == pytest.approx(6 * measures(predict(model, every), every.labels)[0]["validation"], abs=1e-4)


def test_balanced_batches_hold_as_many_documents_of_each_class_and_every_document_comes_once_per_epoch():
    every = documents(40)
    loader = LabeledLoader(every, 10, 3, True, False, SINGLE_PROCESS)
    rows = loader.rows_of(np.arange(60))
    assert (every.labels[rows].reshape(6, 10).sum(1) == 5).all()
    assert sorted(rows[1::2][:10]) == sorted(np.flatnonzero(every.labels == 1))
    plain = LabeledLoader(every, 10, 3, False, False, SINGLE_PROCESS)
    assert sorted(plain.rows_of(np.arange(40))) == list(range(40))


@pytest.mark.parametrize(("layers", "method"), [("all", None), ("last", None), ("head", None), ("head", "lora")])
def test_frozen_weights_stay(layers, method):
    model = classifier()
    if method:
        attach(model.body, AdapterSettings(method=method, rank=2))
    freeze(model, layers)
    trained = {name for name, each in model.named_parameters() if each.requires_grad}
    assert "head" in trained
    body = {name.removeprefix("body.") for name in trained - {"head"}}
    if layers == "all":
        assert len(body) == len(list(model.body.parameters()))
    elif method:
        assert body and all("lora_" in name for name in body)
    else:
        assert all(name.startswith(("blocks.1.", "norm.")) for name in body) and bool(body) == (layers == "last")


def test_a_classifier_learns_and_its_run_opens_again(tmp_path):
    model = classifier("mean")
    summary = train(tmp_path / "run", model, patience=50)
    assert summary["accuracy"] > 0.9 and summary["f1"] > 0.8 and np.sum(summary["confusion"]) == 80
    assert (tmp_path / "run" / "confusion.png").exists()
    found = pl.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert (found["label"] == found["predicted"]).mean() == pytest.approx(summary["accuracy"])
    opened = load_model(UPath(tmp_path / "run"))
    assert isinstance(opened, Classifier) and opened.settings.pooling == "mean"
    assert np.array_equal(predict(opened, documents(9)), predict(model, documents(9)))


def test_early_stop_keeps_the_best_weights_and_a_killed_run_ends_alike(tmp_path):
    def kill(line):
        if line["step"] == 40:
            raise KeyboardInterrupt

    summary = train(tmp_path / "whole", classifier(), patience=1, layers="head")
    assert summary["steps"] < 150
    lines = [line for line in read_log(UPath(tmp_path / "whole")) if "validation" in line]
    assert summary["validation"] == min(line["validation"] for line in lines) < lines[-1]["validation"]
    loss = measures(predict(load_model(UPath(tmp_path / "whole")), documents(40, 1)), documents(40, 1).labels)[0]
    assert loss["validation"] == summary["validation"]
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", classifier(), kill, patience=3)
    assert train(tmp_path / "killed", classifier(), patience=3) == train(tmp_path / "again", classifier(), patience=3)


def test_training_stops_after_five_evaluations_without_a_lower_loss(tmp_path, monkeypatch):
    monkeypatch.setattr(ClassObjective, "evaluate", lambda *_: {"validation": 1.0})
    assert train(tmp_path / "run", classifier(), layers="head")["steps"] == 60  # evaluated after each ten steps


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=20))
def test_measures_are_their_definitions(pairs):
    labels, predicted = np.array(pairs).T
    found, confusion = measures(np.eye(3)[predicted] * 0.7 + 0.1, labels)
    assert found["accuracy"] == pytest.approx(np.mean(labels == predicted))
    f1 = []
    for each in range(3):
        hit, said, there = (
            ((labels == each) & (predicted == each)).sum(),
            (predicted == each).sum(),
            (labels == each).sum(),
        )
        assert confusion[each].sum() == there and confusion[:, each].sum() == said
        precision, recall = hit / said if said else 0.0, hit / there if there else 0.0
        f1.append(2 * precision * recall / (precision + recall) if hit else 0.0)
    assert found["f1"] == pytest.approx(np.mean(f1))


def test_a_class_without_documents_is_one_line():
    with pytest.raises(InputError, match="too few documents: 1 of 2 classes have none in the split 'train'; expected"):
        LabeledDocuments([np.array([1]), np.array([2])], np.array([0, 0]), 2, 8, "train")
