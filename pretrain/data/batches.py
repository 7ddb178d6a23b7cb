"""Token ids to batches: which rows a step sees is a function of (seed, step), whoever asks.

Sample g of a run is row ``permute(g mod rows, rows, seed, g div rows)`` of the packing: each row once an epoch, each
epoch in another order. A step takes ``batch`` samples in turn and rank r of w every w-th of them, so a run can go on
from its step alone, with other ranks, workers or micro-batches than it began with.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.storage.manifest import fingerprint
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.data.masking import Masking
from gristmill.pretrain.data.packing import IGNORE_INDEX, PACKINGS, Batch
from gristmill.pretrain.data.shuffle import permute

BOS_SAMPLE_DOCS = 1000  # documents, to see whether they begin with BOS


@dataclass(frozen=True, kw_only=True)
class TokenSplit:
    """The documents of one split as token ids, end to end.

    ``payloads`` are its shards in order, usually memory maps: nothing is read before it is needed. No document is split
    across two. ``ends`` counts tokens from the beginning of the first payload to the end of each document, ``bytes`` is
    the UTF-8 size of the text that a document was made from, 0 where it is not known.
    """

    payloads: tuple[np.ndarray, ...]  # uint16 or uint32
    ends: np.ndarray  # int64[n], never falling
    bytes: np.ndarray  # int64[n]
    vocab_size: int
    bos: int | None = None  # the token that every document begins with, if one does
    eos: int | None = None  # and ends with
    name: str = "tokens"  # where they lie, for messages
    fingerprint: str = ""  # of ids and tokenizer: a run goes on only with the tokens it began with

    @classmethod
    def from_shards(cls, shards: TokenShards, split: str) -> "TokenSplit":
        """One split of a folder of token shards."""
        parts, about = shards.split(split), shards.about
        payloads = tuple(part.ids for part in parts)
        begins = np.cumsum([0, *(payload.size for payload in payloads)])
        ends = [part.ends + begin for part, begin in zip(parts, begins, strict=False)]
        files = shards.manifest.files
        sums = [file["sha256"] for name, file in sorted(files.items()) if name.startswith(f"{split}-")]
        boundary = about.get("boundary")
        if boundary is None:  # imported: nothing says what stands around documents, but the ids do
            firsts = (
                part.ids[np.concatenate(([0], part.ends[:-1]))[: part.ends.size][:BOS_SAMPLE_DOCS]] for part in parts
            )
            boundary = "prepend" if all((first == about["bos"]).all() for first in firsts) else "none"
        return cls(
            payloads=payloads,
            ends=np.concatenate(ends) if ends else np.zeros(0, np.int64),
            bytes=np.concatenate([part.bytes for part in parts]).astype(np.int64) if parts else np.zeros(0, np.int64),
            vocab_size=shards.vocab_size,
            bos=about["bos"] if boundary in ("prepend", "both") else None,
            eos=about["eos"] if boundary in ("append", "both") else None,
            name=f"{shards.folder} ({split})",
            fingerprint=fingerprint(about["tokenizer"]["sha256"], shards.vocab_size, sums),
        )

    def __post_init__(self):
        sizes = [payload.size for payload in self.payloads]
        found, expected = sum(sizes), int(self.ends[-1]) if self.ends.size else 0
        if found != expected:
            raise InputError(
                f"{self.name} holds {found:,} tokens, but its documents end at {expected:,}; tokenize again"
            )
        if self.ends.size != self.bytes.size:
            raise InputError(f"{self.name}: {self.ends.size:,} documents end, {self.bytes.size:,} have a size in bytes")
        object.__setattr__(self, "_starts", np.concatenate(([0], np.cumsum(sizes, dtype=np.int64))))

    @property
    def count(self) -> int:
        return int(self.ends[-1]) if self.ends.size else 0

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.ends, prepend=0)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Tokens ``start`` to ``stop`` as int64. Raises InputError where one is no token of the vocabulary."""
        shard = int(np.searchsorted(self._starts, start, "right")) - 1
        parts, at = [], start
        while at < stop:
            end = min(stop, int(self._starts[shard + 1]))
            parts.append(self.payloads[shard][at - self._starts[shard] : end - self._starts[shard]])
            at, shard = end, shard + 1
        ids = np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
        if ids.size and ids.max() >= self.vocab_size:
            at = int(np.argmax(ids >= self.vocab_size))
            raise InputError(
                f"{self.name}: token {start + at:,} is {ids[at]}, but the vocabulary has {self.vocab_size:,}; "
                "tokenize again with the tokenizer that the folder names"
            )
        return ids


class Position(NamedTuple):
    """Where a run stands in its data: all it takes to go on, besides the tokens themselves."""

    seed: int
    epoch: int
    index: int  # of the next row in the epoch's order
    rows: int


class Loader:
    """Batches of a run, made in a thread while the model works on the one before."""

    def __init__(
        self,
        tokens: TokenSplit,
        context: int,
        batch_size: int,
        seed: int = 0,
        packing: str = "stream",
        masking: Masking | None = None,
        rank: int = 0,
        world_size: int = 1,
    ):
        if tokens.count < context + 1:
            raise RecipeError(
                f"context {context:,} is longer than {tokens.name}, which holds {tokens.count:,} tokens; "
                f"choose --set model.context={max(1, tokens.count // 8)} or give more text"
            )
        self.tokens, self.context, self.seed, self.masking = tokens, context, seed, masking
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self.packing = PACKINGS[packing](tokens.ends, context)
        self.rows, self.wait_seconds = self.packing.stats.rows, 0.0  # seconds that the model stood still for data
        if not self.rows:
            raise RecipeError(f"{tokens.name} fills no row of {context + 1:,} tokens with packing {packing!r}")

    def position(self, step: int) -> Position:
        epoch, index = divmod(step * self.batch_size, self.rows)
        return Position(self.seed, epoch, index, self.rows)

    def samples(self, step: int) -> np.ndarray:
        """int64: the numbers of this rank's samples of a step."""
        return np.arange(step * self.batch_size + self.rank, (step + 1) * self.batch_size, self.world_size)

    def rows_of(self, samples: np.ndarray) -> np.ndarray:
        """int64: the row of the packing that each sample is."""
        epochs, positions = np.divmod(samples, self.rows)
        rows = np.empty_like(samples)
        for epoch in np.unique(epochs):
            rows[epochs == epoch] = permute(positions[epochs == epoch], self.rows, self.seed, int(epoch))
        return rows

    def load(self, step: int) -> Batch:
        """This rank's share of a step."""
        samples = self.samples(step)
        batch = gather(self.tokens, self.packing, self.rows_of(samples), self.context)
        return self.masking.mask_tokens(batch, samples, self.seed) if self.masking else batch

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """The steps from ``first`` up to ``last``, each read while the one before is worked on."""
        with ThreadPoolExecutor(1, "batches") as thread:
            prefetched = thread.submit(self.load, first) if first < last else None
            for step in range(first, last):
                started = perf_counter()
                batch = prefetched.result()
                self.wait_seconds += perf_counter() - started
                prefetched = thread.submit(self.load, step + 1) if step + 1 < last else None
                yield batch


def gather(tokens: TokenSplit, packing, rows: np.ndarray, context: int) -> Batch:
    """Rows of a packing as inputs and targets; places without a token have input 0 and no target."""
    inputs = np.zeros((rows.size, context), np.int64)
    targets = np.full((rows.size, context), IGNORE_INDEX, np.int64)
    documents = np.zeros((rows.size, context), np.int64) if packing.masked else None
    for i, row in enumerate(rows):
        spans = packing.spans(int(row))
        ids = np.concatenate([tokens.read(*span) for span in spans])
        inputs[i, : ids.size - 1], targets[i, : ids.size - 1] = ids[:-1], ids[1:]
        if packing.masked:
            (span,) = spans
            at = np.arange(span.start, span.start + context)
            documents[i] = np.searchsorted(tokens.ends, at, "right")
            documents[i] -= documents[i, 0]
    return Batch(inputs, targets, documents)
