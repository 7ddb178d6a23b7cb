"""N-gram models and their file: a line of JSON, then arrays that are memory-mapped.

    gristmill-ngram {"order": 5, …, "arrays": {"unigrams": ["<f4", [70003, 2], 4096], …}}\\n

Arrays begin at multiples of 64 bytes. A model of words holds the words. A model of token ids holds the name of its
tokenizer, which text must be encoded with to be scored.
"""

from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from typing import Any, NamedTuple

import numpy as np
import orjson
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.score import score
from gristmill.filters.ngram.token_stream import (
    SPECIAL,
    Encode,
    TokenStream,
    UnitTokens,
    add_sentence_markers,
    text_of_lines,
    words_by_line,
)
from gristmill.filters.ngram.vocabulary import Vocabulary
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import atomic_write, is_local

MAGIC = b"gristmill-ngram "
ALIGNED = 64
WORDS = "words"  # units of a model that splits text itself


class NGram(NamedTuple):
    """A back-off model of n-grams; see filters/ngram/hash_table.py for its cells."""

    metadata: dict[str, Any]  # order, bits per id in a key, units ("words" or a tokenizer's name), settings
    vocabulary: Vocabulary
    unigrams: np.ndarray  # float32[ids, 2]: log10 probability and back-off
    cells: np.ndarray  # uint64
    begins: np.ndarray  # int64[order + 2]
    codes: np.ndarray  # float32[order + 1, 2, 256], empty where cells are exact

    @property
    def order(self) -> int:
        return self.metadata["order"]

    def stream(self, batch: Batch, encode: Encode | None = None) -> TokenStream:
        """Return the lines of a batch as ids of this model; ``encode`` must be the tokenizer it was trained with."""
        return token_stream(batch, self.vocabulary.ids, encode)

    def score(self, ids: np.ndarray) -> np.ndarray:
        """Return the log10 probability of each id of a stream, float32; 0 at each <s>."""
        out = np.empty(ids.size, np.float32)
        floats = self.cells.view(np.float32)
        tables = self.unigrams, self.cells, floats, self.begins, self.codes
        score(ids, self.order, self.metadata["bits"], *tables, out)
        return out

    def save(self, path: UPath) -> None:
        """Write the model atomically."""
        arrays = {
            "word_offsets": self.vocabulary.words.offsets,
            "word_bytes": self.vocabulary.words.data,
            "slots": self.vocabulary.slots,
            **{name: getattr(self, name) for name in ("unigrams", "cells", "begins", "codes")},
        }
        layout, at = {}, 0
        for name, array in arrays.items():
            layout[name] = [array.dtype.str, list(array.shape), at]
            at += -(-array.nbytes // ALIGNED) * ALIGNED
        head = MAGIC + orjson.dumps({**self.metadata, "arrays": layout, "bytes": at}, option=orjson.OPT_SORT_KEYS)
        with atomic_write(path) as file:
            file.write(head + b" " * (-(len(head) + 1) % ALIGNED) + b"\n")
            for array in arrays.values():
                file.write(np.ascontiguousarray(array).data)
                file.write(bytes(-array.nbytes % ALIGNED))

    @classmethod
    def open(cls, path: UPath) -> "NGram":
        """Map a model's file. Raises InputError if it is missing, truncated, or no model."""
        remedy = "`gristmill ngram train CORPUS --output FILE` makes one"
        try:
            data = _map_file(path)
        except (OSError, ValueError) as error:
            raise InputError(f"cannot read the n-gram model {path}: {error or 'it is empty'}; {remedy}") from error
        if bytes(data[: len(MAGIC)]) != MAGIC or (end := data.find(b"\n")) < 0:
            raise InputError(f"{path} is no n-gram model of Gristmill; {remedy}")
        metadata = orjson.loads(data[len(MAGIC) : end])
        layout = metadata.pop("arrays")
        if len(data) != end + 1 + metadata.pop("bytes"):
            raise InputError(f"{path} is truncated to {len(data):,} bytes; copy it again, or {remedy}")
        arrays = {}
        for name, (kind, shape, at) in layout.items():
            count = int(np.prod(shape))
            arrays[name] = np.frombuffer(data, kind, count, end + 1 + at).reshape(shape)
        words = Ragged(arrays.pop("word_offsets"), arrays.pop("word_bytes"))
        return cls(metadata, Vocabulary(words, arrays.pop("slots")), **arrays)


def token_stream(batch: Batch, word_ids: Callable[[np.ndarray], np.ndarray], encode: Encode | None) -> TokenStream:
    """Return the lines of a batch as ids: of words by ``word_ids`` (hashes -> ids), or of tokens by ``encode``."""
    if encode is None:
        return add_sentence_markers(words_by_line(batch), word_ids(batch.words.hash))
    tokens = encode(text_of_lines(batch.text, batch.logical_lines))
    return add_sentence_markers(
        UnitTokens(tokens.offsets, batch.logical_lines.offsets), tokens.data.astype(np.uint32) + SPECIAL
    )


def _map_file(path: UPath) -> mmap | bytes:
    if not is_local(path):
        return path.read_bytes()
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)
