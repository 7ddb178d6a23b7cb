"""Documents and a tokenizer to token shards."""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from upath import UPath

from gristmill.flows.clean.corpus import corpus_shards
from gristmill.flows.clean.recipe_files import make_change
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.tokenize.train_tokenizer import WORK, CachedEncoder, load_encoder
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.steps.step import Engine, Progress, run_serial, run_step
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pipelines.tokens.steps import encode_step, gather_step
from gristmill.tokenizers_lab.chat.encode import ChatEncoder
from gristmill.tokenizers_lab.chat.template import Template
from gristmill.tokenizers_lab.tokenizer import Tokenizer


class CachedChat(NamedTuple):
    """Tokenizer and chat template for worker processes, opened once per process."""

    encoder: CachedEncoder
    template: str
    source: str
    answers_only: bool

    @classmethod
    def of(cls, encoder: CachedEncoder, template: str, answers_only: bool) -> "CachedChat":
        """Return the encoder of documents with roles. Raises RecipeError if there is no such template."""
        return cls(encoder, template, Template.named(template).source, answers_only)

    @property
    def version(self) -> list[str]:
        return [self.source, "answers" if self.answers_only else "all"]

    def __call__(self, text: Ragged, turns: pa.ChunkedArray) -> tuple[Ragged, np.ndarray]:
        return _opened(self).documents(text, turns)


@lru_cache(1)
def _opened(chat: CachedChat) -> ChatEncoder:
    return ChatEncoder(Tokenizer.load(chat.encoder.file), chat.template)


def token_settings(changes: Sequence[str]) -> TokenSettings:
    """Read settings from changes such as ``tokens.validation=0.05``."""
    tables: dict[str, dict] = {"tokens": {}}
    for change in changes:
        make_change(tables, change, "tokens.SETTING=VALUE")
    return read_settings(TokenSettings, tables["tokens"], "[tokens]")


def tokenize(
    corpus: Sequence[str],
    tokenizer: str,
    output: UPath,
    settings: TokenSettings,
    engine: Engine = run_serial,
    progress: Progress | None = None,
) -> TokenShards:
    """Encode every document once, then gather them into shuffled shards: the same bytes for any number of workers."""
    encoder = load_encoder(tokenizer, output / WORK)
    chat = CachedChat.of(encoder, settings.template, settings.loss == "answers") if settings.template else None
    with exclusive_run(output / WORK):
        shards = corpus_shards(corpus, output / WORK, engine, progress)
        run_step(encode_step(shards, encoder, output, chat), engine, progress)
        run_step(gather_step(output, encoder, settings), engine, progress)
    return TokenShards(output)
