"""A tokenizer in Python: every format is loaded by its suffix, saved, and gives the same ids."""

import itertools
import sys

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
import tiktoken
from corpora import documents, write_jsonl
from hypothesis import given
from hypothesis import strategies as st

import gristmill as gm
from gristmill.pipelines.errors import GristmillError, InputError, RecipeError
from gristmill.tokenizers_lab.pretokenize import PATTERNS

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


def test_special_tokens_are_text_allowed_or_refused(trained):
    tokenizer, end = trained["bpe"], trained["bpe"].special["<|endoftext|>"]
    text = "one<|endoftext|>two"
    assert end not in tokenizer.encode(text)
    assert tokenizer.encode_batch([text, "x"], "all")[0] == tokenizer.encode(text, {"<|endoftext|>"})
    assert tokenizer.encode(text, "all").count(end) == 1
    assert tokenizer.encode("plain", disallowed_special="all") == tokenizer.encode("plain")
    with pytest.raises(RecipeError, match=r"contains the special token '<\|endoftext\|>'"):
        tokenizer.encode(text, disallowed_special="all")
    assert tokenizer.encode(text, "all", "all").count(end) == 1


@pytest.mark.parametrize("text", ["\ud800", "a\udfff b", "\ud83d\udc69", "\udc69\ud83d"])
def test_lone_surrogates_are_those_of_tiktoken(trained, text):
    clean = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert trained["bpe"].encode(text) == trained["bpe"].encode(clean)
    assert trained["bpe"].encode_batch([text]) == [trained["bpe"].encode(clean)]


def test_arrays_of_ids_and_where_texts_begin(trained):
    tokenizer = trained["bpe"]
    ids, offsets = tokenizer.encode_numpy(TEXTS)
    rows = [ids[a:b].tolist() for a, b in itertools.pairwise(offsets)]
    assert rows == tokenizer.encode_batch(TEXTS) and ids.dtype == np.uint16
    out = np.full(ids.size + 3, 7, np.int64)
    given, _ = tokenizer.encode_numpy(TEXTS, out=out)
    assert given.base is out and given.tolist() == ids.tolist() and out[-3:].tolist() == [7, 7, 7]
    for bad in (np.empty(ids.size - 1, np.uint16), np.empty(99, np.uint8), np.empty((9, 99), int), np.empty(99)):
        with pytest.raises(RecipeError, match=r"out is an array of .* expected a flat array of integers up to 299"):
            tokenizer.encode_numpy(TEXTS, out=bad)


@given(text=st.text(st.sampled_from("ab é漢\n\U0001f469"), max_size=12))
def test_offsets_are_the_characters_of_a_token(trained, text):
    ids, spans = trained["bpe"].encode_with_offsets(text)
    assert ids == trained["bpe"].encode(text)
    covered = 0
    for id, (begin, end) in zip(ids, spans, strict=True):
        assert trained["bpe"].decode_bytes([id]) in text[begin:end].encode()
        assert begin <= covered <= end
        covered = end
    assert covered == len(text)
    if " " not in text[:1]:  # a space is put before the text: no character of it
        ids, spans = trained["unigram"].encode_with_offsets(text)
        assert len(ids) == len(spans) and (not text or spans[-1][1] == len(text))


def test_offsets_need_tokens_that_spell_the_text(trained):
    with pytest.raises(RecipeError, match="this tokenizer changes it first"):
        trained["wordpiece"].encode_with_offsets("The MILL")


def test_a_token_has_an_id(trained):
    tokenizer = trained["bpe"]
    assert tokenizer.token_to_id("<|endoftext|>") == tokenizer.special["<|endoftext|>"]
    assert tokenizer.token_to_id("nothing like it") is None
    assert tokenizer.decode_bytes([tokenizer.token_to_id(b"\xff")]) == b"\xff"


def test_programs_for_tiktoken_get_its_answers(trained):
    ours = gm.tiktoken_like(trained["bpe"])
    model = trained["bpe"].model
    ranks = {piece: id for id, piece in enumerate(model.pieces) if id not in model.special_ids}
    theirs = tiktoken.Encoding("x", pat_str=PATTERNS["o200k"][0], mergeable_ranks=ranks, special_tokens=model.special)
    for text in (*TEXTS, "<|endoftext|>", "\ud800x"):
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)
        assert ours.encode(text, allowed_special="all") == theirs.encode(text, allowed_special="all")
        assert ours.encode_to_numpy(text, allowed_special="all").tolist() == ours.encode(text, allowed_special="all")
    ids = theirs.encode_ordinary(TEXTS[2])
    assert ours.decode(ids) == theirs.decode(ids) and ours.decode_bytes(ids[:3]) == theirs.decode_bytes(ids[:3])
    assert ours.decode_tokens_bytes(ids) == theirs.decode_tokens_bytes(ids)
    assert (ours.n_vocab, ours.max_token_value, ours.eot_token) == (300, 299, theirs.eot_token)
    assert ours.special_tokens_set == theirs.special_tokens_set
    assert ours.encode_batch(TEXTS) == theirs.encode_batch(TEXTS) == ours.encode_ordinary_batch(TEXTS)
    assert ours.encode_single_token(b"\xff") == theirs.encode_single_token(b"\xff")
    with pytest.raises(KeyError):
        ours.encode_single_token("nothing like it")
    with pytest.raises(RecipeError, match="contains the special token"):
        ours.encode("<|endoftext|>")


def test_a_tokenizer_that_runs_in_its_library(trained, tmp_path):
    trained["unigram"].save(tmp_path / "tokenizer.json")
    loaded = gm.Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.backend == "tokenizers" and "backend tokenizers" in repr(loaded)
    assert loaded.encode_batch(TEXTS) == trained["unigram"].encode_batch(TEXTS)
    assert loaded.decode(loaded.encode("The mill grinds.")) == "The mill grinds."
    text = "The <s> mill </s>"
    assert loaded.encode(text, "all") != loaded.encode(text) == loaded.encode(text, ["<unk>"])
    with pytest.raises(RecipeError, match="recognizes all special tokens or none; allow all"):
        loaded.encode(text, ["<s>"])
    assert loaded.encode_with_offsets("mill")[1][-1][1] == 4
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()
