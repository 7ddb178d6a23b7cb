"""The n-gram baseline of networks: a modified Kneser-Ney model of the same tokens, scored on the same documents."""

import math
from itertools import pairwise
from time import process_time

import numpy as np

from gristmill.filters.ngram.discounts import FALLBACK
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.token_stream import BEGIN, SPECIAL
from gristmill.filters.ngram.train import NGramSettings, train_on_ids
from gristmill.pretrain.baselines import row
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.evaluation.perplexity import DocumentLosses

ORDER = 4


def ngram_row(train: TokenSplit, validation: TokenSplit) -> dict:
    """Return the n-gram's row of the table of baselines: it counts the whole training split once."""
    began = process_time()
    settings = NGramSettings(order=ORDER, discount_fallback=list(FALLBACK))
    model = train_on_ids([_stream(train)], train.vocab_size, settings, "tokens")
    seconds = process_time() - began
    return row(f"{ORDER}-gram", _parameters(model), seconds, score_tokens(model, validation))


def score_tokens(model: NGram, tokens: TokenSplit) -> DocumentLosses:
    """Score every token of every document, each document by itself.

    As in the networks' scores, a marker that every document begins with costs nothing and is only looked at.
    """
    ids, lengths = _stream(tokens), tokens.lengths
    nats = np.zeros(lengths.size)
    nats[lengths > 0] = np.add.reduceat(model.score(ids).astype(np.float64), np.flatnonzero(ids == BEGIN))
    return DocumentLosses(-math.log(10) * nats, np.maximum(lengths - (tokens.bos is not None), 0), tokens.bytes)


def _stream(tokens: TokenSplit) -> np.ndarray:
    """Return all documents as the model reads lines, uint32. BEGIN takes the place of the marker that they begin with.

    No line ends with END: networks do not predict the end of a document either, unless a token marks it.
    """
    ids = (tokens.read(0, tokens.count) + SPECIAL).astype(np.uint32)
    begins = (tokens.ends - tokens.lengths)[tokens.lengths > 0]
    if tokens.bos is None:
        return np.insert(ids, begins, BEGIN)
    ids[begins] = BEGIN
    return ids


def _parameters(model: NGram) -> int:
    """Return how many probabilities and back-offs the tables hold; grams of the highest order have no back-off."""
    grams = [int(np.count_nonzero(model.cells[2 * a : 2 * b : 2])) for a, b in pairwise(model.begins[2:])]
    return model.unigrams.size + 2 * sum(grams[:-1]) + grams[-1]
