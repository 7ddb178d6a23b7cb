"""A tokenizer that is opened from its snapshot gives the ids of the one that was built."""

import numpy as np
import orjson
import pytest
from upath import UPath

from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage import snapshots
from gristmill.tokenizers_lab import import_tokenizer, tokenizer
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.model import write_model
from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train

TEXTS = ["", "The mill grinds slowly.", "naïve 漢字 <s>\n\n  12345 Привет" * 9, "a" * 500, "<|endoftext|>[UNK]</s>"]
SENTENCEPIECE = BpeSettings(alphabet="characters", compat="sentencepiece", allow_smaller=True)
KINDS = {
    "bpe": {"bpe": BpeSettings(allow_smaller=True)},
    "sentencepiece": {"pretokenizer": "metaspace", "normalizers": ["prefix", "escape"], "bpe": SENTENCEPIECE},
    "words": {"algorithm": "words", "vocab_size": 270},
    "chars": {"algorithm": "chars"},
    "unigram": {"algorithm": "unigram", "user_symbols": ["mill"]},
    "wordpiece": {"algorithm": "wordpiece", "vocab_size": 80},
}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return the folder of snapshots, which any file has."""
    monkeypatch.setattr(snapshots, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(tokenizer, "SNAPSHOT_BYTES", 0)
    monkeypatch.setattr(import_tokenizer, "SNAPSHOT_BYTES", 0)
    return tmp_path


def made(kind):
    settings = TokenizerSettings(**{"vocab_size": 310} | KINDS[kind])
    counting = settings.count_settings()
    return train(count_words([counting(Ragged.from_strings(TEXTS))], counting.pretokenizer), settings)


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_the_same(kind, cache, tmp_path):
    folder = UPath(tmp_path / "tok")
    write_model(made(kind), folder)
    built, mapped = open_tokenizer(folder), open_tokenizer(folder)
    assert len([*cache.glob("snapshot.*")]) == 1
    rows = Ragged.from_strings(TEXTS)
    for allowed in (frozenset(), built.allowed("all")):
        for ours, theirs in zip(mapped(rows, allowed), built(rows, allowed), strict=True):
            assert np.array_equal(ours, theirs)
    assert all(map(np.array_equal, mapped.decode(mapped(rows)), built.decode(built(rows))))
    if kind == "bpe":
        assert mapped.encode_dropout(rows, 0.3, 7).data.tolist() == built.encode_dropout(rows, 0.3, 7).data.tolist()
    if kind == "unigram":
        assert mapped.encode_nbest("The mill", 5) == built.encode_nbest("The mill", 5)


def test_a_changed_file_is_read_again(cache, tmp_path):
    folder = UPath(tmp_path / "tok")
    for kind in ("words", "chars", "words"):
        write_model(made(kind), folder)
        assert open_tokenizer(folder).model.algorithm == kind
    assert len([*cache.glob("snapshot.*")]) == 2


def test_a_file_of_another_library_is_compared_once(cache, tmp_path, monkeypatch):
    (tmp_path / "tokenizer.json").write_bytes(to_huggingface(made("bpe")))
    ids = open_tokenizer(tmp_path / "tokenizer.json").encode(TEXTS[2])
    monkeypatch.setattr(import_tokenizer, "import_file", None)
    assert open_tokenizer(tmp_path / "tokenizer.json").encode(TEXTS[2]) == ids
    with pytest.raises(TypeError):  # other special tokens: another tokenizer
        open_tokenizer(tmp_path / "tokenizer.json", special={"<s>": 1})


def test_a_tokenizer_that_runs_in_its_library(cache, tmp_path):
    table = orjson.loads(to_huggingface(made("bpe"))) | {"normalizer": {"type": "StripAccents"}}
    (tmp_path / "tokenizer.json").write_bytes(orjson.dumps(table))
    built, mapped = (open_tokenizer(tmp_path / "tokenizer.json") for _ in range(2))
    assert mapped.runs_in("tokenizers") and mapped.encode(TEXTS[2]) == built.encode(TEXTS[2])
