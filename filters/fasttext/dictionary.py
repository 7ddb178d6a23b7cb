"""Dictionary of the training documents: words split at white space, numbered by first appearance, counted."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gristmill.filters.fasttext.predict import END, FNV_OFFSET, SPACE, fnv1a_step, hash_token
from gristmill.filters.ngram.vocabulary import VocabularyBuilder
from gristmill.pipelines.kernels.hashing import hash64
from gristmill.pipelines.kernels.intrinsics import kernel
from gristmill.pipelines.ragged import Ragged


class TokenRows(NamedTuple):
    """Documents as rows of word numbers, each ending with that of ``</s>``."""

    rows: Ragged  # uint32
    hashes: np.ndarray  # uint32[numbers]: fastText's hash of the word
    ids: np.ndarray  # int64[numbers]: the word's row in the input matrix, -1 for a word that is not kept
    subwords: Ragged  # int64: rows of the subwords of each number, also for words that are not kept


class Subwords(NamedTuple):
    """The lengths of subwords and their number of buckets; no subwords if ``max_n`` is 0."""

    min_n: int  # characters
    max_n: int
    buckets: int


def number_documents(
    batches: Iterable[Ragged], min_count: int, max_words: int, subwords: Subwords
) -> tuple[TokenRows, Ragged, np.ndarray]:
    """Return the documents, the kept words, and the words' counts int64.

    Words are sorted by count, the most frequent first; of equal counts the lower hash is first.
    """
    builder, parts, sizes = VocabularyBuilder(), [], [np.zeros(1, np.int64)]
    for text in batches:
        data = np.concatenate((text.data, END))
        bound = text.data.size // 2 + 2 * text.rows + 1
        start, end, hashes = (np.empty(bound, kind) for kind in (np.int64, np.int64, np.uint64))
        offsets = np.zeros(text.rows + 1, np.int64)
        n = _tokenize(text.offsets, data, offsets, start, end, hashes)
        parts.append(builder.add(data, start[:n], end[:n], hashes[:n]))
        sizes.append(np.diff(offsets))
    data, counts = np.concatenate(builder.text), builder.counts[: builder.taken]
    places = builder.places[: builder.taken]
    order = np.lexsort((builder.hashes[: builder.taken], -counts))
    kept = order[counts[order] >= min_count][:max_words]
    ids = np.full(counts.size, -1, np.int64)
    ids[kept] = np.arange(kept.size)
    words = Ragged.from_strings([data[first:last].tobytes() for first, last in places[kept].tolist()])
    short = np.empty(counts.size, np.uint32)
    _hash(data, places, short)
    rows = Ragged.from_arrays(np.cumsum(np.concatenate(sizes)), np.concatenate([np.empty(0, np.uint32), *parts]))
    return TokenRows(rows, short, ids, _subwords(data, places, words.rows, subwords)), words, counts[kept].copy()


def _subwords(data, places, words: int, kind: Subwords) -> Ragged:
    """Return the rows of the subwords of each number; ``</s>`` has none."""
    offsets = np.zeros(len(places) + 1, np.int64)
    if not kind.max_n:
        return Ragged.from_arrays(offsets, np.empty(0, np.int64))
    sizes = places[:, 1] - places[:, 0] + 2
    np.cumsum(np.minimum(sizes, kind.max_n) * sizes, out=offsets[1:])  # upper bounds
    out = np.empty(offsets[-1], np.int64)
    n = _fill_subwords(data, places, *kind, words, offsets, out)
    return Ragged.from_arrays(offsets, out[:n].copy())


@kernel
def _tokenize(offsets, data, token_offsets, start, end, hashes):
    """Write the tokens of each document, then ``</s>`` (the last bytes of ``data``); return their number."""
    n, finish = 0, data.size - END.size
    for row in range(offsets.size - 1):
        at, stop = offsets[row], offsets[row + 1]
        while at < stop:
            if SPACE[data[at]]:
                at += 1
                continue
            start[n] = at
            while at < stop and not SPACE[data[at]]:
                at += 1
            end[n] = at
            n += 1
        start[n], end[n] = finish, data.size
        n += 1
        token_offsets[row + 1] = n
    for i in range(n):
        hashes[i] = hash64(data, start[i], end[i])
    return n


@kernel
def _hash(data, places, out):
    for i in range(out.size):
        out[i] = hash_token(data, places[i, 0], places[i, 1])


@kernel
def _fill_subwords(data, places, min_n, max_n, buckets, words, offsets, out):
    """Write the rows of the n-grams of ``<word>`` as predict.py computes them; return their number."""
    total = 0
    for i in range(places.shape[0]):
        offsets[i] = total
        start, end = places[i, 0], places[i, 1]
        mark = end - start == END.size
        for k in range(END.size):
            mark = mark and data[start + k] == END[k]
        if mark:
            continue
        for first in range(start - 1, end + 1):
            if first >= start and first < end and data[first] & 0xC0 == 0x80:
                continue
            hash, last, n = FNV_OFFSET, first, 0
            while last <= end and n < max_n:
                hash = fnv1a_step(hash, ord("<") if last < start else ord(">") if last == end else data[last])
                last += 1
                while last < end and last >= start and data[last] & 0xC0 == 0x80:
                    hash = fnv1a_step(hash, data[last])
                    last += 1
                n += 1
                if n >= min_n and not (n == 1 and (first < start or last > end)):
                    out[total] = words + np.int64(hash) % buckets
                    total += 1
    offsets[places.shape[0]] = total
    return total
