"""``gristmill ngram``: train, score, export, and what it says when it cannot."""

import orjson
import pytest
from click.testing import CliRunner

from flows.cli.ngram import ngram
from pipelines.errors import GristmillError

FALLBACK = "ngram.fallback=[0.5, 1.0, 1.5]"


@pytest.fixture
def corpus(tmp_path):
    rows = [{"id": str(i), "text": f"The mill grinds corn number {i % 7} .\nAnd more ."} for i in range(40)]
    path = tmp_path / "corpus.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


def run(*args):
    result = CliRunner().invoke(ngram, [str(arg) for arg in args], catch_exceptions=True)
    if result.exception:
        raise result.exception
    return result.output


def test_train_score_and_export(corpus, tmp_path):
    model, arpa, again = tmp_path / "m.ngram", tmp_path / "m.arpa", tmp_path / "again.ngram"
    work = ("--work", tmp_path / "work")
    assert "order 3" in run("train", corpus, "--output", model, *work, "--set", "ngram.order=3", "--set", FALLBACK)
    fit = tmp_path / "cutoffs.json"
    rows = [*map(orjson.loads, run("score", corpus, "--model", model, *work, "--lines", "--fit", fit).splitlines())]
    assert len(rows) == 40 and all(len(row["line_log10"]) == 2 for row in rows)
    assert len(orjson.loads(fit.read_bytes())["*"]) == 101
    run("export", model, arpa)
    run("export", arpa, again)
    for row, other in zip(rows, run("score", corpus, "--model", again, *work).splitlines(), strict=True):
        assert row["log10"] == pytest.approx(orjson.loads(other)["log10"], abs=1e-4)


def test_too_little_text_says_what_to_do(corpus, tmp_path):
    with pytest.raises(GristmillError, match="too small for order"):
        run("train", corpus, "--output", tmp_path / "m", "--work", tmp_path / "work")


def test_another_vocabulary_is_refused(corpus, tmp_path):
    from upath import UPath

    from filters.ngram.model import NGram
    from flows.ngram import score_documents

    work = tmp_path / "work"
    run("train", corpus, "--output", tmp_path / "m", "--work", work, "--set", "ngram.order=2", "--set", FALLBACK)
    model = NGram.open(UPath(tmp_path / "m"))
    other = model._replace(about={**model.about, "units": "tokenizer 123"})
    with pytest.raises(GristmillError, match="score with the tokenizer it was trained with"):
        next(score_documents([str(corpus)], UPath(work), other, None))
