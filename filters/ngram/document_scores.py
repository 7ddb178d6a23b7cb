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


def shuffle_words(stream: TokenStream) -> TokenStream:
    """Return the stream with the words of each document in another order, in lines as long as before.

    The order depends on the number of words alone, so that a document gets the same one in every shard.
    """
    ids = stream.ids.copy()
    words = np.flatnonzero((ids != BEGIN) & (ids != END))
    documents = np.searchsorted(words, stream.lines[stream.documents])
    others = np.empty(np.diff(documents).max(initial=0), np.int64)
    _draw(others)
    _shuffle(ids, words, documents, others)
    return stream._replace(ids=ids)


@kernel
def _draw(others):
    """Draw for each place of a document a place up to it, once for all: a division by a variable takes 20 cycles."""
    for k in range(others.size):
        others[k] = mix(U64(k) ^ GOLDEN_RATIO, GOLDEN_RATIO) % U64(k + 1)


@kernel
def _shuffle(ids, words, documents, others):
    for i in range(documents.size - 1):
        first = documents[i]
        for k in range(documents[i + 1] - first - 1, 0, -1):
            other = first + others[k]
            ids[words[first + k]], ids[words[other]] = ids[words[other]], ids[words[first + k]]


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
