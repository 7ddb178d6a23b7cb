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
    max_words: int = Field(1_000_000, ge=1, le=MAX_WORDS - SPECIAL)  # the most frequent; others are <unk>
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
        tape = IdSpool(Path(folder) / "ids")
        numbering = VocabularyBuilder()
        most = 0
        for batch in batches:
            if encode is None:
                words = batch.words
                numbers = numbering.add(batch.text.data, words.start, words.end, words.hash)
                stream = add_sentence_markers(words_by_line(batch), numbers + np.uint32(SPECIAL))
            else:
                tokens = encode(text_of_lines(batch.text, batch.logical_lines))
                most = max(most, int(tokens.data.max(initial=0)) + 1)
                stream = add_sentence_markers(
                    UnitTokens(tokens.offsets, batch.logical_lines.offsets), tokens.data + np.uint32(SPECIAL)
                )
            tape.add(stream.ids)
        if encode is None:
            vocabulary, ids = numbering.finish(settings.max_words, settings.min_count)
            mapping = np.concatenate((np.arange(SPECIAL, dtype=np.uint32), ids))
        else:
            vocabulary, mapping = _numbered(most), np.arange(most + SPECIAL, dtype=np.uint32)
        return _estimated(tape, vocabulary, mapping, settings, units, Path(folder))


def _numbered(most: int) -> Vocabulary:
    """Token ids 0 to ``most`` as words, for files that need some."""
    if most > MAX_WORDS - SPECIAL:
        raise InputError(f"token ids go up to {most:,}; models of n-grams hold {MAX_WORDS - SPECIAL:,}")
    return Vocabulary(Ragged.from_strings([*NAMES.values(), *(b"%d" % i for i in range(most))]), np.zeros(0, np.uint64))


def _estimated(
    tape: IdSpool, vocabulary: Vocabulary, mapping: np.ndarray, settings: NGramSettings, units: str, scratch: Path
) -> NGram:
    if not tape.size:
        raise InputError("no words to train an n-gram model on; expected documents with text")
    order, bits = settings.order, max(vocabulary.size - 1, 1).bit_length()
    grams = count_ngrams(tape.read(), mapping, order, bits, settings.memory_bytes, scratch)
    levels = split_orders(grams, order, bits, vocabulary.size, scratch)
    del grams
    prune = (settings.prune + settings.prune[-1:] * order)[:order]
    least = [-1, *prune[1:]]
    fallback = tuple(settings.discount_fallback) if settings.discount_fallback else None
    tables = estimate(levels, bits, least, fallback, settings.modified_kneser_ney)
    metadata = {"order": order, "bits": bits, "units": units, "quantized": False, "settings": settings.model_dump()}
    model = NGram(metadata, vocabulary, *tables, np.zeros((0, 2, 256), np.float32))
    return quantize(model) if settings.quantize else model
