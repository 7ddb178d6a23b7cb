"""Documents and a tokenizer to token shards."""

from collections.abc import Sequence

from upath import UPath

from gristmill.flows.clean.corpus import corpus_shards
from gristmill.flows.clean.recipe_files import make_change
from gristmill.flows.engine.run_lock import exclusive_run
from gristmill.flows.tokenize.train_tokenizer import WORK, load_encoder
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.steps.step import Engine, Progress, run_serial, run_step
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pipelines.tokens.steps import encode_step, gather_step


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
    with exclusive_run(output / WORK):
        shards = corpus_shards(corpus, output / WORK, engine, progress)
        run_step(encode_step(shards, encoder, output), engine, progress)
        run_step(gather_step(output, encoder, settings), engine, progress)
    return TokenShards(output)
