"""fastText's model files, ``.bin`` and ``.ftz`` (version 12, since 2017): reader and writer.

A file holds in this order: 13 header numbers, the dictionary (words, then labels, most frequent first), for pruned
models the table of kept n-gram buckets, the input matrix, the output matrix. A matrix is dense float32 or
product-quantized: a row is about ``dim / 2`` one-byte codes of centroids, and perhaps one more code for its norm.
"""

from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import pack
from typing import NamedTuple

import numpy as np
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.storage.files import atomic_write

MAGIC, VERSION = 793712314, 12
LOSSES = {1: "hierarchical softmax", 2: "negative sampling", 3: "softmax", 4: "one against all"}
HEADER = (
    *("magic", "version", "dim", "window", "epochs", "min_count", "negatives", "word_ngrams", "loss", "model"),
    *("buckets", "min_n", "max_n"),
)
UPDATE_RATE = 100  # tokens between two changes of the learning rate, as in fastText
CENTROIDS = 256  # of a product quantizer: a code is one byte


class FastText(NamedTuple):
    """A supervised model with dense matrices."""

    header: dict[str, int]
    words: Ragged  # the vocabulary, bytes
    labels: list[str]  # as in the file, ``__label__en``
    label_counts: np.ndarray  # int64[labels], in training; they determine the Huffman tree
    kept: np.ndarray  # int32[buckets]: input row after the words' rows, -1 where pruned; empty: none is pruned
    input: np.ndarray  # float32[words + buckets kept, dim]
    output: np.ndarray  # float32[labels, dim]; under hierarchical softmax a row per inner node


def read_fasttext(path: str | Path) -> FastText:
    """Read a model; quantized matrices are decoded (lid.176: 0.9 MB to 3 MB).

    Raises InputError if the file is missing, truncated, or no supervised fastText model.
    """
    try:
        with open(path, "rb") as file:
            return _parse(Cursor(mmap(file.fileno(), 0, access=ACCESS_READ)))
    except OSError as error:
        raise InputError(f"cannot read the fastText model {path}: {error}; give the path of a .bin or .ftz") from error
    except ValueError as error:
        raise InputError(f"{path} is no complete supervised fastText model ({error}); fetch it again") from error


def write_fasttext(path: UPath, model: FastText, word_counts: np.ndarray, tokens: int) -> None:
    """Write an unquantized model that fastText can read, with its word counts and number of training tokens."""
    head = np.array([MAGIC, VERSION, *(model.header[key] for key in HEADER[2:]), UPDATE_RATE], "<i4").tobytes()
    sizes = [model.words.rows + len(model.labels), model.words.rows, len(model.labels)]
    head += np.float64(1e-4).tobytes() + np.array(sizes, "<i4").tobytes() + np.array([tokens, -1], "<i8").tobytes()
    words = [model.words.row(i) for i in range(model.words.rows)]
    entries = [*zip(words, word_counts.tolist(), strict=True)]
    labels = [*zip([label.encode() for label in model.labels], model.label_counts.tolist(), strict=True)]
    with atomic_write(path) as file:
        file.write(head)
        for kind, group in enumerate((entries, labels)):
            file.write(b"".join([pack(f"<{len(word)}sxqb", word, count, kind) for word, count in group]))
        for matrix in (model.input, model.output):
            file.write(pack("<?2q", False, *matrix.shape) + np.ascontiguousarray(matrix, "<f4").tobytes())


class Cursor:
    """A read position in a mapped file. Reading past the end raises ValueError."""

    def __init__(self, data: mmap):
        self.data, self.at = data, 0

    def array(self, dtype, count: int) -> np.ndarray:
        size = np.dtype(dtype).itemsize * count
        if not 0 <= size <= len(self.data) - self.at:
            raise ValueError(f"{count} values do not fit at byte {self.at}")
        self.at += size
        return np.frombuffer(self.data, dtype, count, self.at - size)

    def scalar(self, dtype) -> int:
        return self.array(dtype, 1)[0].item()

    def string(self) -> bytes:
        start, end = self.at, self.data.find(b"\0", self.at)
        if end < 0:
            raise ValueError(f"no text at byte {start}")
        self.at = end + 1
        return self.data[start:end]


def _parse(cursor: Cursor) -> FastText:
    header = dict(zip(HEADER, cursor.array("<i4", 13).tolist(), strict=True))
    if (header["magic"], header["version"], header["model"]) != (MAGIC, VERSION, 3):
        raise ValueError("wrong magic number, version or kind")
    cursor.array("<i4", 1)  # number of learning rate updates
    cursor.array("<f8", 1)  # sampling threshold
    _, word_count, label_count = cursor.array("<i4", 3).tolist()
    _, kept_count = cursor.array("<i8", 2).tolist()
    entries, counts = [], []
    for _ in range(word_count + label_count):
        entries.append(cursor.string())
        counts.append(cursor.scalar("<i8"))
        cursor.scalar("i1")  # word or label; words come first
    kept = np.empty(0, np.int32)
    if kept_count >= 0:
        kept = np.full(header["buckets"], -1, np.int32)
        bucket, row = cursor.array("<i4", 2 * kept_count).reshape(-1, 2).T
        kept[bucket] = row
    quantized = bool(cursor.scalar("?"))
    matrices = _matrix(cursor, quantized), _matrix(cursor, bool(cursor.scalar("?")) and quantized)
    for array in (kept, *matrices):
        array.flags.writeable = False
    labels = [label.decode() for label in entries[word_count:]]
    label_counts = np.array(counts[word_count:], np.int64)
    return FastText(header, Ragged.from_strings(entries[:word_count]), labels, label_counts, kept, *matrices)


def _matrix(cursor: Cursor, quantized: bool) -> np.ndarray:
    has_norms = quantized and cursor.scalar("?")
    rows, columns = cursor.array("<i8", 2).tolist()
    if not quantized:
        return np.require(cursor.array("<f4", rows * columns), requirements="A").reshape(rows, columns)
    codes = cursor.array("u1", cursor.scalar("<i4")).reshape(rows, -1)
    matrix = _decode(cursor, codes)
    if has_norms:
        norm_codes = cursor.array("u1", rows).reshape(rows, 1)
        matrix *= _decode(cursor, norm_codes)
    return matrix


def _decode(cursor: Cursor, codes: np.ndarray) -> np.ndarray:
    """Return float32[rows, dim] of codes uint8[rows, parts], by the quantizer at the cursor."""
    dim, parts, width, _ = cursor.array("<i4", 4).tolist()
    centroids = cursor.array("<f4", dim * CENTROIDS)
    decoded = np.empty((len(codes), dim), np.float32)
    for part in range(parts):
        begin, end = part * width, min((part + 1) * width, dim)
        table = centroids[begin * CENTROIDS : end * CENTROIDS].reshape(CENTROIDS, end - begin)
        decoded[:, begin:end] = table[codes[:, part]]
    return decoded
