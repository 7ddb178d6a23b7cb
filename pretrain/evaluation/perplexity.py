"""Evaluation on held-out text: nats per token over windows, and exact bits per byte of each document."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.data.batches import Loader, TokenSplit, gather
from gristmill.pretrain.data.masking import Hiding
from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.model.config import ModelConfig, RNNConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, ProcessGroup
from gristmill.pretrain.model.loss import LanguageModel

BATCH_TOKENS = 1 << 13  # of one forward pass


@dataclass(frozen=True)
class DocumentLosses:
    """Losses of the documents of a split under a model, in order."""

    nats: np.ndarray  # float64[n]
    tokens: np.ndarray  # int64[n]: scored tokens, end markers included
    bytes: np.ndarray  # int64[n]: UTF-8 size of the text

    @property
    def nats_per_token(self) -> float:
        """Mean loss; 0 without tokens."""
        return float(self.nats.sum() / max(1, self.tokens.sum()))

    @property
    def bits_per_byte(self) -> float | None:
        """Bits per byte, comparable between tokenizers: all text is scored, and its size does not depend on tokens.

        None if the sizes are unknown, as in shards imported from other trainers.
        """
        size = int(self.bytes.sum())
        return float(self.nats.sum() / (size * math.log(2))) if size else None

    @property
    def perplexity(self) -> float:
        """Perplexity per token, at most e^700."""
        return math.exp(min(700.0, self.nats_per_token))


@torch.no_grad()
def window_loss(
    model: LanguageModel,
    tokens: TokenSplit,
    context: int,
    world: ProcessGroup = SINGLE_PROCESS,
    masking: Hiding | None = None,
    packing: str = "stream",
) -> float:
    """Return nats per target over all rows of the split, each target once. Changes no random state of training."""
    model.eval()
    device = next(model.parameters()).device
    loader = Loader(tokens, context, 1, packing=packing, masking=masking)
    sums = torch.zeros(2, dtype=torch.float64, device=device)
    rows = np.arange(world.rank, loader.rows, world.size)
    size = max(1, BATCH_TOKENS // context)
    for at in range(0, rows.size, size):
        some = rows[at : at + size]
        batch = gather(tokens, loader.packing, some, context)
        batch = masking.mask_tokens(batch, some, seed=0) if masking else batch
        inputs, targets, *documents = (torch.from_numpy(array).to(device) for array in batch if array is not None)
        sums[0] += model.nats(inputs, targets, *documents).double().sum()
        sums[1] += (targets != IGNORE_INDEX).sum()
    world.sum(sums)
    return float(sums[0] / sums[1].clamp(min=1))


@torch.no_grad()
def score_documents(
    model: LanguageModel,
    tokens: TokenSplit,
    context: int,
    stride: int | None = None,
    world: ProcessGroup = SINGLE_PROCESS,
) -> DocumentLosses:
    """Score every token of every document, each document by itself.

    The first token of a document is the begin marker, which is context only and costs nothing. Without begin markers
    the end marker is put in front; without either, the first token costs ln V. Documents longer than the context are
    read in windows at a stride, by default half a context. Each token is predicted once, from ``context - stride`` to
    ``context`` tokens before it. Raises RecipeError for a stride above the context and a model of hidden tokens.
    """
    check_scores_text(model.shape)
    stride = stride or max(1, context // 2)
    if stride > context:
        raise RecipeError(f"stride {stride} is above the context of {context}: tokens would be left out")
    model.eval()
    device = next(model.parameters()).device
    marker = tokens.eos if tokens.bos is None else None  # put in front of documents without a begin marker
    sequence = tokens.lengths + (marker is not None)
    windows = cut_windows(sequence, context, stride)
    windows = windows[np.argsort(-windows[:, 2], kind="stable")]  # windows of equal length together need little padding
    nats = torch.zeros(sequence.size, dtype=torch.float64, device=device)
    size = max(1, BATCH_TOKENS // context)
    for at in range(world.rank * size, len(windows), world.size * size):
        some = windows[at : at + size]
        inputs = np.zeros((len(some), int(some[0, 2])), np.int64)
        targets = np.full_like(inputs, IGNORE_INDEX)
        for i, (document, start, length, known) in enumerate(some):
            ids = _read_document(tokens, int(document), int(start), int(start + length + 1), marker)
            inputs[i, :length], targets[i, known:length] = ids[:-1], ids[known + 1 :]
        found = model.nats(torch.from_numpy(inputs).to(device), torch.from_numpy(targets).to(device))
        nats.index_add_(0, torch.from_numpy(some[:, 0].copy()).to(device), found.double().sum(1))
    world.sum(nats)
    scores = nats.cpu().numpy()
    if tokens.bos is None and marker is None:
        return DocumentLosses(scores + (sequence > 0) * math.log(tokens.vocab_size), sequence, tokens.bytes)
    return DocumentLosses(scores, np.maximum(sequence - 1, 0), tokens.bytes)


def check_scores_text(shape: ModelConfig | RNNConfig) -> None:
    """Raise RecipeError for a model of hidden tokens."""
    if isinstance(shape, ModelConfig) and (not shape.causal or shape.encoder_layers):
        raise RecipeError("a model that predicts hidden tokens gives a text no probability: compare validation losses")


def cut_windows(sequence: np.ndarray, context: int, stride: int) -> np.ndarray:
    """Cut sequences of these lengths into windows, int64[w, 4].

    Columns: number of the sequence, first input, inputs, and targets at the beginning that an earlier window scored.

    >>> cut_windows(np.array([1, 3, 9]), context=4, stride=2).tolist()
    [[1, 0, 2, 0], [2, 0, 4, 0], [2, 2, 4, 2], [2, 4, 4, 2]]
    """
    targets = np.maximum(sequence - 1, 0)
    counts = np.where(targets > 0, 1 + -(-np.maximum(targets - context, 0) // stride), 0)
    number = np.repeat(np.arange(sequence.size), counts)
    turn = np.arange(number.size) - np.repeat(np.cumsum(counts) - counts, counts)
    start = turn * stride
    length = np.minimum(context, targets[number] - start)
    return np.stack((number, start, length, np.where(turn > 0, context - stride, 0)), 1)


def _read_document(tokens: TokenSplit, document: int, start: int, stop: int, marker: int | None) -> np.ndarray:
    """Tokens ``start`` to ``stop`` of a document, the marker (if any) counting as its first."""
    begin = int(tokens.ends[document - 1]) if document else 0
    if marker is None:
        return tokens.read(begin + start, begin + stop)
    ids = tokens.read(begin + max(0, start - 1), begin + stop - 1)
    return np.concatenate(([marker], ids)) if start == 0 else ids
