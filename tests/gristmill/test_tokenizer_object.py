"""A tokenizer in Python: every format is loaded by its suffix, saved, and gives the same ids."""

import sys

import polars as pl
import pyarrow as pa
import pytest
from corpora import documents, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

import gristmill as gm
from gristmill.pipelines.errors import GristmillError, InputError, RecipeError

TEXTS = ["", "The mill grinds.", "naïve 漢字 \U0001f469\u200d\U0001f467"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizers")
    write_jsonl(folder / "raw.jsonl", documents(60))
    raw = folder / "raw.jsonl"
    return {
        "bpe": gm.Tokenizer.train(raw, folder / "bpe", 300, settings={"bpe.compat": "tiktoken"}, workers=1),
        "unigram": gm.Tokenizer.train(raw, folder / "unigram", 320, algorithm="unigram", workers=1),
        "wordpiece": gm.Tokenizer.train(raw, folder / "wordpiece", 100, algorithm="wordpiece", workers=1),
    }


@given(text=st.text())
def test_ids_become_the_text_again(trained, text):
    tokenizer = trained["bpe"]
    assert tokenizer.decode(tokenizer.encode(text)) == text


@pytest.mark.parametrize("texts", [TEXTS, tuple(TEXTS), pl.Series(TEXTS), pa.array(TEXTS), pa.chunked_array([TEXTS])])
def test_a_batch_is_its_texts(trained, texts):
    tokenizer = trained["bpe"]
    ids = tokenizer.encode_batch(texts)
    assert ids == [tokenizer.encode(text) for text in TEXTS] == tokenizer.encode_arrow(texts).to_pylist()
    assert tokenizer.decode_batch(ids) == TEXTS


@pytest.mark.parametrize(
    ("kind", "name", "extra"),
    [
        ("bpe", "folder", {}),
        ("bpe", "tokenizer.json", {}),
        ("bpe", "bpe.tiktoken", {"pretokenizer": "o200k", "special": {"<|endoftext|>": 299}}),
        ("unigram", "unigram.model", {}),
    ],
)
def test_every_format_is_saved_and_loaded(trained, kind, name, extra, tmp_path):
    tokenizer = trained[kind]
    tokenizer.save(tmp_path / name)
    loaded = gm.Tokenizer.load(tmp_path / name, **extra)
    assert loaded.encode_batch(TEXTS) == tokenizer.encode_batch(TEXTS)
    assert len(loaded) == len(tokenizer) and loaded.special == tokenizer.special


def test_a_vocabulary_of_bert_is_saved(trained, tmp_path):
    trained["wordpiece"].save(tmp_path / "vocab.txt")
    assert len((tmp_path / "vocab.txt").read_text("utf-8").splitlines()) == len(trained["wordpiece"])


@pytest.mark.parametrize("id", [-1, 300, 1 << 62])
def test_an_id_outside_the_vocabulary_is_refused(trained, id):
    with pytest.raises(InputError, match=f"id {id} is not in the vocabulary of 300"):
        trained["bpe"].decode([5, id])


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda path, tokenizer: gm.Tokenizer.load(path / "none"), InputError, "is not a file"),
        (lambda path, tokenizer: gm.Tokenizer.load(path), InputError, "holds none of gristmill.json"),
        (lambda path, tokenizer: gm.Tokenizer.load(path / "a.txt"), InputError, "no line \\[UNK\\]"),
        (lambda path, tokenizer: gm.Tokenizer.load(path / "a.tiktoken"), RecipeError, "names no pre-tokenizer"),
        (lambda path, tokenizer: tokenizer.save(path / "b.model"), RecipeError, "SentencePiece"),
        (lambda path, tokenizer: tokenizer.encode("", allowed_special=["<s>"]), RecipeError, "not a special token"),
        (lambda path, tokenizer: gm.Tokenizer.train(path / "none", path / "t"), InputError, "none"),
    ],
)
def test_a_mistake_is_one_plain_line(trained, ask, error, message, tmp_path):
    (tmp_path / "a.txt").write_text("a\n")
    (tmp_path / "a.tiktoken").write_text("")
    with pytest.raises(error, match=message) as raised:
        ask(tmp_path, trained["bpe"])
    assert "\n" not in str(raised.value)


def test_a_library_that_is_missing_is_named(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(GristmillError, match=r"needs the package tiktoken, .* pip install tiktoken"):
        trained["bpe"].save(tmp_path / "bpe.tiktoken")


def test_an_imported_tokenizer_makes_token_shards(trained, tmp_path):
    trained["bpe"].save(tmp_path / "tokenizer.json")
    loaded = gm.Tokenizer.load(tmp_path / "tokenizer.json")
    raw = write_jsonl(tmp_path / "raw.jsonl", documents(60))
    shards = gm.tokenize(raw, loaded, tmp_path / "tokens", workers=1)
    assert shards.manifest.counts["tokens"] > 60 and gm.Tokenizer.load(shards.tokenizer).encode(
        "mill"
    ) == loaded.encode("mill")
