"""Quantization of probabilities and back-offs to one byte each: half the file; perplexity changes in the third digit.

The values of an order are split into 256 bins of equal count, each represented by its mean (Heafield 2011, section
3.1). A back-off of exactly 0, as of n-grams that nothing follows, keeps a code of its own.
"""

import numpy as np

from gristmill.filters.ngram.hash_table import CODE_BITS, CODES
from gristmill.filters.ngram.model import NGram
from gristmill.pipelines.errors import RecipeError


def quantize(model: NGram) -> NGram:
    """Return the model with 8-bit values. Raises RecipeError if a key takes more than 48 bits."""
    keys = model.cells[0::2]
    if keys.size and int(keys.max()) >> (64 - CODE_BITS):
        raise RecipeError(
            "too many n-grams and words for quantize; set ngram.prune, a lower ngram.max_words, or quantize off"
        )
    values = model.cells.view(np.float32).reshape(-1, 4)[:, 2:]
    codes = np.zeros((model.order + 1, 2, CODES), np.float32)
    cells = np.zeros(keys.size, np.uint64)
    for k in range(2, model.order + 1):
        span = slice(model.begins[k], model.begins[k + 1])
        used = np.flatnonzero(keys[span]) + span.start
        first, second = (_encode(values[used, i], codes[k, i]) for i in (0, 1))
        cells[used] = keys[used] << np.uint64(CODE_BITS) | first << np.uint64(8) | second
    return model._replace(metadata={**model.metadata, "quantized": True}, cells=cells, codes=codes)


def _encode(values: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the uint64 codes of values, and write the value of each code to ``codes``, float32[256]; code 0 is 0."""
    others = np.unique(values[values != 0]) if np.unique(values).size < CODES else np.sort(values[values != 0])
    if others.size:
        bins = np.array_split(others, min(CODES - 1, others.size))
        codes[1 : 1 + len(bins)] = centers = np.array([part.mean() for part in bins], np.float32)
        borders = (centers[1:] + centers[:-1]) / 2
        return np.where(values == 0, 0, np.searchsorted(borders, values) + 1).astype(np.uint64)
    return np.zeros(values.size, np.uint64)
