"""N-gram models of a corpus: training, scoring of documents, exchange as ARPA."""

from collections.abc import Iterator, Sequence

import numpy as np
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.document_scores import Scorer, score_documents
from gristmill.filters.ngram.formats.arpa import read_arpa, write_arpa
from gristmill.filters.ngram.formats.kenlm import KenLM, is_kenlm
from gristmill.filters.ngram.model import WORDS, NGram
from gristmill.filters.ngram.token_stream import Encode
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.perplexity.filter import score_columns
from gristmill.flows.clean.corpus import corpus_shards
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import ID, TEXT
from gristmill.pipelines.storage.files import atomic_write, checksum, to_path
from gristmill.pipelines.storage.shards import read_batches


def train_ngram(corpus: Sequence[str], work: UPath, settings: NGramSettings, tokenizer: str | None) -> NGram:
    """Train a model on the documents of a corpus; raw files are ingested into ``work`` first."""
    shards = corpus_shards(corpus, work)
    batches = (Batch(Ragged.from_text(table[TEXT])) for shard in shards for table in read_batches(shard.path, [TEXT]))
    return train(batches, settings, *encoder(tokenizer))


def encoder(tokenizer: str | None) -> tuple[Encode | None, str]:
    """Return the function that turns lines into units, None for words, and the units' name in models: a digest."""
    if tokenizer is None:
        return None, WORDS
    from gristmill.tokenizers_lab.formats.detect import find_file
    from gristmill.tokenizers_lab.import_tokenizer import open_tokenizer

    file = find_file(to_path(tokenizer))
    return open_tokenizer(file).__call__, f"tokenizer {checksum(file)}"


def scorer(model: str, tokenizer: str | None = None) -> Scorer:
    """Return the function that scores documents and lines by a model's file, ours or KenLM's."""
    if tokenizer is None and to_path(model).exists() and is_kenlm(to_path(model)):
        return KenLM(model).score
    ngram = NGram.open(to_path(model))
    encode, units = encoder(tokenizer)
    if units != ngram.metadata["units"]:
        raise RecipeError(
            f"the model's units are {ngram.metadata['units']}, not {units}; "
            f"score with the tokenizer it was trained with (--tokenizer), or train another model"
        )
    return lambda batch: score_documents(ngram, batch, encode)


def score_corpus(corpus: Sequence[str], work: UPath, score: Scorer, by_line: bool = False) -> Iterator[dict]:
    """Yield each document's id and measures; with ``by_line`` also the log10 probability and tokens of its lines."""
    for shard in corpus_shards(corpus, work):
        for table in read_batches(shard.path, [ID, TEXT]):
            batch = Batch(Ragged.from_text(table[TEXT]))
            total, lines = score(batch)
            measured = score_columns(total, np.diff(batch.text.offsets))
            spans = batch.logical_lines.offsets
            for i, id in enumerate(table[ID].to_pylist()):
                row = {"id": id, **{name: values[i].item() for name, values in measured.items()}}
                if by_line:
                    span = slice(spans[i], spans[i + 1])
                    row |= {"line_log10": lines.log10[span].tolist(), "line_tokens": lines.tokens[span].tolist()}
                yield row


def export(source: str, target: str) -> str:
    """Convert a model to ARPA (``TARGET.arpa``) or ARPA to a model, and return its order and size in words."""
    if target.endswith(".arpa"):
        model = NGram.open(to_path(source))
        with atomic_write(to_path(target)) as file:
            write_arpa(model, file, source)
    else:
        try:
            with to_path(source).open("r", encoding="utf-8") as file:
                model = read_arpa(file, source)
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"cannot read {source} as ARPA: {error}") from error
        model.save(to_path(target))
    return f"order {model.order}, {model.vocabulary.size:,} words"
