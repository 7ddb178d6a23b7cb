"""Span corruption (1910.10683, 3.1.4): sentinels replace spans of a text, and the targets are these spans.

The text ``a b c d e f`` without ``b c`` and ``f`` is the inputs ``a <0> d e <1>`` and the targets
``<0> b c <1> f <2>``. A span may begin or end the text; T5's code begins with a token and ends with a span.
"""

from typing import NamedTuple

import numpy as np

from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.data.shuffle import key


class SpanCorruption(NamedTuple):
    """Settings of span corruption."""

    probability: float  # share of tokens hidden
    mean_span: float  # tokens
    sentinels: tuple[int, ...]  # one more than spans: the last ends the targets

    def sizes(self, length: int) -> tuple[int, int]:
        """Return the tokens that are hidden of a text, and their spans: both at least 1, and no two spans touch."""
        hidden = min(max(1, round(length * self.probability)), length)
        return hidden, min(max(1, round(hidden / self.mean_span)), length - hidden + 1)

    def mask_tokens(self, batch: Batch, samples: np.ndarray, seed: int) -> Batch:
        """Turn next-token rows into inputs, int64[B, S], and targets, int64[B, T]; ``documents`` is 1 for padding.

        The spans of a row are a function of seed and sample; ``samples`` int64[B] are the numbers of the rows.
        """
        width = int(batch.inputs.shape[1])
        hidden, spans = self.sizes(width)
        inputs = np.zeros((len(samples), width - hidden + spans), np.int64)
        targets = np.full((len(samples), hidden + spans + 1), IGNORE_INDEX, np.int64)
        padding = np.ones_like(inputs)
        for i, sample in enumerate(samples):
            ids = batch.inputs[i, batch.targets[i] != IGNORE_INDEX]
            rng = np.random.Generator(np.random.PCG64(key(seed, int(sample))))
            hidden, spans = self.sizes(ids.size)
            gaps = split(rng, ids.size - hidden + 2, spans + 1)
            gaps[[0, -1]] -= 1  # these may be empty
            kept, taken = corrupt(ids, split(rng, hidden, spans), gaps, np.array(self.sentinels))
            inputs[i, : kept.size], padding[i, : kept.size], targets[i, : taken.size] = kept, 0, taken
        return Batch(inputs, targets, padding if padding.any() else None)


def split(rng: np.random.Generator, total: int, parts: int) -> np.ndarray:
    """Return int64[parts] numbers above 0 whose sum is ``total``; all ways are equally likely."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=total)


def corrupt(ids: np.ndarray, spans: np.ndarray, gaps: np.ndarray, sentinels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return inputs and targets of int64 ids for the lengths of n spans and of the n + 1 gaps around them."""
    lengths = np.insert(gaps, np.arange(1, gaps.size), spans)  # gap, span, gap, …, gap
    hidden = np.repeat(np.arange(lengths.size) % 2 == 1, lengths)
    inputs = np.insert(ids[~hidden], np.cumsum(gaps[:-1]), sentinels[: spans.size])
    return inputs, np.insert(ids[hidden], np.cumsum([0, *spans]), sentinels[: gaps.size])
