"""``gristmill classifier``: train, score, a recipe's step, and what it says when it cannot."""

import orjson
import pytest
from click.testing import CliRunner

from gristmill.flows.cli.classifier import classifier
from gristmill.pipelines.errors import GristmillError

GOOD = "The mill grinds corn number {} .\nThe miller sells flour ."
BAD = "Win {} cash now , click here !"
SMALL = ("--set", "classifier.buckets=1000", "--set", "classifier.held_out=0.3")


def write(path, form, count):
    rows = [{"id": f"{path.stem}-{i}", "text": form.format(i % 9)} for i in range(count)]
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in [*rows, {"id": "blank", "text": " "}]))
    return path


@pytest.fixture
def corpora(tmp_path):
    return write(tmp_path / "good.jsonl", GOOD, 60), write(tmp_path / "bad.jsonl", BAD, 40)


def run(*args):
    result = CliRunner().invoke(classifier, [str(arg) for arg in args], catch_exceptions=True)
    if result.exception:
        raise result.exception
    return result.output


def trained(corpora, output, work, *more):
    good, bad = corpora
    return run("train", "--positive", good, "--negative", bad, "--output", output, "--work", work, *SMALL, *more)


def test_train_and_score(corpora, tmp_path):
    model = tmp_path / "m.bin"
    said = trained(corpora, model, tmp_path / "work")
    assert "area under the ROC curve 1.0000" in said
    found = orjson.loads((tmp_path / "m.bin.json").read_bytes())
    assert found["at_threshold"] == {"recall": 1.0, "false_positive_rate": 0.0, "precision": 1.0}
    counts = [sum(pair) for pair in zip(found["trained_on"], found["held_out"], strict=True)]
    assert counts == [40, 40] and all(found["held_out"])  # balanced, the blank ones left out
    assert (tmp_path / "m.bin.png").read_bytes().startswith(b"\x89PNG")
    fit = tmp_path / "percentiles.json"
    score = ("--model", model, "--work", tmp_path / "others")
    rows = [*map(orjson.loads, run("score", *corpora, *score, "--write-percentiles", fit).splitlines())]
    assert len(rows) == 102 and len(orjson.loads(fit.read_bytes())["*"]) == 101
    for row in rows:
        good = row["id"].startswith("good")
        assert (row["score"] >= found["threshold"]) == good, row
    with pytest.raises(GristmillError, match="--label names one of __label__hq, __label__lq"):
        run("score", *corpora, *score, "--label", "__label__en")


def test_the_same_documents_in_other_files_give_the_same_bytes(corpora, tmp_path):
    trained(corpora, tmp_path / "one.bin", tmp_path / "work")
    rows = corpora[0].read_bytes().splitlines(keepends=True)
    parts = tmp_path / "parts"
    parts.mkdir()
    for k in range(3):
        (parts / f"{2 - k}.jsonl").write_bytes(b"".join(rows[k::3]))
    trained((parts, corpora[1]), tmp_path / "other.bin", tmp_path / "work-2")
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "other.bin").read_bytes()
    assert (tmp_path / "one.bin.png").read_bytes() == (tmp_path / "other.bin.png").read_bytes()


def test_max_bytes_and_balance(corpora, tmp_path):
    trained(corpora, tmp_path / "m.bin", tmp_path / "work", "--set", "classifier.balance=false")
    found = orjson.loads((tmp_path / "m.bin.json").read_bytes())
    assert [sum(pair) for pair in zip(found["trained_on"], found["held_out"], strict=True)] == [60, 40]
    limit = 20 * len(BAD.format(1))
    trained(corpora, tmp_path / "m.bin", tmp_path / "work", "--set", f"classifier.max_bytes={limit}")
    found = orjson.loads((tmp_path / "m.bin.json").read_bytes())
    most = limit // len(GOOD.format(1))
    assert [sum(pair) for pair in zip(found["trained_on"], found["held_out"], strict=True)] == [most, most]


@pytest.mark.parametrize("bad, found", [(0, "train a classifier: 0 good and 0 bad"), (60, "9 good and 1 bad")])
def test_too_few_documents_say_so(bad, found, tmp_path):
    corpora = write(tmp_path / "good.jsonl", GOOD, 60), write(tmp_path / "bad.jsonl", "Buy now.", bad)
    with pytest.raises(GristmillError, match=f"{found} with text, copies counted once; add documents"):
        trained(corpora, tmp_path / "m.bin", tmp_path / "work")
    with pytest.raises(GristmillError, match="did you mean 'epochs'"):
        trained(corpora, tmp_path / "m.bin", tmp_path / "work", "--set", "classifier.epoch=3")
