"""Models of n-grams from a corpus, and what its documents cost under them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.document_scores import DocumentScores, score_documents
from gristmill.filters.ngram.formats.arpa import read_arpa, write_arpa
from gristmill.filters.ngram.formats.kenlm import KenLM, is_kenlm
from gristmill.filters.ngram.model import WORDS, NGram
from gristmill.filters.ngram.token_stream import Encode
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.filter import columns
from gristmill.flows.clean.corpus import corpus_shards
from gristmill.flows.clean.recipe import make_change
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.storage.files import atomic_write, to_path
from gristmill.pipelines.storage.shards import read_batches

TABLE = "ngram"


def ngram_settings(changes: Sequence[str]) -> NGramSettings:
    """``ngram.order=4`` and the like -> settings."""
    tables = {TABLE: {}}
    for change in changes:
        make_change(tables, change, f"{TABLE}.SETTING=VALUE")
    return read_settings(NGramSettings, tables[TABLE], f"[{TABLE}]")


def train_ngram(corpus: Sequence[str], work: UPath, settings: NGramSettings, tokenizer: str | None) -> NGram:
    """Train on the documents of a corpus; raw files are read into ``work`` first."""
    shards = corpus_shards(corpus, work)
    batches = (Batch(Ragged.from_text(table[TEXT])) for shard in shards for table in read_batches(shard, [TEXT]))
    return train(batches, settings, *encoder(tokenizer))


def encoder(tokenizer: str | None) -> tuple[Encode | None, str]:
    """What turns lines into units, and its name in models: a tokenizer's digest, so that no other is taken for it."""
    if tokenizer is None:
        return None, WORDS
    from gristmill.flows.tokenize.train_tokenizer import load_encoder

    code = load_encoder(tokenizer)
    return code, f"tokenizer {code.vocabulary.sha256}"


def scorer(model: str, tokenizer: str | None = None) -> Callable[[Batch], tuple[DocumentScores, DocumentScores]]:
    """What documents and lines cost under the model in a file, ours or KenLM's."""
    if tokenizer is None and to_path(model).exists() and is_kenlm(to_path(model)):
        return KenLM(model).costs
    ngram = NGram.open(to_path(model))
    encode, units = encoder(tokenizer)
    if units != ngram.about["units"]:
        raise RecipeError(
            f"the model's units are {ngram.about['units']}, and {units} were given; "
            f"score with the tokenizer it was trained with (--tokenizer), or train another"
        )
    return lambda batch: score_documents(ngram, batch, encode)


def score_corpus(
    corpus: Sequence[str],
    work: UPath,
    score: Callable[[Batch], tuple[DocumentScores, DocumentScores]],
    by_line: bool = False,
) -> Iterator[dict]:
    """Each document's id and measures; with ``by_line`` the log10 probability and tokens of its lines too."""
    for shard in corpus_shards(corpus, work):
        for table in read_batches(shard, [ID, TEXT]):
            batch = Batch(Ragged.from_text(table[TEXT]))
            total, lines = score(batch)
            measured = columns(total, np.diff(batch.text.offsets))
            spans = batch.logical_lines.offsets
            for i, id in enumerate(table[ID].to_pylist()):
                row = {"id": id, **{name: values[i].item() for name, values in measured.items()}}
                if by_line:
                    span = slice(spans[i], spans[i + 1])
                    row |= {"line_log10": lines.log10[span].tolist(), "line_tokens": lines.tokens[span].tolist()}
                yield row


def export(source: str, target: str) -> str:
    """A model to ARPA (``.arpa``), or ARPA to a model; says what was written."""
    if target.endswith(".arpa"):
        model = NGram.open(to_path(source))
        with atomic_write(to_path(target)) as file:
            write_arpa(model, file)
    else:
        try:
            with to_path(source).open("r", encoding="utf-8") as file:
                model = read_arpa(file, source)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {source} as ARPA: {error}") from error
        model.save(to_path(target))
    return f"order {model.order}, {model.vocabulary.size:,} words"
