"""Token ids to batches: the rows of a step are a function of (seed, step).

Sample g of a run is row ``permute(g mod rows, rows, seed, g div rows)`` of the packing: each row once per epoch, each
epoch in another order. A step takes the next ``batch_size`` samples, and rank r of w every w-th of them. So a run can
resume from its step number alone, with another number of ranks, workers or micro-batches.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from time import perf_counter

import numpy as np

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.storage.manifest import fingerprint
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.data.masking import Hiding
from gristmill.pretrain.data.packing import IGNORE_INDEX, PACKINGS, Batch, Packing
from gristmill.pretrain.data.shuffle import permute

BOS_SAMPLE_DOCS = 1000  # first documents of each shard, searched for BOS


@dataclass(frozen=True, kw_only=True)
class TokenSplit:
    """Documents of one split as concatenated token ids.

    ``payloads`` are the ids of its shards in order, usually memory maps; no document spans two. ``ends`` counts tokens
    from the beginning of the first payload to the end of each document. ``bytes`` is the UTF-8 size of each document's
    text, 0 where it is unknown.
    """

    payloads: tuple[np.ndarray, ...]  # uint16 or uint32
    ends: np.ndarray  # int64[n], never falling
    bytes: np.ndarray  # int64[n]
    vocab_size: int
    learned: tuple[np.ndarray, ...] | None = None  # of each payload: uint8, a bit per token; None: all are learned
    bos: int | None = None  # token that every document begins with, if any
    eos: int | None = None  # token that every document ends with, if any
    sentinels: tuple[int, ...] = ()  # T5's <extra_id_0>, <extra_id_1>, …, if the tokenizer has them
    name: str = "tokens"  # for messages
    fingerprint: str = ""  # of ids and tokenizer: a run resumes only with the same tokens

    @classmethod
    def from_shards(cls, shards: TokenShards, split: str) -> "TokenSplit":
        """Open one split of a folder of token shards."""
        parts, about = shards.split(split), shards.about
        payloads = tuple(part.ids for part in parts)
        begins = np.cumsum([0, *(payload.size for payload in payloads)])
        ends = [part.ends + begin for part, begin in zip(parts, begins[:-1], strict=True)]
        files = shards.manifest.files
        sums = [file["sha256"] for name, file in sorted(files.items()) if name.startswith(f"{split}-")]
        learned = [part.learned for part in parts if part.learned is not None]
        add_special = about.get("add_special")
        if add_special is None:  # imported shards do not record the boundary tokens, but their ids show them
            starts = (np.concatenate(([0], part.ends[:-1]))[: part.ends.size][:BOS_SAMPLE_DOCS] for part in parts)
            begin_with_bos = ((part.ids[at] == about["bos"]).all() for part, at in zip(parts, starts, strict=True))
            add_special = "prepend" if all(begin_with_bos) else "none"
        return cls(
            payloads=payloads,
            ends=np.concatenate(ends) if ends else np.zeros(0, np.int64),
            bytes=np.concatenate([part.bytes for part in parts]).astype(np.int64) if parts else np.zeros(0, np.int64),
            vocab_size=shards.vocab_size,
            learned=tuple(learned) if learned else None,
            bos=about["bos"] if add_special in ("prepend", "both") else None,
            eos=about["eos"] if add_special in ("append", "both") else None,
            name=f"{shards.folder} ({split})",
            fingerprint=fingerprint(about["tokenizer"]["sha256"], shards.vocab_size, sums),
        )

    @classmethod
    def join(cls, splits: Sequence["TokenSplit"], name: str) -> "TokenSplit":
        """Return the documents of several splits of one tokenizer as one split."""
        begins = np.cumsum([0, *(split.count for split in splits)])
        return replace(
            splits[0],
            payloads=tuple(payload for split in splits for payload in split.payloads),
            ends=np.concatenate([split.ends + begin for split, begin in zip(splits, begins[:-1], strict=True)]),
            bytes=np.concatenate([split.bytes for split in splits]),
            name=name,
            fingerprint=fingerprint(*(split.fingerprint for split in splits)),
        )

    def take(self, rows: np.ndarray, name: str, *identity: object, tokens: int | None = None) -> "TokenSplit":
        """Return documents in this order, int64 [k], in memory; each may come several times.

        With ``tokens``, the text ends there, within its last document. ``identity`` is JSON that tells one choice of
        documents from another, for the fingerprint.
        """
        lengths = self.lengths[rows]
        if tokens is not None:
            count = int(np.searchsorted(np.cumsum(lengths), tokens)) + 1
            rows, lengths = rows[:count], lengths[:count]
            if lengths.size:
                lengths[-1] -= max(0, int(lengths.sum()) - tokens)
        starts, ends = (self.ends - self.lengths)[rows], np.cumsum(lengths)
        payload = np.searchsorted(self.shard_starts, starts, "right") - 1
        dtype = self.payloads[0].dtype if self.payloads else np.dtype(np.uint16)
        ids = np.empty(int(ends[-1]) if ends.size else 0, dtype)
        for number in np.unique(payload[lengths > 0]):
            mine = (payload == number) & (lengths > 0)
            length = lengths[mine]
            within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
            source = np.repeat(starts[mine] - self.shard_starts[number], length) + within
            ids[np.repeat(ends[mine] - length, length) + within] = self.payloads[number][source]
        chosen = {"payloads": (ids,), "ends": ends, "bytes": self.bytes[rows], "name": name}
        return replace(self, **chosen, fingerprint=fingerprint(self.fingerprint, *identity))

    def __post_init__(self):
        if (size := int(self.shard_starts[-1])) != self.count:
            raise InputError(
                f"{self.name} holds {size:,} tokens, but its documents end at {self.count:,}; tokenize again"
            )
        if self.ends.size != self.bytes.size:
            found, expected = self.bytes.size, self.ends.size
            raise InputError(f"{self.name} has sizes of {found:,} documents, expected {expected:,}; tokenize again")

    @cached_property
    def shard_starts(self) -> np.ndarray:
        """First token of each payload and the end of the last, int64[shards + 1]."""
        return np.cumsum([0, *(payload.size for payload in self.payloads)], dtype=np.int64)

    @property
    def count(self) -> int:
        """Number of tokens."""
        return int(self.ends[-1]) if self.ends.size else 0

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each document, int64[n]."""
        return np.diff(self.ends, prepend=0)

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return tokens ``start`` to ``stop``, int64. Raise InputError if one is not in the vocabulary."""
        parts = [self.payloads[shard][begin:end] for shard, begin, end in self._ranges(start, stop)]
        ids = np.concatenate(parts).astype(np.int64) if parts else np.empty(0, np.int64)
        if ids.size and ids.max() >= self.vocab_size:
            at = int(np.argmax(ids >= self.vocab_size))
            raise InputError(
                f"{self.name}: token {start + at:,} is {ids[at]}, but the vocabulary has {self.vocab_size:,}; "
                "tokenize again with the tokenizer that the folder names"
            )
        return ids

    def read_learned(self, start: int, stop: int) -> np.ndarray:
        """Return whether a model learns tokens ``start`` to ``stop``, bool."""
        assert self.learned is not None
        parts = [np.zeros(0, np.uint8)]
        for shard, begin, end in self._ranges(start, stop):
            first = begin // 8
            bits = np.unpackbits(self.learned[shard][first : -(-end // 8)], bitorder="little")
            parts.append(bits[begin - 8 * first : end - 8 * first])
        return np.concatenate(parts).astype(np.bool_)

    def _ranges(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Yield the payloads that hold tokens ``start`` to ``stop``, with the range in each."""
        shard, at = int(np.searchsorted(self.shard_starts, start, "right")) - 1, start
        while at < stop:
            begin, end = int(self.shard_starts[shard]), min(stop, int(self.shard_starts[shard + 1]))
            yield shard, at - begin, end - begin
            at, shard = end, shard + 1


class Loader:
    """Batches of a run; a thread prepares the next one while the model works."""

    def __init__(
        self,
        tokens: TokenSplit,
        context: int,
        batch_size: int,
        seed: int = 0,
        packing: str = "stream",
        masking: Hiding | None = None,
        rank: int = 0,
        world_size: int = 1,
    ):
        if tokens.count < context + 1 and packing not in ("whole", "truncate"):
            raise RecipeError(
                f"context {context:,} is longer than {tokens.name}, which holds {tokens.count:,} tokens; "
                f"choose --set model.context={max(1, tokens.count // 8)} or give more text"
            )
        self.tokens, self.context, self.seed, self.masking = tokens, context, seed, masking
        self.batch_size, self.rank, self.world_size = batch_size, rank, world_size
        self.packing = PACKINGS[packing](tokens.ends, context)
        self.rows, self.wait_seconds = self.packing.stats.rows, 0.0  # seconds that the model waited for data
        if not self.rows:
            raise RecipeError(f"{tokens.name} fills no row of {context + 1:,} tokens with packing {packing!r}")

    def position(self, step: int) -> dict[str, int]:
        """Return the position in the data before a step: ``index`` is that of the next row in the epoch's order."""
        epoch, index = divmod(step * self.batch_size, self.rows)
        return {"seed": self.seed, "epoch": epoch, "index": index, "rows": self.rows}

    def samples(self, step: int) -> np.ndarray:
        """Return the numbers of this rank's samples of a step, int64[B]."""
        return np.arange(step * self.batch_size + self.rank, (step + 1) * self.batch_size, self.world_size)

    def rows_of(self, samples: np.ndarray) -> np.ndarray:
        """Return the row of the packing for each sample, int64[B]."""
        epochs, positions = np.divmod(samples, self.rows)
        rows = np.empty_like(samples)
        for epoch in np.unique(epochs):
            rows[epochs == epoch] = permute(positions[epochs == epoch], self.rows, self.seed, int(epoch))
        return rows

    def load(self, step: int) -> Batch:
        """Read this rank's share of a step."""
        samples = self.samples(step)
        batch = gather(self.tokens, self.packing, self.rows_of(samples), self.context)
        return self.masking.mask_tokens(batch, samples, self.seed) if self.masking else batch

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """Yield steps ``first`` to ``last`` (exclusive); each is read while the previous one is in use."""
        with ThreadPoolExecutor(1, "batches") as thread:
            prefetched = [thread.submit(self.load, first)] if first < last else []
            for step in range(first, last):
                started = perf_counter()
                batch = prefetched.pop().result()
                self.wait_seconds += perf_counter() - started
                if step + 1 < last:
                    prefetched.append(thread.submit(self.load, step + 1))
                yield batch


def gather(tokens: TokenSplit, packing: Packing, rows: np.ndarray, context: int) -> Batch:
    """Read rows of a packing as inputs and targets.

    Padded positions have input 0 and target IGNORE_INDEX, as have the targets that a model does not learn.
    """
    inputs = np.zeros((rows.size, context), np.int64)
    targets = np.full((rows.size, context), IGNORE_INDEX, np.int64)
    documents = np.zeros((rows.size, context), np.int64) if packing.masked else None
    for i, row in enumerate(rows):
        spans = packing.spans(int(row))
        sequences, at = [[span] for span in spans] if packing.separate else [spans], 0
        for number, sequence in enumerate(sequences):
            ids = np.concatenate([tokens.read(*span) for span in sequence])
            end = at + ids.size - 1
            inputs[i, at:end], targets[i, at:end] = ids[:-1], ids[1:]
            if tokens.learned is not None:
                learned = np.concatenate([tokens.read_learned(*span) for span in sequence])
                targets[i, at:end][~learned[1:]] = IGNORE_INDEX
            if documents is not None and packing.separate:
                documents[i, at:end], documents[i, end:] = number, number + 1
            elif documents is not None:
                (span,) = sequence
                documents[i] = np.searchsorted(tokens.ends, np.arange(span.start, span.start + context), "right")
                documents[i] -= documents[i, 0]
            at = end
    return Batch(inputs, targets, documents)
