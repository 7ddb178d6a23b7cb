"""Training of supervised fastText models: softmax over the mean of word and n-gram rows (Joulin et al. 2016).

1. Words are runs of bytes between white space, numbered by count; ``</s>`` ends a document.
2. A document is the mean of the rows of its words, its hashed word n-grams, and its words' hashed subwords.
3. Stochastic gradient descent reads the documents in the given order, ``epochs`` times. The learning rate falls
   linearly to 0.

The arithmetic is that of fastText's own code (arXiv:1607.01759): from the same start and in the same order the model
is the same up to rounding (tested). One thread, a fixed start and our own exponential: the same documents give the
same bytes on every machine.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from gristmill.filters.fasttext.dictionary import Subwords, TokenRows, number_documents
from gristmill.filters.fasttext.format import SOFTMAX, UPDATE_RATE, FastText
from gristmill.filters.fasttext.predict import WORD_PRIME
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.kernels.hashing import U64, W0, W1, mix
from gristmill.pipelines.kernels.intrinsics import allocating_kernel, inline_kernel, kernel
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import Settings

F32 = np.float32


class FastTextSettings(Settings):
    """Training settings; the defaults are fastText's, with the hidden units and bigrams of Joulin et al. 2016."""

    dim: int = Field(10, ge=1, le=1000)
    epochs: int = Field(5, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    word_ngrams: int = Field(2, ge=1, le=10)
    buckets: int = Field(2_000_000, ge=1, le=1 << 30)  # rows shared by n-grams and subwords, 4 dim bytes each
    min_count: int = Field(1, ge=1)  # of a word
    max_words: int = Field(1_000_000, ge=1)  # the most frequent ones
    min_n: int = Field(0, ge=0, le=100)  # characters per subword; 0: no subwords
    max_n: int = Field(0, ge=0, le=100)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.min_n == 0) != (self.max_n == 0) or self.min_n > self.max_n:
            raise ValueError(f"min_n {self.min_n} and max_n {self.max_n}: expected 1 <= min_n <= max_n, or 0 and 0")
        return self

    @property
    def rows(self) -> int:
        """Rows after the words' own."""
        return self.buckets if self.word_ngrams > 1 or self.max_n else 0


class TrainedFastText(NamedTuple):
    """A model, with the counts of its training documents."""

    model: FastText
    word_counts: np.ndarray  # int64[words]
    tokens: int  # with ``</s>`` and labels


def train(
    batches: Iterable[Ragged], targets: np.ndarray, labels: list[str], settings: FastTextSettings
) -> TrainedFastText:
    """Train a model on batches of documents; ``targets``, int64[n], is the label number of each document.

    The documents should be in random order. Raises InputError if they contain no words.
    """
    subwords = Subwords(settings.min_n, settings.max_n, settings.buckets)
    tokens, words, counts = number_documents(batches, settings.min_count, settings.max_words, subwords)
    if words.rows < 2:
        raise InputError("no words to train a classifier on; expected documents with text")
    # N-gram rows start at zero, so n-grams unseen in training add nothing; ROC AUC is equal or 0.001 better.
    matrix = np.zeros((words.rows + settings.rows, settings.dim), np.float32)
    _initialize(matrix[: words.rows])
    output = np.zeros((len(labels), settings.dim), np.float32)
    sgd(tokens, targets, matrix, output, words.rows, settings)
    header = {"dim": settings.dim, "window": 5, "epochs": settings.epochs, "min_count": settings.min_count}
    header |= {"negatives": 5, "word_ngrams": settings.word_ngrams, "loss": SOFTMAX, "model": 3}
    header |= {"buckets": settings.rows, "min_n": settings.min_n, "max_n": settings.max_n}
    each = np.bincount(targets, minlength=len(labels)).astype(np.int64)
    model = FastText(header, words, labels, each, np.empty(0, np.int32), matrix, output)
    for array in (model.kept, matrix, output):
        array.flags.writeable = False
    return TrainedFastText(model, counts, _tokens_per_epoch(tokens))


def sgd(tokens: TokenRows, targets, matrix, output, words: int, settings: FastTextSettings) -> None:
    """Run all epochs, updating ``matrix`` and ``output`` in place."""
    scratch = np.empty(_max_rows(*tokens.rows, tokens.subwords.offsets, settings.word_ngrams), np.int64)
    vectors = np.empty(settings.dim, np.float32), np.empty(settings.dim, np.float32), np.empty(output.shape[0], F32)
    rates = settings.learning_rate, settings.epochs, _tokens_per_epoch(tokens)
    tables = tokens.hashes, tokens.ids, *tokens.subwords
    _sgd(*tokens.rows, *tables, targets, words, settings.rows, settings.word_ngrams, *rates, matrix, output,
             scratch, *vectors)  # fmt: skip


def _tokens_per_epoch(tokens: TokenRows) -> int:
    return tokens.rows.data.size + tokens.rows.rows  # one label per document


@kernel
def _max_rows(offsets, data, sub_offsets, word_ngrams):
    """Return an upper bound of the number of rows of any document."""
    most = 0
    for document in range(offsets.size - 1):
        rows = 0
        for i in range(offsets[document], offsets[document + 1]):
            rows += word_ngrams + sub_offsets[data[i] + 1] - sub_offsets[data[i]]
        most = max(most, rows)
    return most


@kernel
def _initialize(matrix):
    """Fill the matrix with numbers between -1/dim and 1/dim that are hashes of their positions."""
    scale = 2.0 / matrix.shape[1]
    for row in range(matrix.shape[0]):
        for d in range(matrix.shape[1]):
            random = mix(U64(row * matrix.shape[1] + d) ^ W0, W1) >> U64(11)
            matrix[row, d] = (random * 2.0**-53 - 0.5) * scale


@inline_kernel
def exponential(x):
    """Return e**x, exact to about the last digit of a float64, by operations that are equal on all machines.

    The last bit of the C library's exp differs between machines; after a million steps, all bits of the model would.
    """
    if x < -700.0:
        return 0.0
    k = np.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * 0.693147180369123816490) - k * 1.90821492927058770002e-10  # ln 2 in two parts
    total, term = 1.0, 1.0
    for i in range(1, 14):
        term *= r / i
        total += term
    power, base, n = 1.0, 2.0, np.int64(k)
    if n < 0:
        base, n = 0.5, -n
    while n:
        if n & 1:
            power *= base
        base *= base
        n >>= 1
    return total * power


@inline_kernel
def _document_rows(first, last, data, hashes, ids, sub_offsets, sub_rows, words, buckets, word_ngrams, rows):
    """Write the rows of a document's words, subwords and n-grams to ``rows``; return their number."""
    n = 0
    for i in range(first, last):
        number = data[i]
        if ids[number] >= 0:
            rows[n] = ids[number]
            n += 1
        for j in range(sub_offsets[number], sub_offsets[number + 1]):
            rows[n] = sub_rows[j]
            n += 1
    for i in range(first, last):
        ngram = U64(np.int64(np.int32(hashes[data[i]])))
        for j in range(i + 1, min(i + word_ngrams, last)):
            ngram = ngram * WORD_PRIME + U64(np.int64(np.int32(hashes[data[j]])))
            rows[n] = words + np.int64(ngram % U64(buckets))
            n += 1
    return n


@allocating_kernel
def _sgd(
    offsets, data, hashes, ids, sub_offsets, sub_rows, targets, words, buckets, word_ngrams, learning_rate, epochs,
    tokens, matrix, output, rows, hidden, gradient, scores,
):  # fmt: skip
    """Run fastText's training loop with one thread, in its order of single-precision additions."""
    dim, total = hidden.size, epochs * tokens
    done, since, document = 0, 0, 0
    while done < total:
        rate = F32(learning_rate * (1.0 - F32(done) / F32(total)))
        first, last = offsets[document], offsets[document + 1]
        since += last - first + 1
        tables = hashes, ids, sub_offsets, sub_rows
        n = _document_rows(first, last, data, *tables, words, buckets, word_ngrams, rows)
        if n:
            hidden[:] = 0
            for i in range(n):
                for d in range(dim):
                    hidden[d] += matrix[rows[i], d]
            share = F32(1.0 / n)
            for d in range(dim):
                hidden[d] *= share
            _softmax(output, hidden, scores)
            gradient[:] = 0
            for label in range(scores.size):
                alpha = rate * ((F32(1.0) if label == targets[document] else F32(0.0)) - scores[label])
                for d in range(dim):
                    gradient[d] += alpha * output[label, d]
                    output[label, d] += alpha * hidden[d]
            for d in range(dim):
                gradient[d] *= share
            for i in range(n):
                for d in range(dim):
                    matrix[rows[i], d] += gradient[d]
        document = document + 1 if document + 2 < offsets.size else 0
        if since > UPDATE_RATE:
            done, since = done + since, 0


@inline_kernel
def _softmax(output, hidden, scores):
    highest = F32(-np.inf)
    for label in range(scores.size):
        dot = F32(0.0)
        for d in range(hidden.size):
            dot += output[label, d] * hidden[d]
        scores[label] = dot
        highest = max(highest, dot)
    total = F32(0.0)
    for label in range(scores.size):
        scores[label] = F32(exponential(np.float64(scores[label] - highest)))
        total += scores[label]
    for label in range(scores.size):
        scores[label] /= total
