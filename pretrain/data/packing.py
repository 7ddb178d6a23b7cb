"""Packings of documents into rows of T + 1 tokens: T inputs, and T targets one position later.

``stream``          windows of T + 1 at a stride of T over the concatenated documents: each token except the first is a
                    target once per epoch. Rows begin and end anywhere; the last is padded.
``stream+docmask``  the same rows; each token attends to its own document only.
``pad``             one document per row, long ones in windows as above; the last row of each document is padded.
``bos-bestfit``     rows begin at the beginning of a document and hold whole documents, the longest that fits first. If
                    none fits, the shortest is cropped to fill the row, and its rest is dropped (as in nanochat).
``whole``           rows hold whole documents, the longest that fits first, long ones in windows as above. Each predicts
                    its own tokens alone and attends to them alone: losses are those of ``pad``, with less padding.
``truncate``        one document per row: its first T + 1 tokens, the rest is dropped. Nothing attends to the padding.

A row is a list of spans of the token stream. Rows do not depend on seed or epoch; only their order does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from gristmill.pipelines.kernels.intrinsics import kernel

IGNORE_INDEX = -1  # a target that counts nothing
BUFFER_DOCS = 1000  # documents that best fit chooses from, as in nanochat's loader


class Batch(NamedTuple):
    """Arrays int64[B, T]. ``documents`` numbers the document of each token within its row, None without such a mask."""

    inputs: np.ndarray
    targets: np.ndarray
    documents: np.ndarray | None


class TokenSpan(NamedTuple):
    """Span of the token stream, ``start`` to ``stop``."""

    start: int
    stop: int


@dataclass(frozen=True)
class PackingStats:
    """Counts of one epoch of a packing."""

    rows: int
    targets: int
    cropped: int  # tokens that are in no row
    padded: int  # positions of rows without a target


class Packing(Protocol):
    """Interface of packings."""

    masked: bool  # tokens attend to their own document only
    separate: bool  # each span is a sequence of its own: its last token has no target

    @property
    def stats(self) -> PackingStats:
        """Counts of one epoch."""

    def spans(self, row: int) -> list[TokenSpan]:
        """Return the spans of the token stream that a row holds, T + 1 tokens or fewer."""


class StreamPacking:
    """Windows over the concatenated documents; no row is stored."""

    separate = False

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
    """Windows over each document; stores the number of each document's first row, 8 bytes per document."""

    masked = separate = False

    def __init__(self, ends: np.ndarray, context: int):
        self.ends, self.context = ends, context
        self.lengths = np.diff(ends, prepend=0)
        self.first = np.concatenate(([0], np.cumsum(-(-np.maximum(self.lengths - 1, 0) // context))))

    @property
    def stats(self) -> PackingStats:
        """Counts of one epoch; a document of one token has no target, so it is in no row."""
        rows, targets = int(self.first[-1]), int(np.maximum(self.lengths - 1, 0).sum())
        return PackingStats(rows, targets, int((self.lengths == 1).sum()), rows * self.context - targets)

    def spans(self, row: int) -> list[TokenSpan]:
        document = int(np.searchsorted(self.first, row, "right")) - 1
        end = int(self.ends[document])
        start = end - int(self.lengths[document]) + (row - int(self.first[document])) * self.context
        return [TokenSpan(start, min(start + self.context + 1, end))]


class BestFitPacking:
    """Whole documents where they fit; stores document and length of each piece, 16 bytes per document.

    Planning compares up to BUFFER_DOCS documents for each one placed: 10 million documents take about 10 seconds.
    """

    masked = separate = False

    def __init__(self, ends: np.ndarray, context: int):
        self.starts, lengths = np.concatenate(([0], ends[:-1])), np.diff(ends, prepend=0)
        self.context, self.tokens = context, int(lengths.sum())
        pieces = np.empty((3, int((lengths > 0).sum())), np.int64)
        buffer = np.empty((2, BUFFER_DOCS), np.int64)
        count, self.rows = best_fit(lengths, context + 1, buffer, pieces, True)
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


class WholePacking:
    """Whole documents and windows of longer ones, each a sequence of its own; stores 24 bytes for each."""

    masked = separate = True

    def __init__(self, ends: np.ndarray, context: int):
        lengths, self.context = np.diff(ends, prepend=0), context
        targets = np.maximum(lengths - 1, 0)
        counts = -(-targets // context)
        document = np.repeat(np.arange(counts.size), counts)
        at = (np.arange(document.size) - np.repeat(np.cumsum(counts) - counts, counts)) * context
        self.starts, self.targets = (ends - lengths)[document] + at, np.minimum(targets[document] - at, context)
        pieces, buffer = np.empty((3, document.size), np.int64), np.empty((2, BUFFER_DOCS), np.int64)
        _, self.rows = best_fit(self.targets, context, buffer, pieces, False)
        row, self.piece, _ = pieces
        self.first = np.searchsorted(row, np.arange(self.rows + 1))
        self.cropped = int((lengths == 1).sum())

    @property
    def stats(self) -> PackingStats:
        targets = int(self.targets.sum())
        return PackingStats(self.rows, targets, self.cropped, self.rows * self.context - targets)

    def spans(self, row: int) -> list[TokenSpan]:
        pieces = self.piece[self.first[row] : self.first[row + 1]]
        sizes = zip(self.starts[pieces].tolist(), self.targets[pieces].tolist(), strict=True)
        return [TokenSpan(start, start + targets + 1) for start, targets in sizes]


class TruncatedPacking:
    """The beginning of each document; stores 16 bytes per document. One of a single token has no target, so no row."""

    masked = separate = True

    def __init__(self, ends: np.ndarray, context: int):
        lengths, self.context, self.tokens = np.diff(ends, prepend=0), context, int(ends[-1]) if ends.size else 0
        used = lengths > 1
        self.starts, self.sizes = (ends - lengths)[used], np.minimum(lengths[used], context + 1)

    @property
    def stats(self) -> PackingStats:
        rows, kept = self.sizes.size, int(self.sizes.sum())
        return PackingStats(rows, kept - rows, self.tokens - kept, rows * (self.context + 1) - kept)

    def spans(self, row: int) -> list[TokenSpan]:
        start = int(self.starts[row])
        return [TokenSpan(start, start + int(self.sizes[row]))]


@kernel
def best_fit(lengths, size, buffer, pieces, crop):
    """Fill rows of ``size`` tokens with documents; return the number of pieces and of full rows.

    Writes row, document and kept length of each piece to ``pieces``, int64[3, n]. ``buffer``, int64[2, w], is scratch
    for number and length of the next w documents. Of documents of equal length the first is taken. With ``crop`` the
    shortest is cropped if none fits, and the last row is dropped unless it is full; else rows need not be full, and no
    document may be longer than ``size``.
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
        if best < 0 and not crop:
            rows, used = rows + 1, 0
            continue
        best = best if best >= 0 else shortest
        pieces[0, count], pieces[1, count] = rows, buffer[0, best]
        pieces[2, count] = min(buffer[1, best], room)
        used += pieces[2, count]
        count += 1
        buffered -= 1
        for i in range(best, buffered):  # closes the gap: ties are decided by the order
            buffer[0, i], buffer[1, i] = buffer[0, i + 1], buffer[1, i + 1]
        if used == size:
            rows, used = rows + 1, 0
    return count, rows + (not crop and used > 0)


PACKINGS: dict[str, Callable[[np.ndarray, int], Packing]] = {
    "stream": StreamPacking,
    "stream+docmask": lambda ends, context: StreamPacking(ends, context, masked=True),
    "bos-bestfit": BestFitPacking,
    "pad": PaddedPacking,
    "whole": WholePacking,
    "truncate": TruncatedPacking,
}
