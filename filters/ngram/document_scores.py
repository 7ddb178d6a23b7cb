"""Scores of documents and of their lines under an n-gram model."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.token_stream import BEGIN, END, UNKNOWN, Encode, TokenStream
from gristmill.pipelines.kernels.hashing import GOLDEN_RATIO, U64, mix
from gristmill.pipelines.kernels.intrinsics import kernel

BITS = np.log2(10)  # per unit of log10


class DocumentScores(NamedTuple):
    """Sums over documents or lines; all zero without words."""

    log10: np.ndarray  # float64[n]: log10 probability of the words and the </s> of each line
    unigram_log10: np.ndarray  # float64[n]: the same by unigram probabilities
    tokens: np.ndarray  # int64[n]: words and </s>
    unknown: np.ndarray  # int64[n]: words outside the vocabulary

    def perplexity(self) -> np.ndarray:
        """Return the perplexity per token, float64[n]; 0 without tokens."""
        return np.where(self.tokens > 0, 10.0 ** (-self.log10 / np.maximum(self.tokens, 1)), 0.0)

    def bits_per_byte(self, size: np.ndarray) -> np.ndarray:
        """Return the bits per byte, float64[n], for sizes int64[n] in bytes; 0 for size 0."""
        return np.where(size > 0, -self.log10 * BITS / np.maximum(size, 1), 0.0)

    def context_gain(self) -> np.ndarray:
        """Return the bits per token that the preceding words save, float64[n]; shuffled words save none."""
        return np.where(self.tokens > 0, (self.log10 - self.unigram_log10) * BITS / np.maximum(self.tokens, 1), 0.0)


Scorer = Callable[[Batch], tuple[DocumentScores, DocumentScores]]  # scores of documents, and of logical lines


def score_documents(model: NGram, batch: Batch, encode: Encode | None = None) -> tuple[DocumentScores, DocumentScores]:
    """Return the scores of the documents of a batch, and of their logical lines."""
    return score_stream(model, model.stream(batch, encode))


def score_stream(model: NGram, stream: TokenStream) -> tuple[DocumentScores, DocumentScores]:
    """Return the scores of the documents of a stream, and of its lines."""
    out = [np.zeros(stream.lines.size - 1, kind) for kind in (np.float64, np.float64, np.int64, np.int64)]
    _sum_lines(stream.ids, stream.lines, model.score(stream.ids), model.unigrams, *out)
    lines = DocumentScores(*out)
    totals = (np.concatenate(([0], np.cumsum(each))) for each in lines)
    return DocumentScores(*(total[stream.documents[1:]] - total[stream.documents[:-1]] for total in totals)), lines


def shuffle_words(stream: TokenStream, most: int) -> TokenStream:
    """Return ``most`` words of each document, evenly spaced, in another order and in lines as long as its first lines.

    The order depends on the number of words alone, so that a document gets the same one in every shard.
    """
    words = np.flatnonzero((stream.ids != BEGIN) & (stream.ids != END))
    offsets = np.searchsorted(words, stream.lines)
    taken = np.empty(offsets.size, np.int64)
    _cut_lines(offsets, stream.documents, most, taken)
    lines = np.concatenate(([0], np.cumsum(np.where(taken[1:] > taken[:-1], np.diff(taken) + 2, 0))))
    others = np.empty(most, np.int64)
    _draw(others)
    ids = np.empty(lines[-1], np.uint32)
    _shuffle(stream.ids[words], offsets, stream.documents, taken, others, np.empty(most, np.uint32), ids)
    return TokenStream(ids, lines, stream.documents)


@kernel
def _cut_lines(offsets, documents, most, taken):
    """Write the words before each line, int64[lines + 1], when each document ends after ``most`` words."""
    taken[0] = 0
    for i in range(documents.size - 1):
        left = most
        for line in range(documents[i], documents[i + 1]):
            size = min(offsets[line + 1] - offsets[line], left)
            taken[line + 1] = taken[line] + size
            left -= size


@kernel
def _draw(others):
    """Draw for each place of a document a place up to it, once for all: a division by a variable takes 20 cycles."""
    for k in range(others.size):
        others[k] = mix(U64(k) ^ GOLDEN_RATIO, GOLDEN_RATIO) % U64(k + 1)


@kernel
def _shuffle(words, offsets, documents, taken, others, drawn, ids):
    at = 0
    for i in range(documents.size - 1):
        first, last = documents[i], documents[i + 1]
        size, n = offsets[last] - offsets[first], taken[last] - taken[first]
        for k in range(n):
            drawn[k] = words[offsets[first] + k * size // n]
        for k in range(n - 1, 0, -1):
            drawn[k], drawn[others[k]] = drawn[others[k]], drawn[k]
        k = 0
        for line in range(first, last):
            stop = taken[line + 1] - taken[first]
            if k < stop:
                ids[at] = BEGIN
                at += 1
                while k < stop:
                    ids[at] = drawn[k]
                    at, k = at + 1, k + 1
                ids[at] = END
                at += 1


@kernel
def _sum_lines(ids, lines, scores, unigrams, log10, unigram_log10, tokens, unknown):
    for line in range(lines.size - 1):
        total = unigram_total = 0.0
        n = strangers = 0
        for i in range(lines[line], lines[line + 1]):
            if ids[i] != BEGIN:
                total += scores[i]
                unigram_total += unigrams[ids[i], 0]
                n += 1
                strangers += ids[i] == UNKNOWN
        log10[line], unigram_log10[line], tokens[line], unknown[line] = total, unigram_total, n, strangers
