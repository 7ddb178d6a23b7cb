"""fastText's model files, ``.bin`` and ``.ftz`` (version 12, since 2017): reader and writer.

A file holds in this order: 13 header numbers, the dictionary (words, then labels, most frequent first), for pruned
models the table of kept n-gram buckets, the input matrix, the output matrix. A matrix is dense float32 or
product-quantized: a row is about ``dim / 2`` one-byte codes of centroids, and perhaps one more code for its norm.

Reading checks every number that prediction indexes by, so a damaged file cannot make a kernel read outside an array.
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
TREE, SOFTMAX = 1, 3
LOSSES = {TREE: "hierarchical softmax", 2: "negative sampling", SOFTMAX: "softmax", 4: "one against all"}
# Ranges of the header, as wide as any published model: prediction takes time and memory in proportion.
RANGES = {"dim": (1, 1 << 16), "word_ngrams": (0, 100), "buckets": (0, 1 << 30), "min_n": (0, 100), "max_n": (0, 100)}
MAX_TOKENS = 10**15  # of training; above it fastText's Huffman tree is undefined
MAX_PRUNED = 10**8  # buckets of a model that keeps some only: they take 4 bytes each in memory, and none in the file
HEADER = (
    *("magic", "version", "dim", "window", "epochs", "min_count", "negatives", "word_ngrams", "loss", "model"),
    *("buckets", "min_n", "max_n"),
)
UPDATE_RATE = 100  # tokens between two changes of the learning rate, as in fastText
CENTROIDS, MAX_WIDTH = 256, 64  # of a product quantizer: a code is one byte, for up to 64 columns


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

    Raises InputError if the file is missing, truncated, damaged, or no classifier that gives probabilities.
    """
    try:
        with open(path, "rb") as file:
            return _parse(Cursor(mmap(file.fileno(), 0, access=ACCESS_READ)))
    except OSError as error:
        raise InputError(f"cannot read the fastText model {path}: {error}; give the path of a .bin or .ftz") from error
    except ValueError as error:
        raise InputError(f"{path} is no fastText classifier: {error}; fetch it again or use another") from error


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


def _check(found: object, good: object, field: str, expected: object) -> None:
    """Raise ValueError unless ``good``."""
    if not good:
        raise ValueError(f"{field} is {found}, expected {expected}")


def _parse(cursor: Cursor) -> FastText:
    header = dict(zip(HEADER, cursor.array("<i4", 13).tolist(), strict=True))
    if (header["magic"], header["version"], header["model"]) != (MAGIC, VERSION, 3):
        raise ValueError("wrong magic number, version or kind")
    for field, (least, most) in RANGES.items():
        _check(header[field], least <= header[field] <= most, field, f"{least:,} to {most:,}")
    loss = LOSSES.get(header["loss"], header["loss"])
    _check(
        loss, header["loss"] in (TREE, SOFTMAX), "loss", "softmax or hierarchical softmax: others give no probability"
    )
    cursor.array("<i4", 1)  # number of learning rate updates
    cursor.array("<f8", 1)  # sampling threshold
    _, words, labels = cursor.array("<i4", 3).tolist()
    _check(words, words >= 0, "number of words", "at least 0")
    _check(labels, labels >= 1, "number of labels", "at least 1")
    most = len(cursor.data) // 10  # an entry takes ten bytes and its text
    _check(words + labels, words + labels <= most, "size of the dictionary", f"at most {most:,} in a file of this size")
    _, kept_count = cursor.array("<i8", 2).tolist()
    entries, counts, kinds = [], [], []
    for _ in range(words + labels):
        entries.append(cursor.string())
        counts.append(cursor.scalar("<i8"))
        kinds.append(cursor.scalar("i1"))
    _check(kinds.count(1), kinds == [0] * words + [1] * labels, "number of labels", f"{labels:,}, behind all words")
    label_counts = np.array(counts[words:], np.int64)
    if header["loss"] == TREE:
        falling = (np.diff(label_counts) <= 0).all() and label_counts[-1] >= 0 and sum(counts[words:]) < MAX_TOKENS
        _check(counts[words:][:3], falling, "counts of labels", f"falling, of less than {MAX_TOKENS:,} in all")
    kept, rows = np.empty(0, np.int32), header["buckets"]
    if kept_count >= 0:
        _check(rows, rows <= MAX_PRUNED, "buckets", f"at most {MAX_PRUNED:,} in a pruned model")
        bucket, row = cursor.array("<i4", 2 * kept_count).reshape(-1, 2).T
        _check_rows(bucket, header["buckets"], "a kept bucket")
        _check_rows(row, kept_count, "the row of a kept bucket")
        kept, rows = np.full(header["buckets"], -1, np.int32), kept_count
        kept[bucket] = row
    hashes = header["max_n"] > 0 or header["word_ngrams"] > 1
    _check(header["buckets"], header["buckets"] > 0 or not hashes, "buckets", "at least 1 for n-grams")
    quantized = bool(cursor.scalar("u1"))
    matrices = _matrix(cursor, quantized), _matrix(cursor, bool(cursor.scalar("u1")) and quantized)
    for array in (kept, *matrices):
        array.flags.writeable = False
    shapes = (words + rows * hashes, header["dim"]), (labels, header["dim"])
    fits = matrices[0].shape[0] >= shapes[0][0] and (matrices[0].shape[1:], matrices[1].shape) == (
        shapes[0][1:],
        shapes[1],
    )
    _check([matrix.shape for matrix in matrices], fits, "shape of the matrices", [*shapes])
    names = [label.decode() for label in entries[words:]]
    return FastText(header, Ragged.from_strings(entries[:words]), names, label_counts, kept, *matrices)


def _check_rows(numbers: np.ndarray, size: int, field: str) -> None:
    least, most = int(numbers.min(initial=0)), int(numbers.max(initial=-1))
    _check(least if least < 0 else most, least >= 0 and most < size, field, f"0 to {size - 1:,}")


def _matrix(cursor: Cursor, quantized: bool) -> np.ndarray:
    has_norms = quantized and cursor.scalar("u1")
    rows, columns = cursor.array("<i8", 2).tolist()
    _check((rows, columns), rows >= 0 and columns >= 1, "size of a matrix", "at least 0 rows and 1 column")
    if not quantized:
        return np.require(cursor.array("<f4", rows * columns), requirements="A").reshape(rows, columns)
    codes = cursor.array("u1", cursor.scalar("<i4"))
    _check(codes.size, rows and codes.size % rows == 0, "number of codes", f"a multiple of {rows:,} rows")
    codes = codes.reshape(rows, -1)
    matrix = _decode(cursor, codes, columns)
    if has_norms:
        norm_codes = cursor.array("u1", rows).reshape(rows, 1)
        with np.errstate(all="ignore"):  # weights may be any number
            matrix *= _decode(cursor, norm_codes, 1)
    return matrix


def _decode(cursor: Cursor, codes: np.ndarray, columns: int) -> np.ndarray:
    """Return float32[rows, columns] of codes uint8[rows, parts], by the quantizer at the cursor."""
    dim, parts, width, _ = found = cursor.array("<i4", 4).tolist()
    fits = dim == columns and parts == codes.shape[1] and 0 < width <= MAX_WIDTH and parts == -(-dim // width)
    _check(found, fits, "quantizer", f"{columns} columns in {codes.shape[1]} parts of up to {MAX_WIDTH}")
    centroids = cursor.array("<f4", dim * CENTROIDS)
    decoded = np.empty((len(codes), dim), np.float32)
    for part in range(parts):
        begin, end = part * width, min((part + 1) * width, dim)
        table = centroids[begin * CENTROIDS : end * CENTROIDS].reshape(CENTROIDS, end - begin)
        decoded[:, begin:end] = table[codes[:, part]]
    return decoded
