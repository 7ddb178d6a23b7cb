"""Tokenizers, tokens, models and an experiment in the report."""

import json

import pytest
from corpora import documents
from upath import UPath

from gristmill.flows.report.html import report
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.manifest import Manifest, Part
from gristmill.pipelines.storage.sealed import write_sealed
from tests.browsing import CLIPPED
from tests.flows.report.conftest import number, run, table, written


def test_what_was_made_of_it_is_told(tmp_path, opened):
    from gristmill.flows.tokenize.tokenize_corpus import token_settings, tokenize
    from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer

    work = run(tmp_path, list(documents()))
    settings = tokenizer_settings({"vocab_size": 300})
    train_tokenizer([str(work)], work / "tokenizers" / "small", settings)
    made = tokenize([str(work)], str(work / "tokenizers" / "small"), work / "tokens" / "all", token_settings(()))
    trained = work / "runs" / "tiny"
    trained.mkdir(parents=True)
    log = [{"step": k, "loss": 6 - k / 10} for k in range(1, 11)] + [{"step": 10, "validation": 5.25}]
    (trained / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
    summary = {"steps": 10, "tokens": 640, "epochs": 0.5, "parameters": 1234, "loss": 5.0, "validation": 5.25}
    (trained / "summary.json").write_text(json.dumps(summary | {"bits_per_byte": 2.125}))
    part = Part.from_files(trained, "fingerprint", ["summary.json"], {})
    Manifest("fingerprint", {"train": {}}, {"run": part}).write(trained)
    page, said = opened(written(work), viewport={"width": 390, "height": 800})
    assert page.evaluate(CLIPPED) == []
    tokens_of = made.manifest.counts["tokens"]
    assert f"{tokens_of:,} as all" in page.locator(".made").inner_text()
    page.set_viewport_size({"width": 1440, "height": 900})
    ((name, algorithm, pieces, *_),) = table(page, "#tokenizers")
    assert (name, algorithm, pieces) == ("small", "bpe", "300")
    rows = table(page, ".tokens table:first-of-type")
    assert sum(number(tokens) for _, _, tokens, *_ in rows) == made.manifest.counts["tokens"]
    assert table(page, "#losses") == [["tiny", "1,234", "10", "640", "0.50", "5.000", "5.250", "2.125"]]
    assert page.locator("#losses polyline").count() == 1 and page.locator("#losses .dot").count() == 1
    assert len(said) == 1


def test_an_experiment_is_told_with_its_intervals(work, tmp_path, opened):
    question = {"arm": "full", "against": "raw", "delta": -0.02, "interval": [-0.03, -0.01], "margin": 0.005}
    question |= {
        "adjusted": 0.012,
        "bytes_per_millibit": 4200.0,
        "verdict": "better",
        "sentence": "full against raw: <b>",
    }
    arm = {"documents": 3, "bytes": 10, "trained_tokens": 9, "epochs": 1.0, "runs": 3}
    losses = {"novels": {"mean": 2.5, "sd": 0.01}}
    result = {"headline": "full against raw: <b>", "test": {"decision_set": "novels"}, "questions": [question]}
    result |= {key: [] for key in ("warnings", "disagreements", "legend")}
    result |= {"arms": [arm | {"name": name, "losses": losses} for name in ("full", "raw")]}
    write_sealed(UPath(tmp_path / "impact.json"), result)
    report(work, UPath(tmp_path / "page.html"), UPath(tmp_path))
    page, _ = opened(tmp_path / "page.html", viewport={"width": 390, "height": 800})
    assert page.evaluate(CLIPPED) == []
    page.set_viewport_size({"width": 1440, "height": 900})
    assert table(page, "#intervals") == [
        ["full", "raw", "", "−0.0200", "−0.0300 to −0.0100", "0.012", "better", "4.2 kB"]
    ]
    assert page.locator("#impact .lead").inner_text() == "full against raw: <b>"
    point, zero = (page.locator(f"#intervals {mark}").bounding_box()["x"] for mark in (".dot", ".zero"))
    assert point < zero


def test_an_experiment_that_is_not_there_is_one_line(work, tmp_path):
    with pytest.raises(WorkError, match=r"holds no impact.json; `gristmill impact run"):
        report(work, UPath(tmp_path / "page.html"), UPath(tmp_path))
