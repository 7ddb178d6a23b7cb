"""Benchmarks that nothing else runs, on a small corpus: a change of the product must not break their commands."""

import json
import random
import re
import sys
from importlib import import_module

import pytest
import zstandard

from benchmarks import scale, scaling

WORDS = ["mill", "river", "flour", "grain", "bread", "water", "stone", "wheel", "miller", "wind", "sack", "rye", "oats"]


def prose(draw, words):
    return " ".join(draw.choice(WORDS).capitalize() if k % 12 == 0 else draw.choice(WORDS) for k in range(words)) + "."


def write(path, rows):
    path.write_bytes(zstandard.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    return path


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """60 documents of paragraphs: 20 of them are copies with an edit, all end with the same notice."""
    draw, notice = random.Random(3), "Copyright of the village mill, all rights reserved by the miller and his heirs."
    texts = ["\n\n".join(prose(draw, 60) for _ in range(4)) for _ in range(40)]
    texts += [text.replace("mill", "windmill", 1) for text in texts[:20]]
    path = tmp_path_factory.mktemp("small") / "corpus.jsonl.zst"
    rows = (
        {"id": f"{k:03}", "text": f"{text}\n\n{notice}", "labels": {"near_cluster": k % 40}}
        for k, text in enumerate(texts)
    )
    return write(path, rows)


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    labels = {"benchmark": "mills", "question": prose(random.Random(9), 30), "answer": 4}
    return write(tmp_path_factory.mktemp("items") / "eval.jsonl.zst", [{"id": "1", "text": "", "labels": labels}])


@pytest.mark.parametrize(
    ("name", "arguments", "printed"),
    [
        (
            "near_duplicates",
            "CORPUS",
            "'removed': 20, 'pairs': 20, 'missed': 0, 'copies': 0, 'copies_kept': 0, 'wrong': 0",
        ),
        ("repeats", "CORPUS", "60 copies in     60 documents  'Copyright of the village mill"),
        ("repeats", "CORPUS --near-threshold 0.8 --edits 0.01", "cut lines are similar to no kept line"),
        ("pasted_paragraphs", "CORPUS --pastes 5", "share of pasted paragraphs found"),
        (
            "tokens",
            "CORPUS --vocab-size 300 --positions 50",
            r"60 of 60 documents decode to their text \(60 documents read\)\n50 of 50",
        ),
        ("contamination", "CORPUS ITEMS", "0 of 60 documents without planted items flagged"),
        ("checksums", "CORPUS", r"changed threshold, verified \| [\d.]+ \| [1-9]"),
        ("own_filters", "CORPUS", "batch form"),
        ("wordpiece", "CORPUS --megabytes 0.01 --vocab-size 60", "ids equal on 60 of 60 documents"),
        ("unigram", "CORPUS --folder FOLDER --megabytes 0.1 --vocab-size 40 --sides ours parity", "nats per byte"),
        ("sketches", "", r"rounds +5000 "),
        ("dask_tasks", "--workers 2 --tasks 6 --json FOLDER/dask.json", "2 workers, 6 tasks of"),
    ],
)
def test_a_benchmark_runs_on_a_small_corpus(corpus, items, name, arguments, printed, tmp_path, monkeypatch, capsys):
    given = [word.replace("CORPUS", str(corpus)).replace("ITEMS", str(items)) for word in arguments.split()]
    given = [word.replace("FOLDER", str(tmp_path)) for word in given]
    monkeypatch.setattr(sys, "argv", [name, *given])
    import_module(f"benchmarks.{name}").main()
    assert re.search(printed, capsys.readouterr().out)


def test_deduplication_at_size_reports_its_memory(corpus, tmp_path, capsys):
    for name, copies in (("few", 1), ("all", 3)):
        scaling.prepare(scaling.read(corpus), copies, tmp_path / name / "documents")
    scaling.run(tmp_path, 64)
    assert ", 60 removed, {'candidates': 120, " in capsys.readouterr().out


def test_the_run_at_growing_sizes_is_killed_resumed_and_printed(corpus, tmp_path, monkeypatch, capsys):
    rows = [json.loads(line) for line in zstandard.decompress(corpus.read_bytes()).splitlines()]
    write(tmp_path / "messy.jsonl.zst", [row | {"labels": {"language": "en"}} for row in rows])
    figures = tmp_path / "scale.json"
    given = [str(tmp_path), "--gb", "0.001", "0.002", "--folder", str(tmp_path / "new"), "--json", str(figures)]
    monkeypatch.setattr(sys, "argv", ["scale", *given])
    scale.main()
    found = json.loads(figures.read_text())
    assert [round(row["mb"], 1) for row in found["sizes"]] == [1.0, 2.0] and found["resumed"]["same"]
    assert all(row["documents_in"] >= row["clean"] and "measure" in row["steps"] for row in found["sizes"])
    assert len([line for line in capsys.readouterr().out.splitlines() if line.startswith("| 0.0 ")]) == 2
    assert not [*(tmp_path / "new").iterdir()]
