"""Training of n-gram models: number the words, count n-grams by sorting, split them by order, estimate.

Memory: ``memory_bytes`` for counting, 50 bytes per distinct word, and during estimation the model plus about 50 bytes
per n-gram of its largest order. Ids, sorted runs and orders are on disk.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.count import IdSpool, count_ngrams
from gristmill.filters.ngram.hash_table import CODES
from gristmill.filters.ngram.kneser_ney import estimate
from gristmill.filters.ngram.model import WORDS, NGram
from gristmill.filters.ngram.orders import split_orders
from gristmill.filters.ngram.quantize import quantize
from gristmill.filters.ngram.radix_sort import MAX_ORDER
from gristmill.filters.ngram.token_stream import (
    SPECIAL,
    Encode,
    UnitTokens,
    add_sentence_markers,
    text_of_lines,
    words_by_line,
)
from gristmill.filters.ngram.vocabulary import MAX_WORDS, NAMES, Vocabulary, VocabularyBuilder
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import Settings


class NGramSettings(Settings):
    """Training settings of an n-gram model."""

    order: int = Field(5, ge=1, le=MAX_ORDER)
    max_words: int = Field(1_000_000, ge=1, le=MAX_WORDS - SPECIAL)  # the vocab_size frequent; others are <unk>
    min_count: int = Field(1, ge=1)  # of a word
    # By order: n-grams with up to this number of occurrences are left out; the last number holds for higher orders.
    prune: list[Annotated[int, Field(ge=0)]] = [0]
    modified_kneser_ney: bool = True  # three discounts per order; False: one (Kneser and Ney 1995)
    quantize: bool = False  # 8 bits per probability and back-off
    discount_fallback: list[float] | None = Field(None, min_length=3, max_length=3)  # if the corpus is too small
    memory_bytes: int = Field(1 << 29, ge=1 << 16)  # for counting

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.prune or self.prune[0] != 0 or sorted(self.prune) != self.prune:
            raise ValueError("prune must begin with 0 (max_words limits words) and must not fall")
        if self.discount_fallback and not all(0 <= each <= i for i, each in enumerate(self.discount_fallback, 1)):
            raise ValueError("discount_fallback: expected numbers in 0 to 1, 0 to 2 and 0 to 3")
        return self


def train(
    batches: Iterable[Batch],
    settings: NGramSettings | None = None,
    encode: Encode | None = None,
    units: str = WORDS,
    scratch: Path | None = None,
) -> NGram:
    """Train on the words of documents, or on their token ids by ``encode``, a tokenizer named ``units``.

    The model depends on documents and settings, not on their order. Temporary files are written to ``scratch``, by
    default the system's folder. Raises InputError if there is too little text.
    """
    settings = settings or NGramSettings()
    with TemporaryDirectory(prefix="gristmill-ngram-", dir=scratch) as folder:
        spool = IdSpool(Path(folder) / "ids")
        builder = VocabularyBuilder()
        vocab_size = 0
        for batch in batches:
            if encode is None:
                words = batch.words
                numbers = builder.add(batch.text.data, words.start, words.end, words.hash)
                stream = add_sentence_markers(words_by_line(batch), numbers + np.uint32(SPECIAL))
            else:
                tokens = encode(text_of_lines(batch.text, batch.logical_lines))
                vocab_size = max(vocab_size, int(tokens.data.max(initial=0)) + 1)
                stream = add_sentence_markers(
                    UnitTokens(tokens.offsets, batch.logical_lines.offsets), tokens.data + np.uint32(SPECIAL)
                )
            spool.add(stream.ids)
        if encode is not None:
            return _estimate_model(spool, *_token_vocabulary(vocab_size), settings, units, Path(folder))
        vocabulary, ids = builder.finish(settings.max_words, settings.min_count)
        mapping = np.concatenate((np.arange(SPECIAL, dtype=np.uint32), ids))
        return _estimate_model(spool, vocabulary, mapping, settings, units, Path(folder))


def train_on_ids(streams: Iterable[np.ndarray], vocab_size: int, settings: NGramSettings, units: str) -> NGram:
    """Train on streams of token ids: uint32, BEGIN before each line, SPECIAL added to the id of each token.

    All ``vocab_size`` tokens share the discounted probability, whether they occur or not.
    """
    with TemporaryDirectory(prefix="gristmill-ngram-") as folder:
        spool = IdSpool(Path(folder) / "ids")
        for ids in streams:
            spool.add(ids)
        return _estimate_model(spool, *_token_vocabulary(vocab_size), settings, units, Path(folder))


def _token_vocabulary(size: int) -> tuple[Vocabulary, np.ndarray]:
    """Return a vocabulary whose words are the token ids below ``size``, and the mapping of each id to itself."""
    if size > MAX_WORDS - SPECIAL:
        raise InputError(f"{size:,} token ids; an n-gram model holds up to {MAX_WORDS - SPECIAL:,}")
    words = Ragged.from_strings([*NAMES.values(), *(b"%d" % i for i in range(size))])
    return Vocabulary(words, np.zeros(0, np.uint64)), np.arange(size + SPECIAL, dtype=np.uint32)


def _estimate_model(
    spool: IdSpool, vocabulary: Vocabulary, mapping: np.ndarray, settings: NGramSettings, units: str, scratch: Path
) -> NGram:
    if not spool.size:
        raise InputError("no words to train an n-gram model on; expected documents with text")
    order, bits = settings.order, max(vocabulary.size - 1, 1).bit_length()
    ngrams = count_ngrams(spool.read(), mapping, order, bits, settings.memory_bytes, scratch)
    orders = split_orders(ngrams, order, bits, vocabulary.size, scratch)
    del ngrams
    prune = (settings.prune + settings.prune[-1:] * order)[:order]
    pruned = [-1, *prune[1:]]  # words are limited by max_words only
    fallback = tuple(settings.discount_fallback) if settings.discount_fallback else None
    tables = estimate(orders, bits, pruned, fallback, settings.modified_kneser_ney)
    metadata = {"order": order, "bits": bits, "units": units, "quantized": False, "settings": settings.model_dump()}
    model = NGram(metadata, vocabulary, *tables, np.zeros((0, 2, CODES), np.float32))
    return quantize(model) if settings.quantize else model
