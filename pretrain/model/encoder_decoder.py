"""Encoder-decoder (1706.03762), like T5 (1910.10683): a GPT that attends to the states of an encoder, too.

Inputs and targets are sequences of their own: the encoder reads inputs, int64[B, S], both ways; the decoder predicts
targets, int64[B, T], each after those before it.
"""

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional as F

from gristmill.pretrain.data.shuffle import key
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.gpt import GPT, Block, document_starts
from gristmill.pretrain.model.layers import Memory
from gristmill.pretrain.model.loss import LanguageModel

START = 0  # first token that a decoder reads: T5's padding


class EncoderDecoder(LanguageModel):
    """An encoder and a decoder with one embedding. Targets that count nothing follow all others of their document."""

    shape: ModelConfig

    def __init__(self, shape: ModelConfig, seed: int = 0):
        super().__init__()
        encoder = {"n_layers": shape.encoder_layers, "encoder_layers": None, "causal": False}
        encoder |= {"tie_embeddings": False}  # so the gain of its last norm begins at 1
        self.shape, self.decoder = shape, GPT(shape, seed)
        self.encoder = GPT(shape.model_copy(update=encoder), key(seed, 1))
        self.encoder.embedding = self.encoder.head = self.decoder.embedding

    @property
    def output(self) -> Tensor:
        return self.decoder.output

    def encode(self, inputs_BS: Tensor, documents_BS: Tensor | None = None, mask: Tensor | None = None) -> Memory:
        """Return what the decoder attends to."""
        states_BSD = self.encoder.hidden(inputs_BS, documents_BS)
        return Memory([cast(Block, block).cross_attention.read(states_BSD) for block in self.decoder.blocks], mask)

    def states(self, inputs_BS: Tensor, targets_BT: Tensor, documents_BN: Tensor | None = None) -> Tensor:
        """Return the decoder's states [B, T, D].

        ``documents``, [B, S + T], are those of inputs, then of targets, below 0 for padding.
        """
        before_BT = F.pad(targets_BT[:, :-1], (1, 0), value=START).clamp(min=START)
        if documents_BN is None:
            return self.decoder.hidden(before_BT, memory=self.encode(inputs_BS))
        reads_BS, writes_BT = documents_BN.split([inputs_BS.shape[1], targets_BT.shape[1]], 1)
        at_T = torch.arange(targets_BT.shape[1], device=targets_BT.device)
        before_BT = before_BT.masked_fill(at_T == document_starts(writes_BT), START)
        mask_BTS = (writes_BT[:, :, None] == reads_BS[:, None]) | (writes_BT < 0)[:, :, None]
        return self.decoder.hidden(before_BT, writes_BT, memory=self.encode(inputs_BS, reads_BS, mask_BTS[:, None]))


def make_transformer(shape: ModelConfig, seed: int = 0) -> GPT | EncoderDecoder:
    """Build the model of a configuration."""
    return EncoderDecoder(shape, seed) if shape.encoder_layers else GPT(shape, seed)
