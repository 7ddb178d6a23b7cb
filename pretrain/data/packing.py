"""How documents become rows of T + 1 tokens: T inputs, and T targets one further on.

``stream``          windows of T + 1 that move by T over all documents end to end, so that each token but the first is
                    a target once an epoch. Rows begin and end anywhere. The last is filled up.
``stream+docmask``  the same rows; each token sees its own document alone.
``pad``             a document a row, long ones in windows as above; the rest of the last one is filled up.
``bos-bestfit``     rows begin where a document does and hold whole documents, the longest that fits first; where none
                    fits, the shortest is cut to fill the row, and what is cut off is never seen (nanochat's way).

A row is a list of spans of the token stream. Rows do not depend on seed or epoch: their order does.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel

IGNORE_INDEX = -1  # in the place of a target: there is none, count nothing
BUFFER_DOCS = 1000  # documents that best fit chooses from, as many as nanochat's loader buffers


class Batch(NamedTuple):
    """int64[B, T] each; ``documents`` numbers the document of each token within its row, where tokens see only it."""

    inputs: np.ndarray
    targets: np.ndarray
    documents: np.ndarray | None


class TokenSpan(NamedTuple):
    """Tokens ``start`` to ``stop`` of the stream."""

    start: int
    stop: int


@dataclass(frozen=True)
class PackingStats:
    """What a packing does with the tokens in an epoch."""

    rows: int
    targets: int  # predicted
    cropped: int  # tokens that are in no row
    padded: int  # places of rows that hold no target


class Packing(Protocol):
    masked: bool  # tokens see their own document alone

    @property
    def stats(self) -> PackingStats: ...

    def spans(self, row: int) -> list[TokenSpan]: ...


class StreamPacking:
    """Windows over the stream; nothing is stored."""

    def __init__(self, ends: np.ndarray, context: int, masked: bool = False):
        self.tokens, self.context, self.masked = int(ends[-1]) if ends.size else 0, context, masked

    @property
    def stats(self) -> PackingStats:
        targets = max(self.tokens - 1, 0)
        rows = -(-targets // self.context)
        return PackingStats(rows, targets, 0 if rows else self.tokens, rows * self.context - targets)

    def spans(self, row: int) -> list[TokenSpan]:
        start = row * self.context
        return [TokenSpan(start, min(start + self.context + 1, self.tokens))]


class PaddedPacking:
    """Windows over each document: int64 row number of each document's first, 8 bytes a document."""

    masked = False

    def __init__(self, ends: np.ndarray, context: int):
        self.ends, self.context = ends, context
        self.lengths = np.diff(ends, prepend=0)
        self.first = np.concatenate(([0], np.cumsum(-(-np.maximum(self.lengths - 1, 0) // context))))

    @property
    def stats(self) -> PackingStats:
        """A document of one token has no target: with nothing to predict, it is in no row."""
        rows, targets = int(self.first[-1]), int(np.maximum(self.lengths - 1, 0).sum())
        return PackingStats(rows, targets, int((self.lengths == 1).sum()), rows * self.context - targets)

    def spans(self, row: int) -> list[TokenSpan]:
        document = int(np.searchsorted(self.first, row, "right")) - 1
        end = int(self.ends[document])
        start = end - int(self.lengths[document]) + (row - int(self.first[document])) * self.context
        return [TokenSpan(start, min(start + self.context + 1, end))]


class BestFitPacking:
    """Whole documents where they fit: int64 document and length of each piece, 16 bytes a document.

    The plan looks at up to BUFFER_DOCS documents for each one it places: 10 million documents take some 10 seconds.
    """

    masked = False

    def __init__(self, ends: np.ndarray, context: int):
        self.starts, lengths = np.concatenate(([0], ends[:-1])), np.diff(ends, prepend=0)
        self.context, self.tokens = context, int(lengths.sum())
        pieces = np.empty((3, int((lengths > 0).sum())), np.int64)
        buffer = np.empty((2, BUFFER_DOCS), np.int64)
        count, self.rows = best_fit(lengths, context + 1, buffer, pieces)
        row, self.document, self.length = pieces[:, :count]
        self.first = np.searchsorted(row, np.arange(self.rows + 1))

    @property
    def stats(self) -> PackingStats:
        kept = int(self.length[: self.first[self.rows]].sum())
        targets = kept - self.rows
        return PackingStats(self.rows, targets, self.tokens - kept, self.rows * self.context - targets)

    def spans(self, row: int) -> list[TokenSpan]:
        pieces = range(self.first[row], self.first[row + 1])
        starts = [int(self.starts[self.document[piece]]) for piece in pieces]
        return [TokenSpan(start, start + int(self.length[p])) for start, p in zip(starts, pieces, strict=True)]


@kernel
def best_fit(lengths, size, buffer, pieces):
    """Fill rows of ``size`` with documents; pieces int64[3, n]: row, document, length kept. -> pieces, full rows.

    ``buffer`` int64[2, w] is room for the documents (number, length) that are next in line. Of two as long, the one
    that stands first is taken. The last row is dropped unless the documents fill it.
    """
    next_document = buffered = count = rows = used = 0
    while True:
        while buffered < buffer.shape[1] and next_document < lengths.size:
            if lengths[next_document]:
                buffer[0, buffered], buffer[1, buffered] = next_document, lengths[next_document]
                buffered += 1
            next_document += 1
        if not buffered:
            break
        room, best, shortest = size - used, -1, 0
        for i in range(buffered):
            if buffer[1, i] <= room and (best < 0 or buffer[1, i] > buffer[1, best]):
                best = i
            if buffer[1, i] < buffer[1, shortest]:
                shortest = i
        best = best if best >= 0 else shortest
        pieces[0, count], pieces[1, count] = rows, buffer[0, best]
        pieces[2, count] = min(buffer[1, best], room)
        used += pieces[2, count]
        count += 1
        buffered -= 1
        for i in range(best, buffered):  # the line closes up: its order says who is first
            buffer[0, i], buffer[1, i] = buffer[0, i + 1], buffer[1, i + 1]
        if used == size:
            rows, used = rows + 1, 0
    return count, rows


PACKINGS = {
    "stream": lambda ends, context: StreamPacking(ends, context),
    "stream+docmask": lambda ends, context: StreamPacking(ends, context, masked=True),
    "bos-bestfit": BestFitPacking,
    "pad": PaddedPacking,
}
