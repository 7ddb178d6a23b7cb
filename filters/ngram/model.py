"""N-gram models and their file: a line with a digest of what follows and JSON, then arrays that are memory-mapped.

    gristmill-ngram 1b5e… {"order": 5, …, "arrays": {"unigrams": ["<f4", [70003, 2], 4096], …}}\\n

Arrays begin at multiples of 64 bytes. A model of words holds the words. A model of token ids holds the name of its
tokenizer, which text must be encoded with to be scored.

Opening checks all that scoring indexes by: shapes, the vocabulary, the begins of tables. Cells are not read: a search
ends at the latest where it began (hash_table.py), whatever they hold. The digest is for `gristmill verify`.
"""

import hashlib
import math
from collections.abc import Callable
from mmap import ACCESS_READ, mmap
from typing import Any, NamedTuple

import numpy as np
import orjson
from pydantic import ConfigDict, Field
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.hash_table import CODES
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
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pipelines.storage.files import atomic_write, is_local

MAGIC = b"gristmill-ngram "
HEAD = len(MAGIC) + 64 + 1  # bytes before the JSON: its digest and a space
ALIGNED = 64
WORDS = "words"  # units of a model that splits text itself
ARRAYS = {"word_offsets": "<i8", "word_bytes": "|u1", "slots": "<u8", "unigrams": "<f4", "cells": "<u8"}
ARRAYS |= {"begins": "<i8", "codes": "<f4"}


class Header(Settings):
    """First line of a model's file."""

    model_config = ConfigDict(extra="ignore")

    order: int = Field(ge=1)
    bits: int = Field(ge=1, le=63)
    units: str
    quantized: bool
    bytes: int = Field(ge=0)
    arrays: dict[str, list]


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
        """Return the log10 probability of each id of a stream, float32; 0 at each <s>.

        Raises InputError for an id above the vocabulary.
        """
        if int(ids.max(initial=0)) >= len(self.unigrams):
            raise InputError(f"id {int(ids.max())} is not in the n-gram model's vocabulary of {len(self.unigrams):,}")
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
        head = orjson.dumps({**self.metadata, "arrays": layout, "bytes": at}, option=orjson.OPT_SORT_KEYS)
        pieces: list[bytes | memoryview] = [head + b" " * (-(HEAD + len(head) + 1) % ALIGNED) + b"\n"]
        for array in arrays.values():
            pieces += [np.ascontiguousarray(array).data, bytes(-array.nbytes % ALIGNED)]
        digest = hashlib.sha256()
        for piece in pieces:
            digest.update(piece)
        with atomic_write(path) as file:
            file.write(MAGIC + digest.hexdigest().encode() + b" ")
            file.writelines(pieces)

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
        try:
            metadata = orjson.loads(data[HEAD:end])
        except orjson.JSONDecodeError as error:
            raise InputError(f"{path} is damaged: its header is no JSON ({error}); {remedy}") from None
        header = read_settings(Header, metadata, f"{path}, header")
        if len(data) != end + 1 + header.bytes:
            raise InputError(f"{path} is truncated to {len(data):,} bytes; copy it again, or {remedy}")
        try:
            arrays = _view_arrays(data, end + 1, header.arrays)
            _check(header, **arrays)
        except ValueError as error:
            raise InputError(f"{path} is damaged: {error}; copy it again, or {remedy}") from None
        metadata = {key: value for key, value in metadata.items() if key not in ("arrays", "bytes")}
        words = Ragged(arrays.pop("word_offsets"), arrays.pop("word_bytes"))
        return cls(metadata, Vocabulary(words, arrays.pop("slots")), **arrays)


def _view_arrays(data: mmap | bytes, start: int, layout: dict[str, list]) -> dict[str, np.ndarray]:
    """Return the arrays of a file that begin at ``start``. Raises ValueError for one that no model has."""
    arrays = {}
    for name, kind in ARRAYS.items():
        match layout.get(name):
            case [str(found), [*shape], int(at)] if found == kind and at >= 0 and (start + at) % ALIGNED == 0:
                if not all(type(size) is int and 0 <= size <= len(data) for size in shape):
                    raise ValueError(f"array {name} has shape {shape}, expected sizes")
            case found:
                raise ValueError(f"array {name} is {found}, expected [{kind!r}, shape, multiple of {ALIGNED}]")
        count = math.prod(shape)
        room = (len(data) - start - at) // np.dtype(kind).itemsize
        if count > room:
            raise ValueError(f"array {name} has shape {shape}, but there is room for {max(room, 0):,} numbers")
        arrays[name] = np.frombuffer(data, kind, count, start + at).reshape(shape)
    return arrays


def _check(header: Header, word_offsets, word_bytes, slots, unigrams, cells, begins, codes) -> None:
    """Raise ValueError, naming the array, if scoring could read outside one or search a full vocabulary without end."""

    def expect(name: str, found: object, good: object, expected: object) -> None:
        if not good:
            raise ValueError(f"{name} is {found}, expected {expected}")

    ids, width = max(unigrams.shape[:1], default=0), 1 if header.quantized else 2
    expect("shape of unigrams", unigrams.shape, unigrams.shape == (ids, 2) and ids >= SPECIAL, "(3 or more, 2)")
    shape = (header.order + 1) * header.quantized, 2, CODES
    expect("shape of codes", codes.shape, codes.shape == shape, shape)
    expect("size of cells", cells.shape, cells.ndim == 1 and cells.size % width == 0, f"a multiple of {width}")
    for name, offsets, size, end in (
        ("word_offsets", word_offsets, ids + 1, word_bytes.size),
        ("begins", begins, header.order + 2, cells.size // width),
    ):
        expect(f"shape of {name}", offsets.shape, offsets.shape == (size,), (size,))
        rises = offsets[0] == 0 and offsets[-1] == end and not (offsets[1:] < offsets[:-1]).any()
        expect(name, offsets[[0, -1]].tolist(), rises, f"numbers that rise from 0 to {end:,}")
    if header.units == WORDS:
        power = slots.ndim == 1 and slots.size > 1 and slots.size & (slots.size - 1) == 0
        expect("size of slots", slots.shape, power, "a power of two")
        expect("an id of slots", int(slots[1::2].max()), slots[1::2].max() <= ids, f"0 to {ids:,}")
        expect("number of free slots", 0, (slots[1::2] == 0).any(), "1 or more")


def token_stream(batch: Batch, word_ids: Callable[[np.ndarray], np.ndarray], encode: Encode | None) -> TokenStream:
    """Return the lines of a batch as ids: of words by ``word_ids`` (hashes -> ids), or of tokens by ``encode``."""
    if encode is None:
        return add_sentence_markers(words_by_line(batch), word_ids(batch.words.hash))
    tokens = encode(text_of_lines(batch.text, batch.logical_lines))
    return add_sentence_markers(
        UnitTokens(tokens.offsets, batch.logical_lines.offsets), tokens.data.astype(np.uint32) + SPECIAL
    )


def stored_digest(path: UPath) -> str:
    """Return the SHA-256 in a model's file, of all that follows its first ``HEAD`` bytes; "" for another file."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return head[len(MAGIC) : -1].decode("latin-1") if head.startswith(MAGIC) else ""


def _map_file(path: UPath) -> mmap | bytes:
    if not is_local(path):
        return path.read_bytes()
    with path.open("rb") as file:
        return mmap(file.fileno(), 0, access=ACCESS_READ)
