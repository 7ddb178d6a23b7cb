"""A model in Python: trained, opened, asked; mistakes are plain errors."""

import pytest
from corpora import documents, write_jsonl

import gristmill as gm
from gristmill.pipelines.errors import RecipeError, WorkError

SMALL = {"model.d_model": 16, "model.n_heads": 1, "model.n_layers": 1, "model.context": 16}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    raw = write_jsonl(folder / "raw.jsonl", documents(120))
    tokenizer = gm.Tokenizer.train(raw, folder / "tokenizer", 300, workers=1)
    return gm.tokenize(raw, tokenizer, folder / "tokens", settings={"tokens.validation": 0.2}, workers=1)


@pytest.fixture(scope="module")
def model(tokens):
    return gm.pretrain(tokens, tokens.folder.parent / "run", steps=3, settings=SMALL, progress=False)


def test_a_model_is_opened_as_it_was_trained(model):
    opened = gm.open_model(model.folder)
    assert opened.summary == model.summary and opened.log["loss"].len() >= 3
    assert "3 steps" in repr(opened) and "curve" in opened._repr_html_() and "held-out" in opened._repr_html_()


def test_it_continues_text(model):
    short = {"sample.max_new_tokens": 4, "sample.seed": 1}
    once, again = (model.generate("The mill", 2, settings=short) for _ in range(2))
    assert once == again and len(once) == 2


def test_losses_are_shown_when_asked(tokens, tmp_path, capfd):
    gm.pretrain(tokens, tmp_path / "quiet", steps=1, settings=SMALL)
    assert capfd.readouterr() == ("", "")
    gm.pretrain(tokens, tmp_path / "run", steps=1, settings=SMALL, progress=True)
    assert "of 1  loss" in capfd.readouterr().err


def test_mistakes_are_plain_errors(tokens, tmp_path):
    with pytest.raises(WorkError, match="holds no finished run of a model"):
        gm.open_model(tmp_path)
    with pytest.raises(WorkError, match="holds no token shards"):
        gm.pretrain(tmp_path, tmp_path / "run")
    with pytest.raises(RecipeError, match="did you mean 'nano'"):
        gm.pretrain(tokens, tmp_path / "run", preset="nanoo")
