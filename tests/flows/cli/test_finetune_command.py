"""gristmill finetune classify on a few documents with a column of labels."""

import json
import os
import random

import polars as pl
import pytest
from corpora import paragraph, write_jsonl
from token_folders import token_folder

from tests.flows.cli.test_pretrain_commands import SMALL, call, complaint


@pytest.fixture(scope="module")
def spam(tmp_path_factory):
    """A run, and messages of which those about a prize are spam."""
    folder, rng = tmp_path_factory.mktemp("spam"), random.Random(2)
    rows = []
    for i in range(120):
        text = paragraph(rng, rng.randint(2, 6))
        text = f"Win a prize! {text}" if i % 3 == 0 else text
        rows.append({"id": f"m{i}", "text": text, "labels": {"spam": i % 3 == 0}, "kind": "a"})
    copies = [{**row, "id": f"copy of {row['id']}"} for row in rows[:40]]
    write_jsonl(folder / "messages.jsonl", [*rows, *copies, {"id": "blank", "text": "", "labels": {}, "kind": "a"}])
    tokens = token_folder(folder, [row["text"] for row in rows])
    call("pretrain", tokens, "--steps", 2, "--output", folder / "run", *SMALL)
    return folder


@pytest.mark.parametrize("method", [(), ("--method", "lora")])
def test_a_classifier_is_trained_on_a_field(spam, tmp_path, method):
    places = ("--output", tmp_path / "out", "--work", tmp_path / "work")
    small = ("--set", "train.steps=30", "--set", "train.lr=0.01", *method)
    done = call(
        "finetune", "classify", spam / "run", spam / "messages.jsonl", "--label", "labels.spam", *places, *small
    )
    assert "held out  accuracy" in done.stdout and "predictions by label, false, true" in done.stdout
    assert "accuracy" in done.stderr
    made = {"model.json", "confusion.png", "predictions.parquet", "loss.png", "gristmill.json", "manifest.json"}
    assert made <= set(os.listdir(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "model.json").read_text())["head"]["classes"] == ["false", "true"]
    lines = call("classify", tmp_path / "out", spam / "messages.jsonl", "--work", tmp_path / "work").stdout.splitlines()
    found = {row["id"]: row for row in map(json.loads, lines)}
    held_out = pl.read_parquet(tmp_path / "out" / "predictions.parquet")
    for id, label, probability in held_out.select("id", "predicted", "probability").iter_rows():
        assert found[id]["label"] == label and found[id]["probability"] == pytest.approx(probability, abs=1e-6)
    ids = {*held_out["id"]}
    assert all((f"m{i}" in ids) == (f"copy of m{i}" in ids) for i in range(40))
    assert len(found) == 161 and found["blank"] == {"id": "blank", "label": None, "probability": None}
    assert "run is no classifier" in str(complaint("classify", spam / "run", spam / "messages.jsonl"))
    assert "found a model of kind Classifier" in str(complaint("generate", tmp_path / "out", "--prompt", "x"))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("spam", "has no column 'spam'; --label names one of id, text, source, kind, labels"),
        ("labels.ham", "has no document with text and 'labels.ham'"),
        ("kind.ham", "has no document with text and 'kind.ham'"),
        ("kind", "has one class in 'kind' ('a')"),
    ],
)
def test_a_label_that_is_not_there_is_one_line(spam, tmp_path, label, words):
    places = ("--output", tmp_path / "out", "--work", tmp_path / "work")
    error = complaint("finetune", "classify", spam / "run", spam / "messages.jsonl", "--label", label, *places)
    assert words in str(error)


def test_settings_of_token_batches_are_refused(spam, tmp_path):
    given = ("--label", "kind", "--output", tmp_path / "out", "--set", "train.packing=whole")
    error = complaint("finetune", "classify", spam / "run", spam / "messages.jsonl", *given)
    assert str(error) == "[train]: packing is of no use to a classifier, which reads one document per row"
