"""``gristmill ngram``: train, score, export, and what it says when it cannot."""

import orjson
import pytest
from click.testing import CliRunner

from gristmill.flows.cli.ngram import ngram
from gristmill.flows.cli.tokenizer import tokenizer
from gristmill.flows.tokenize.train_tokenizer import load_encoder
from gristmill.pipelines.errors import GristmillError
from gristmill.pipelines.ragged import Ragged

FALLBACK = "ngram.discount_fallback=[0.5, 1.0, 1.5]"


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
    fit = tmp_path / "percentiles.json"
    rows = [
        *map(
            orjson.loads,
            run("score", corpus, "--model", model, *work, "--lines", "--write-percentiles", fit).splitlines(),
        )
    ]
    assert len(rows) == 40 and all(len(row["line_log10"]) == 2 for row in rows)
    assert len(orjson.loads(fit.read_bytes())["*"]) == 101
    run("export", model, arpa)
    run("export", arpa, again)
    for row, other in zip(rows, run("score", corpus, "--model", again, *work).splitlines(), strict=True):
        assert row["log10"] == pytest.approx(orjson.loads(other)["log10"], abs=1e-4)


def test_too_little_text_says_what_to_do(corpus, tmp_path):
    with pytest.raises(GristmillError, match="too small for order"):
        run("train", corpus, "--output", tmp_path / "m", "--work", tmp_path / "work")


def test_a_model_of_tokens_is_trained_and_scored_with_its_tokenizer_and_no_other(corpus, tmp_path):
    tokenizers = []
    for size in (270, 280):
        tokenizers.append(tmp_path / f"tokenizer-{size}")
        options = ["--workers", "1", "--vocab-size", str(size), "--output", str(tokenizers[-1])]
        assert CliRunner().invoke(tokenizer, ["train", str(corpus), *options], catch_exceptions=False).exit_code == 0
    model, words, work = tmp_path / "tokens.ngram", tmp_path / "words.ngram", ("--work", tmp_path / "work")
    small = (*work, "--set", "ngram.order=2", "--set", FALLBACK)
    run("train", corpus, "--output", model, "--tokenizer", tokenizers[0], *small)
    score = run("score", corpus, "--model", model, "--tokenizer", tokenizers[0], *work)
    rows = [*map(orjson.loads, score.splitlines())]
    lines = load_encoder(str(tokenizers[0]))(Ragged.from_strings(["The mill grinds corn number 0 .", "And more ."]))
    assert rows[0]["tokens"] == lines.data.size + 2 and rows[0]["unknown"] == 0
    run("train", corpus, "--output", words, *small)
    for other, given in ((model, ()), (model, ("--tokenizer", tokenizers[1])), (words, ("--tokenizer", tokenizers[0]))):
        with pytest.raises(GristmillError, match="score with the tokenizer it was trained with"):
            run("score", corpus, "--model", other, *given, *work)


def test_kenlm_scores_our_arpa_as_we_do(corpus, tmp_path):
    pytest.importorskip("kenlm")
    model, arpa, work = tmp_path / "m.ngram", tmp_path / "m.arpa", ("--work", tmp_path / "work")
    run("train", corpus, "--output", model, *work, "--set", "ngram.order=3", "--set", FALLBACK)
    run("export", model, arpa)
    ours, theirs = ([*map(orjson.loads, run("score", corpus, "--model", m, *work).splitlines())] for m in (model, arpa))
    for row, other in zip(ours, theirs, strict=True):
        assert row == pytest.approx(other, abs=1e-3)
    (tmp_path / "broken.arpa").write_bytes(arpa.read_bytes()[:100])
    with pytest.raises(GristmillError, match=r"kenlm cannot read .*broken\.arpa"):
        run("score", corpus, "--model", tmp_path / "broken.arpa", *work)
