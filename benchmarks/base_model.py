"""A small GPT to fine-tune or quantize: its tokenizer, its token shards and its run, made of texts in one folder."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gristmill.flows.cli import run


class BaseModel(NamedTuple):
    """Folders of a ``nano-gpt2`` and of the token shards that it has read."""

    run: str
    tokens: str


def write_lines(path: Path, rows: Iterable[dict]) -> str:
    """Write rows as JSON lines; return the path."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def pretrain(texts: Iterable[dict], folder: Path, steps: int, vocab_size: int) -> BaseModel:
    """Train a ``nano-gpt2`` on texts with ids for some steps of 2,048 tokens; a hundredth of the texts is held out."""
    text = write_lines(folder / "text.jsonl", ({"id": row["id"], "text": row["text"]} for row in texts))
    tokenizer, tokens, base = (str(folder / name) for name in ("tokenizer", "tokens", "base"))
    for command in (
        f"tokenizer train {text} --vocab-size {vocab_size} --output {tokenizer}",
        f"tokenize {text} --tokenizer {tokenizer} --output {tokens}",
        f"pretrain {tokens} --preset nano-gpt2 --steps {steps} --output {base}",
    ):
        assert run(command.split()) == 0, command
    return BaseModel(base, tokens)
