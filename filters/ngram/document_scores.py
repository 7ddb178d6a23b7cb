"""What documents cost under a model: their log10 probability, as documents and line by line."""

from typing import NamedTuple

import numpy as np

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.token_stream import BEGIN, UNKNOWN, Encode
from gristmill.pipelines.kernels.intrinsics import kernel

BITS = np.log2(10)  # in a unit of log10


class DocumentScores(NamedTuple):
    """Sums over documents or lines; all zero for those without a word."""

    log10: np.ndarray  # float64[n]: log10 probability, ends of lines included
    alone: np.ndarray  # float64[n]: the same if each word stood alone
    tokens: np.ndarray  # int64[n]: words and ends of lines
    unknown: np.ndarray  # int64[n]: words that the model does not know

    def perplexity(self) -> np.ndarray:
        """A token; 0 where there is none."""
        return np.where(self.tokens > 0, 10.0 ** (-self.log10 / np.maximum(self.tokens, 1)), 0.0)

    def bits_per_byte(self, size: np.ndarray) -> np.ndarray:
        """``size`` int64[n] in bytes; 0 where that is 0."""
        return np.where(size > 0, -self.log10 * BITS / np.maximum(size, 1), 0.0)

    def context_gain(self) -> np.ndarray:
        """Bits a token that the words before it save: of shuffled words none, or less."""
        return np.where(self.tokens > 0, (self.log10 - self.alone) * BITS / np.maximum(self.tokens, 1), 0.0)


def score_documents(model: NGram, batch: Batch, encode: Encode | None = None) -> tuple[DocumentScores, DocumentScores]:
    """Of each document of a batch, and of each of its logical lines."""
    stream = model.stream(batch, encode)
    out = [np.zeros(stream.lines.size - 1, kind) for kind in (np.float64, np.float64, np.int64, np.int64)]
    _sum_lines(stream.ids, stream.lines, model.score(stream.ids), model.unigrams, *out)
    lines = DocumentScores(*out)
    totals = (np.concatenate(([0], np.cumsum(each))) for each in lines)
    return DocumentScores(*(total[stream.documents[1:]] - total[stream.documents[:-1]] for total in totals)), lines


@kernel
def _sum_lines(ids, lines, scores, unigrams, log10, alone, tokens, unknown):
    for line in range(lines.size - 1):
        cost = by_itself = 0.0
        n = strange = 0
        for i in range(lines[line], lines[line + 1]):
            if ids[i] != BEGIN:
                cost += scores[i]
                by_itself += unigrams[ids[i], 0]
                n += 1
                strange += ids[i] == UNKNOWN
        log10[line], alone[line], tokens[line], unknown[line] = cost, by_itself, n, strange
