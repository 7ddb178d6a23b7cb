"""Tokenizers: our file, and those of tokenizers, SentencePiece and tiktoken."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from upath import UPath

from tools.fuzz_mutations import Field
from tools.fuzz_targets.target import TEXTS, Target, arrays, rows

TRAINED: dict[str, dict[str, Any]] = {
    "bpe": {"special_tokens": ["<bos>"], "pretokenizer": "gpt2"},
    "characters": {"bpe": {"alphabet": "characters", "compat": "sentencepiece", "allow_smaller": True}}
    | {"pretokenizer": "metaspace", "normalizers": ["nmt_nfkc", "collapse", "prefix", "escape"]}
    | {"special_tokens": ["<unk>", "<s>", "</s>"], "user_symbols": ["river"], "vocab_size": 330},
    "unigram": {"algorithm": "unigram", "user_symbols": ["mill"], "vocab_size": 310},
    "wordpiece": {"algorithm": "wordpiece", "vocab_size": 80},
    "tiktoken": {"bpe": {"compat": "tiktoken", "allow_smaller": True}, "special_tokens": [], "pretokenizer": "gpt2"},
}


def write_tokenizers(folder: Path, kinds: list[str]) -> None:
    """Train tokenizers on the lines."""
    from gristmill.pipelines.settings import read_settings
    from gristmill.tokenizers_lab.count.word_counts import count_words
    from gristmill.tokenizers_lab.formats.model import write_model
    from gristmill.tokenizers_lab.train import TokenizerSettings, train

    for kind in kinds:
        given = {"vocab_size": 300, "bpe": {"allow_smaller": True}} | TRAINED[kind]
        settings = read_settings(TokenizerSettings, given, kind)
        counting = settings.count_settings()
        write_model(train(count_words([counting(rows())], counting.pretokenizer), settings), UPath(folder / kind))


def use_tokenizer(case: Path) -> None:
    """Encode, decode and sample with a tokenizer, and write it in every format."""
    from gristmill.tokenizers_lab.formats.model import read_model

    use_model(read_model(UPath(case)))


def use_model(model: Any) -> None:
    """Encode, decode, sample and export."""
    from gristmill.pipelines.errors import RecipeError
    from gristmill.tokenizers_lab.tokenizer import Tokenizer
    from gristmill.tokenizers_lab.verify_export import WRITERS

    tokenizer, numbers = Tokenizer(model), np.arange(len(TEXTS))
    ids = tokenizer(rows())
    tokenizer.decode(ids)
    tokenizer.offsets(ids)
    tokenizer.encode(TEXTS[0], "all")
    samples: list[Callable[[], Any]] = [
        lambda: tokenizer.encode_dropout(rows(), 0.3, 1, numbers),
        lambda: tokenizer.encode_sample(rows(), 0.5, 1, numbers),
        lambda: tokenizer.encode_nbest(TEXTS[0][:40], 3),
        lambda: tokenizer.entropy(rows()),
        *(partial(write, model) for write in WRITERS.values()),
    ]
    for sample in samples:
        with suppress(RecipeError):  # another algorithm's
            sample()


def build_exports(kinds: dict[str, str], format: str, folder: Path) -> None:
    """Write tokenizers in another library's format; ``kinds`` maps each to its file."""
    from gristmill.tokenizers_lab.formats.model import read_model
    from gristmill.tokenizers_lab.verify_export import WRITERS

    with tempfile.TemporaryDirectory() as scratch:
        write_tokenizers(Path(scratch), [*kinds])
        for kind, name in kinds.items():
            (folder / kind).mkdir()
            (folder / kind / name).write_bytes(WRITERS[format](read_model(UPath(scratch) / kind)))


def use_import(case: Path) -> None:
    """Import a tokenizer, and use it."""
    from gristmill.tokenizers_lab.import_tokenizer import import_tokenizer

    (file,) = case.iterdir()
    with tempfile.TemporaryDirectory() as scratch:
        use_model(import_tokenizer(str(file), scratch, "gpt2" if file.suffix == ".tiktoken" else None, []).model)


def protobuf_fields(name: str, data: bytes) -> list[Field]:
    """Return keys and sizes of the first and last messages, a byte each, and the scores of pieces."""
    at, parts = 0, []
    while at < len(data) and data[at + 1] < 128:
        parts.append(("message", at, 2, "<B"))
        parts += [("piece", at + 2, 2, "<B"), ("score", at + data[at + 3] + 5, 1, "<I")]
        at += 2 + data[at + 1]
    return arrays(parts[:9] + parts[-9:])


HF, SP = {"bpe": "tokenizer.json"}, {"unigram": "unigram.model", "characters": "bpe.model"}


TARGETS = {
    "tokenizer": Target(partial(write_tokenizers, kinds=[*TRAINED]), use_tokenizer),
    "huggingface": Target(partial(build_exports, HF, "hf"), use_import),
    "sentencepiece": Target(partial(build_exports, SP, "sentencepiece"), use_import, protobuf_fields),
    "tiktoken": Target(partial(build_exports, {"tiktoken": "ranks.tiktoken"}, "tiktoken"), use_import),
}
