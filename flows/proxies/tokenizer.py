"""Tokenizer of all proxy runs of a folder."""

from upath import UPath

from gristmill.flows.impact.recipe import OneTokenizer
from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer
from gristmill.pipelines.steps.step import Engine, Progress
from gristmill.tokenizers_lab.formats.model import FILE


def shared_tokenizer(
    settings: OneTokenizer, documents: UPath, work: UPath, engine: Engine, progress: Progress, keep: bool = False
) -> str:
    """Return the path of the tokenizer: the one of the settings, or one trained on the documents.

    With ``keep``, one that an earlier run of the command has trained stays, so that earlier proxy runs remain of use.
    """
    if settings.path:
        return settings.path
    folder = work / "tokenizer"
    if not (keep and (folder / FILE).exists()):
        chosen = tokenizer_settings({"algorithm": "bpe", "vocab_size": settings.vocab_size})
        train_tokenizer([str(documents)], folder, chosen, engine, progress)
    return str(folder)
