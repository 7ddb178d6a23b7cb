"""ARPA, the text format of KenLM, SRILM and others: writer and reader.

N-grams are written order by order, sorted by their words' ids. Probabilities have seven digits. The words of a model
of token ids are the ids.
"""

from collections.abc import Iterator
from typing import BinaryIO, TextIO

import numpy as np

from gristmill.filters.ngram.hash_table import CODE_BITS, CODES, NOT_FOUND, find, insert, key_of, table_size
from gristmill.filters.ngram.kneser_ney import LOG10_ZERO
from gristmill.filters.ngram.model import WORDS, NGram
from gristmill.filters.ngram.token_stream import END, SPECIAL
from gristmill.filters.ngram.vocabulary import MAX_WORDS, NAMES, Vocabulary, build_slots
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.kernels.hashing import hash_word
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged

BATCH_NGRAMS = 1 << 16  # lines


def ngrams_of(model: NGram, where: str = "the model") -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield for each order k from 2: sorted ids int64[n, k], log10 probabilities float32[n], back-offs float32[n]."""
    bits, quantized = model.metadata["bits"], model.metadata["quantized"]
    ids = np.arange(model.vocabulary.size)[:, None]  # by slot in the table of the order below
    for k in range(2, model.order + 1):
        span = slice(model.begins[k], model.begins[k + 1])
        cells = model.cells[span] if quantized else model.cells[2 * span.start : 2 * span.stop : 2]
        used = np.flatnonzero(cells)
        keys = (cells[used] >> np.uint64(CODE_BITS if quantized else 0)) - np.uint64(1)
        first, below = keys & np.uint64((1 << bits) - 1), keys >> np.uint64(bits)
        if used.size and (int(first.max()) >= model.vocabulary.size or int(below.max()) >= len(ids)):
            raise InputError(f"{where} is damaged: cells of order {k} hold n-grams of words that it lacks")
        ngrams = np.column_stack((first.astype(np.int64), ids[below.astype(np.int64)]))
        if quantized:
            low = cells[used] & np.uint64(CODES * CODES - 1)
            log10, backoff = model.codes[k, 0, low >> np.uint64(8)], model.codes[k, 1, low & np.uint64(255)]
        else:
            log10, backoff = model.cells.view(np.float32).reshape(-1, 4)[span][used, 2:].T
        order = np.lexsort(ngrams.T[::-1])
        yield ngrams[order], log10[order], backoff[order]
        ids = np.zeros((cells.size, k), np.int64)
        ids[used] = ngrams


def write_arpa(model: NGram, file: BinaryIO, where: str = "the model") -> None:
    """Write a model as ARPA. Raises InputError, naming ``where`` it is from, if its cells are damaged."""
    orders = list(ngrams_of(model, where))
    sizes = [model.vocabulary.size, *(len(ngrams) for ngrams, *_ in orders)]
    file.write(("\\data\\\n" + "".join(f"ngram {k}={n}\n" for k, n in enumerate(sizes, 1))).encode())
    words = [model.vocabulary.words.row(i).decode(errors="replace") for i in range(model.vocabulary.size)]
    singles = np.arange(len(words))[:, None], *model.unigrams.T
    for k, (ngrams, probabilities, backoffs) in enumerate([singles, *orders], 1):
        file.write(f"\n\\{k}-grams:\n".encode())
        for begin in range(0, len(ngrams), BATCH_NGRAMS):
            span = slice(begin, begin + BATCH_NGRAMS)
            rows = zip(probabilities[span].tolist(), ngrams[span].tolist(), backoffs[span].tolist(), strict=True)
            for probability, ids, backoff in rows:
                text = " ".join([words[i] for i in ids])
                # Neither </s> nor n-grams of the highest order are contexts: no back-off.
                more = f"\t{backoff:.7g}" if k < model.order and ids[-1] != END else ""
                file.write(f"{probability:.7g}\t{text}{more}\n".encode())
    file.write(b"\n\\end\\\n")


def read_arpa(file: TextIO, where: str) -> NGram:
    """Read a model from ARPA.

    Raises InputError, with the line, for malformed input, and for n-grams of unknown words or without their suffix in
    the order below.
    """
    lines = ((number, line.rstrip("\n")) for number, line in enumerate(file, 1))
    sizes = _sizes(lines, where)
    order, found = len(sizes), []
    for k, size in enumerate(sizes, 1):
        found.append(_section(lines, k, size, order, where))
    names = [ngram[0] for ngram, _, _ in found[0]]
    if missing := {name.decode() for name in NAMES.values()} - {*names}:
        raise InputError(f"{where} has no unigram {', '.join(sorted(missing))}; expected <unk>, <s> and </s>")
    values = {ngram[0]: (probability, backoff) for ngram, probability, backoff in found[0]}
    special = [name.decode() for name in NAMES.values()]
    names = special + [name for name in names if name not in special]
    if len(names) > MAX_WORDS:
        raise InputError(f"{where} has {len(names):,} words; an n-gram model holds up to {MAX_WORDS:,}")
    words = Ragged.from_strings(names)
    hashes = np.empty(len(names), np.uint64)
    _hash(*words, hashes)
    vocabulary = Vocabulary(words, build_slots(hashes[SPECIAL:]))
    unigrams = np.array([values[name] for name in names], np.float32).reshape(-1, 2)
    ids, bits = {name: i for i, name in enumerate(names)}, max(len(names) - 1, 1).bit_length()
    counts = [0, 0, *(table_size(len(ngrams)) for ngrams in found[1:])]
    begins = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
    cells = np.zeros(2 * begins[-1], np.uint64)
    for k in range(2, order + 1):
        try:
            ngrams = np.array([[ids[word] for word in ngram] for ngram, _, _ in found[k - 1]], np.int64).reshape(-1, k)
        except KeyError as word:
            raise InputError(f"{where} has an n-gram of {k} words with {word}, which is no unigram") from None
        _insert_order(ngrams, found[k - 1], cells, begins, bits, where)
    metadata = {"order": order, "bits": bits, "units": WORDS, "quantized": False, "settings": {"from": "ARPA"}}
    return NGram(metadata, vocabulary, unigrams, cells, begins, np.zeros((0, 2, CODES), np.float32))


def _insert_order(
    ngrams: np.ndarray, entries: list, cells: np.ndarray, begins: np.ndarray, bits: int, where: str
) -> None:
    """Insert the n-grams of one order into its table."""
    k = ngrams.shape[1]
    below = np.empty(len(ngrams), np.int64)
    _find_slots(np.ascontiguousarray(ngrams[:, 1:]), cells, begins, bits, below)
    if (orphans := np.flatnonzero(below < 0)).size:
        text = " ".join(entries[orphans[0]][0])
        raise InputError(
            f"{where}: n-gram {text!r} is listed, but not the same without its first word; "
            f"use the ARPA file itself in [steps.perplexity] models, which is read through kenlm"
        )
    probabilities = 10.0 ** np.array([entry[1] for entry in entries])
    slots, words = np.empty(len(ngrams), np.int64), ngrams[:, 0].astype(np.uint32)
    floats, every = cells.view(np.float32), np.ones(len(ngrams), np.bool_)
    each = np.arange(len(ngrams), dtype=np.uint32)
    insert(cells, floats, begins[k], begins[k + 1] - begins[k], bits, below, each, words, every, probabilities, slots)
    floats[4 * (begins[k] + slots) + 3] = np.array([entry[2] for entry in entries], np.float32)


@kernel
def _find_slots(ngrams, cells, begins, bits, out):
    """Write the slot of each n-gram, ids int64[n, k], in the table of its order; NOT_FOUND if it is absent."""
    for i in range(ngrams.shape[0]):
        k = ngrams.shape[1]
        slot = ngrams[i, k - 1]
        for length in range(2, k + 1):
            begin, size = begins[length], begins[length + 1] - begins[length]
            key = key_of(slot, ngrams[i, k - length], bits)
            slot = find(cells, begin, size, 2, 0, key) if slot >= 0 else np.int64(NOT_FOUND)
        out[i] = slot


@kernel
def _hash(offsets, data, out):
    for i in range(out.size):
        out[i] = hash_word(data, offsets[i], offsets[i + 1])


def _sizes(lines: Iterator, where: str) -> list[int]:
    sizes: list[int] = []
    if next((line for _, line in lines if line.strip()), None) != "\\data\\":
        raise InputError(f"{where} is no ARPA file: expected \\data\\ as first line")
    for number, line in lines:
        if not line.strip():
            if sizes:
                return sizes
            continue
        kind, _, rest = line.partition(" ")
        k, _, n = rest.partition("=")
        if kind != "ngram" or k.strip() != str(len(sizes) + 1) or not n.strip().isdigit():
            raise InputError(f"{where}, line {number}: expected `ngram {len(sizes) + 1}=COUNT`, found {line!r}")
        sizes.append(int(n))
    raise InputError(f"{where} ends before its first n-gram; fetch it again")


def _section(lines: Iterator, k: int, size: int, order: int, where: str) -> list:
    number, line = next(((number, line) for number, line in lines if line.strip()), (0, ""))
    if line != f"\\{k}-grams:":
        raise InputError(f"{where}, line {number}: expected \\{k}-grams:, found {line!r}")
    entries = []
    for number, line in lines:
        if not line.strip():
            break
        probability, *rest = line.split("\t")
        ngram, backoff = tuple(rest[0].split(" ")) if rest else (), rest[1] if len(rest) > 1 else "0"
        try:
            if len(ngram) != k:
                raise ValueError(f"expected {k} words")
            entries.append((ngram, max(float(probability), LOG10_ZERO), float(backoff)))
        except ValueError as error:
            raise InputError(f"{where}, line {number}: {error}, found {line!r}") from None
    if len(entries) != size:
        raise InputError(f"{where}: {len(entries):,} {k}-grams, but its header says {size:,}; fetch it again")
    return entries
