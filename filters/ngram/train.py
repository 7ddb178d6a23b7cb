"""From text to a model: number the words, count the grams by sort, split them by order, estimate.

Memory is ``memory_bytes`` for counting, 50 bytes a word of the vocabulary before it is limited, and the model with some
50 bytes a gram of its largest order while it is estimated; ids, sorted runs and levels lie on disk.
"""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.count import IdSpool, count_ngrams
from gristmill.filters.ngram.kneser_ney import estimate
from gristmill.filters.ngram.model import WORDS, NGram
from gristmill.filters.ngram.orders import split_orders
from gristmill.filters.ngram.quantize import quantized
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
    """How a model is trained."""

    order: int = Field(5, ge=1, le=MAX_ORDER)
    max_words: int = Field(1_000_000, ge=1, le=MAX_WORDS - SPECIAL)  # the commonest; others are <unk>
    min_count: int = Field(1, ge=1)  # of a word
    prune: list[int] = [0]  # grams of 1, 2, 3 … words that occur so often or less go; the last holds for longer ones
    modified: bool = True  # three discounts an order; one, as Kneser and Ney 1995, to compare with
    quantise: bool = False  # 8 bits a probability
    fallback: list[float] | None = Field(None, min_length=3, max_length=3)  # discounts where the corpus gives none
    memory_bytes: int = Field(1 << 29, ge=1 << 16)  # for counting

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.prune or self.prune[0] != 0 or sorted(self.prune) != self.prune:
            raise ValueError("prune must begin with 0 (words are left out by max_words) and never fall")
        if self.fallback and not all(0 <= each <= i for i, each in enumerate(self.fallback, 1)):
            raise ValueError("fallback discounts must lie in 0 to 1, 0 to 2 and 0 to 3")
        return self


def train(
    batches: Iterable[Batch],
    settings: NGramSettings | None = None,
    encode: Encode | None = None,
    units: str = WORDS,
    scratch: Path | None = None,
) -> NGram:
    """Train on batches of documents: on their words, or on the ids that ``encode`` gives, named ``units``.

    The model depends on the documents and settings alone, not on their order. Temporary files lie in ``scratch``, or
    where the system keeps such. Raises InputError where the text is too little.
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
        if encode is not None:
            return _estimated(tape, *_numbered(most), settings, units, Path(folder))
        vocabulary, ids = numbering.finish(settings.max_words, settings.min_count)
        mapping = np.concatenate((np.arange(SPECIAL, dtype=np.uint32), ids))
        return _estimated(tape, vocabulary, mapping, settings, units, Path(folder))


def train_on_ids(streams: Iterable[np.ndarray], vocab_size: int, settings: NGramSettings, units: str) -> NGram:
    """Train on streams of token ids: uint32, BEGIN before each line, SPECIAL added to the id of each token.

    All ``vocab_size`` tokens share what the discounts leave, whether they occur or not.
    """
    with TemporaryDirectory(prefix="gristmill-ngram-") as folder:
        tape = IdSpool(Path(folder) / "ids")
        for ids in streams:
            tape.add(ids)
        return _estimated(tape, *_numbered(vocab_size), settings, units, Path(folder))


def _numbered(most: int) -> tuple[Vocabulary, np.ndarray]:
    """Return token ids 0 to ``most`` as words, for files that need some, and the mapping of each id to itself."""
    if most > MAX_WORDS - SPECIAL:
        raise InputError(f"token ids go up to {most:,}; models of n-grams hold {MAX_WORDS - SPECIAL:,}")
    words = Ragged.from_strings([*NAMES.values(), *(b"%d" % i for i in range(most))])
    return Vocabulary(words, np.zeros(0, np.uint64)), np.arange(most + SPECIAL, dtype=np.uint32)


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
    fallback = tuple(settings.fallback) if settings.fallback else None
    tables = estimate(levels, bits, least, fallback, settings.modified)
    about = {"order": order, "bits": bits, "units": units, "quantised": False, "settings": settings.model_dump()}
    model = NGram(about, vocabulary, *tables, np.zeros((0, 2, 256), np.float32))
    return quantized(model) if settings.quantise else model
