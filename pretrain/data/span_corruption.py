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
        """Turn next-token rows into inputs, int64[B, S], and targets, int64[B, T]; each document is a text of its own.

        ``documents``, int64[B, S + T], numbers those of inputs, then of targets, below 0 for padding. The spans of a
        row are a function of seed and sample; ``samples`` int64[B] are the numbers of the rows.
        """
        sides: tuple[list[list[np.ndarray]], ...] = [], []
        for i, sample in enumerate(samples):
            rng, used = np.random.Generator(np.random.PCG64(key(seed, int(sample)))), batch.targets[i] != IGNORE_INDEX
            document = np.zeros(used.size) if batch.documents is None else batch.documents[i]
            texts = [batch.inputs[i, used & (document == number)] for number in np.unique(document[used])]
            for side, parts in zip(sides, zip(*(self._hide(ids, rng) for ids in texts), strict=True), strict=True):
                side.append(list(parts))
        (inputs, reads), (targets, writes) = (pad(side) for side in sides)
        documents = np.concatenate((reads, writes), 1)
        return Batch(inputs.clip(min=0), targets, documents if documents.any() else None)

    def _hide(self, ids: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Return inputs and targets of a text."""
        hidden, spans = self.sizes(ids.size)
        gaps = split(rng, ids.size - hidden + 2, spans + 1)
        gaps[[0, -1]] -= 1  # these may be empty
        return corrupt(ids, split(rng, hidden, spans), gaps, np.array(self.sentinels))


def pad(rows: list[list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of several texts as int64[B, T], padded by IGNORE_INDEX, and the number of each token's text.

    Numbers below 0 are those of padding, each token a text of its own: its position is 0 in rows of any length.
    """
    shape = len(rows), max(sum(part.size for part in parts) for parts in rows)
    ids, numbers = np.full(shape, IGNORE_INDEX, np.int64), np.broadcast_to(-1 - np.arange(shape[1]), shape).copy()
    for i, parts in enumerate(rows):
        together = np.concatenate(parts)
        ids[i, : together.size] = together
        numbers[i, : together.size] = np.repeat(np.arange(len(parts)), [part.size for part in parts])
    return ids, numbers


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
