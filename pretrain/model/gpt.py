"""GPT: an embedding, blocks of norm, attention, norm and MLP, and an output matrix.

Axes: B sequences, T positions, D width, H heads, K key heads, C width of a head, S positions attended to, V vocabulary.
"""

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.model.config import BUCKETS, ModelConfig
from gristmill.pretrain.model.experts import Experts
from gristmill.pretrain.model.layers import MLP, CrossAttention, Memory, MLMHead, attend, make_norm, split_heads
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.model.positions import alibi_slopes, apply_rope, relative_buckets, rope_angles, sinusoids


class AttentionContext(NamedTuple):
    """Positions and mask of a batch, computed once for all layers."""

    rope: tuple[Tensor, Tensor] | None  # cosine and sine of the angles, [B or 1, 1, T, C/2]
    mask: Tensor | None  # [B or 1, H or 1, T, S]: True to attend, or a bias to add
    causal: bool  # plain causal attention, which kernels do without a mask
    memory: Memory | None = None  # of the encoder that a decoder attends to


class Cache:
    """KV cache: keys and values of all tokens read, so that each new token costs one step."""

    def __init__(self, shape: ModelConfig, batch: int, like: Tensor, prefix: int = 0):
        size = (shape.n_layers, batch, shape.key_heads, prefix + shape.context, shape.head_dim)
        self.keys, self.values, self.length = like.new_zeros(size), like.new_zeros(size), 0

    @property
    def full(self) -> bool:
        return self.length == self.keys.shape[3]

    def extend(self, layer: int, k_BKTC: Tensor, v_BKTC: Tensor) -> tuple[Tensor, Tensor]:
        """Append a layer's new keys and values; return all of that layer. The model advances ``length`` at the end."""
        end = self.length + k_BKTC.shape[2]
        self.keys[layer, :, :, self.length : end], self.values[layer, :, :, self.length : end] = k_BKTC, v_BKTC
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]

    def reorder(self, rows: Tensor) -> None:
        """Keep these rows, in this order (beam search drops and duplicates rows)."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]


class Attention(nn.Module):
    def __init__(self, shape: ModelConfig):
        super().__init__()
        self.shape, self.sizes = shape, shape.qkv_rows
        self.qkv = nn.Linear(shape.d_model, sum(self.sizes), shape.bias)
        self.out = nn.Linear(self.sizes[0], shape.d_model, shape.bias)

    def forward(self, x_BTD: Tensor, ctx: AttentionContext, cache: Cache | None, layer: int) -> Tensor:
        shape, (queries, keys, values) = self.shape, self.sizes
        qk, v_BKTC = (split_heads(part, shape) for part in self.qkv(x_BTD).split((queries + keys, values), -1))
        if shape.qk_norm:
            qk = F.rms_norm(qk, (shape.head_dim,), eps=shape.norm_eps)
        if ctx.rope:
            qk = apply_rope(qk, ctx.rope)
        q_BHTC, k_BKTC = qk.split((shape.n_heads, shape.key_heads), 1)
        if cache:
            k_BKTC, v_BKTC = cache.extend(layer, k_BKTC, v_BKTC)
        return self.out(attend((q_BHTC, k_BKTC, v_BKTC), ctx.mask, shape, self.training, ctx.causal))


class Block(nn.Module):
    """Attention, cross-attention of a decoder, and MLP, in residual connections: norm inside (pre) or after the sum."""

    def __init__(self, shape: ModelConfig):
        super().__init__()
        self.pre, self.scale = shape.norm_position == "pre", shape.residual_scale
        self.attention_norm, self.attention = make_norm(shape), Attention(shape)
        if shape.encoder_layers:
            self.cross_norm, self.cross_attention = make_norm(shape), CrossAttention(shape)
        self.mlp_norm = make_norm(shape)
        self.mlp = Experts(shape) if shape.n_experts else MLP(shape)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x_BTD: Tensor, ctx: AttentionContext, cache: Cache | None, layer: int) -> Tensor:
        x_BTD = self._add(x_BTD, self.attention_norm, lambda x: self.attention(x, ctx, cache, layer))
        if ctx.memory is not None:
            x_BTD = self._add(x_BTD, self.cross_norm, lambda x: self.cross_attention(x, ctx.memory, layer))
        return self._add(x_BTD, self.mlp_norm, self.mlp)

    def _add(self, x_BTD: Tensor, norm: nn.Module, layer: Callable[[Tensor], Tensor]) -> Tensor:
        if self.pre:
            return x_BTD + self.dropout(layer(norm(x_BTD)))
        return norm(x_BTD * self.scale + self.dropout(layer(x_BTD)))


class Prefix(nn.Module):
    """Base of adapters that put ``size`` virtual tokens in front of the text; these take the first positions."""

    size: int

    def fill(self, model: "GPT", batch: int, cache: Cache | None) -> Cache:
        """Return the empty cache (or a new one) with the keys and values of the virtual tokens."""
        raise NotImplementedError


class GPT(LanguageModel):
    """A GPT. With ``documents`` (the document of each token within its row) tokens attend to their own document only,
    and positions count from its first token.
    """

    shape: ModelConfig
    cosine: Tensor  # of RoPE's angles
    sine: Tensor
    sinusoids: Tensor
    slopes: Tensor  # of ALiBi

    def __init__(self, shape: ModelConfig, seed: int = 0):
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.rows, shape.d_model)
        self.learned = nn.Embedding(shape.context, shape.d_model) if shape.position_encoding == "learned" else None
        self.relative = nn.Embedding(BUCKETS, shape.n_heads) if shape.position_encoding == "relative" else None
        self.embedding_norm = make_norm(shape) if shape.embedding_norm else nn.Identity()
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layers))
        self.norm = make_norm(shape) if shape.norm_position == "pre" else nn.Identity()  # else the last block ends so
        self.mlm_head = MLMHead(shape) if shape.mlm_head else None
        self.head: nn.Embedding = self.embedding if shape.tie_embeddings else nn.Embedding(shape.rows, shape.d_model)
        self.dropout = nn.Dropout(shape.dropout)
        self.prefix: Prefix | None = None  # virtual tokens of an adapter, in front of every row
        self._register_tables()
        self._init_weights(torch.Generator().manual_seed(seed))

    def _register_tables(self) -> None:
        shape = self.shape
        tables = {}
        if shape.position_encoding == "rope":
            angle = rope_angles(shape.context, shape.head_dim, shape.rope_theta)
            tables = {"cosine": angle.cos(), "sine": angle.sin()}
        elif shape.position_encoding == "sinusoidal":
            tables = {"sinusoids": sinusoids(shape.context, shape.d_model)}
        elif shape.position_encoding == "alibi":
            tables = {"slopes": alibi_slopes(shape.n_heads)[:, None, None]}
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    @torch.no_grad()
    def _init_weights(self, generator: torch.Generator) -> None:
        """Initialize like GPT-2, N(0, 0.02) and residual projections smaller by √(2L), but with a first loss of ln V.

        A separate output matrix begins at 0. A tied one would favor the token just read, by a logit of 0.02 · D, and
        scatter the others. So the last norm's gain is lowered until each effect costs 0.02 nats (GPT-2's loss begins
        0.2 too high).
        """
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                residual = name.endswith(("attention.out.weight", ".down.weight"))
                deviation = 0.02 / math.sqrt(2 * self.shape.n_layers) if residual else 0.02
                nn.init.normal_(parameter, 0.0, deviation, generator=generator)
                if self.shape.norm_position == "deep" and name.startswith("blocks.") and "router" not in name:
                    self._init_deep(name, parameter, generator)
            elif name.endswith("bias"):
                parameter.zero_()
        if self.shape.tie_embeddings:
            width, target_logit = self.shape.d_model, math.log1p(0.02 * self.shape.vocab_size)
            self.last_norm.weight.fill_(min(1.0, target_logit / (0.02 * width), 0.2 / (0.02 * math.sqrt(width))))
        else:
            self.head.weight.zero_()

    def _init_deep(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Initialize like DeepNorm (2203.00555, 2.2): Xavier, all but queries and keys smaller by (8L)^(1/4)."""
        gain = (8 * self.shape.n_layers) ** -0.25
        *others, last = weight.split(self.shape.qkv_rows) if "qkv" in name else (weight,)
        for part in others:
            nn.init.xavier_normal_(part, generator=generator)
        nn.init.xavier_normal_(last, gain, generator)

    @property
    def last_norm(self) -> nn.RMSNorm | nn.LayerNorm:
        """The norm before the output matrix."""
        last = self.norm if self.shape.norm_position == "pre" else cast(Block, self.blocks[-1]).mlp_norm
        last = self.mlm_head.norm if self.mlm_head is not None else last
        return cast(nn.RMSNorm | nn.LayerNorm, last)

    @property
    def output(self) -> Tensor:
        return self.head.weight

    @property
    def output_bias(self) -> Tensor | None:
        return None if self.mlm_head is None else self.mlm_head.bias

    def hidden(
        self,
        inputs_BT: Tensor,
        documents_BT: Tensor | None = None,
        cache: Cache | None = None,
        prefix_BT: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Return [B, T, D] after the last norm. With a cache, the inputs follow the tokens that it holds.

        All tokens of a document attend to those of its prefix, where ``prefix_BT`` is True. The ``memory`` is that of
        the encoder, if the GPT is a decoder with one.
        """
        if self.prefix is not None and not (cache and cache.length):
            cache = self.prefix.fill(self, len(inputs_BT), cache)
        return self.transform(self.embedding(inputs_BT), documents_BT, cache, prefix_BT, memory)

    def states(self, inputs_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        """Return the hidden states; what precedes a document's first target is the prefix of a prefix decoder."""
        prefix_BT = find_prefixes(targets_BT, documents_BT) if self.shape.prefix_decoder else None
        return self.hidden(inputs_BT, documents_BT, prefix_BT=prefix_BT)

    def transform(
        self,
        x_BTD: Tensor,
        documents_BT: Tensor | None,
        cache: Cache | None,
        prefix_BT: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Return [B, T, D] after the last norm for the embeddings of tokens, without positions."""
        shape, start, length = self.shape, cache.length if cache else 0, x_BTD.shape[1]
        positions_BT = torch.arange(start, start + length, device=x_BTD.device)[None]
        if documents_BT is not None:
            positions_BT = positions_BT - document_starts(documents_BT)
        if self.learned is not None:
            x_BTD = x_BTD + self.learned(positions_BT)
        elif shape.position_encoding == "sinusoidal":  # embeddings must be of unit size, as sinusoids are
            x_BTD = x_BTD * math.sqrt(shape.d_model) + self.sinusoids[positions_BT]
        x_BTD = self.dropout(self.embedding_norm(x_BTD))
        ctx = self._attention_context(positions_BT, documents_BT, cache, prefix_BT)._replace(memory=memory)
        for layer, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, ctx, cache, layer)
        if cache:
            cache.length += length
        x_BTD = self.norm(x_BTD)
        return x_BTD if self.mlm_head is None else self.mlm_head(x_BTD)

    def _attention_context(
        self, positions_BT: Tensor, documents_BT: Tensor | None, cache: Cache | None, prefix_BT: Tensor | None
    ) -> AttentionContext:
        shape, length = self.shape, positions_BT.shape[1]
        rope = None
        if shape.position_encoding == "rope":
            rope = self.cosine[positions_BT][:, None], self.sine[positions_BT][:, None]
        start = cache.length if cache else 0
        near = shape.window is None or start + length <= shape.window
        if shape.position_encoding not in ("alibi", "relative") and documents_BT is None and near:
            if not shape.causal or length == 1:  # one token attends to all before it
                return AttentionContext(rope, None, False)
            if not start and prefix_BT is None:
                return AttentionContext(rope, None, True)
        query_T1 = torch.arange(start, start + length, device=positions_BT.device)[:, None]
        key_1S = torch.arange(start + length, device=positions_BT.device)
        mask = (key_1S <= query_T1) if shape.causal else torch.ones_like(key_1S <= query_T1)
        mask = mask[None, None]
        if prefix_BT is not None:
            mask = mask | F.pad(prefix_BT, (start, 0), value=True)[:, None, None]
        if shape.window is not None:
            mask = mask & ((query_T1 - key_1S).abs() < shape.window)
        if documents_BT is not None:
            same_document = documents_BT[:, None, :, None] == documents_BT[:, None, None, :]
            mask = mask & F.pad(same_document, (start, 0), value=True)
        if shape.position_encoding == "alibi":
            mask = torch.where(mask, -self.slopes * (query_T1 - key_1S).abs(), -torch.inf)
        elif self.relative is not None:
            bias_TSH = self.relative(relative_buckets(key_1S - query_T1, shape.causal))
            mask = torch.where(mask, bias_TSH.permute(2, 0, 1), -torch.inf)
        return AttentionContext(rope, mask, False)


def document_starts(documents_BT: Tensor) -> Tensor:
    """Return the index in its row where each token's document begins: [0 0 1 1 1] -> [0 0 2 2 2]."""
    at_BT = torch.arange(documents_BT.shape[1], device=documents_BT.device).expand_as(documents_BT)
    begins_BT = F.pad(documents_BT[:, 1:] != documents_BT[:, :-1], (1, 0), value=True)
    return torch.where(begins_BT, at_BT, 0).cummax(1).values


def find_prefixes(targets_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
    """Return True for each token with no target before its own in its document: [- - 7 8] -> [True True True False]."""
    learned_BT = (targets_BT != IGNORE_INDEX).long()
    before_BT = learned_BT.cumsum(1) - learned_BT
    if documents_BT is not None:
        before_BT = before_BT - before_BT.gather(1, document_starts(documents_BT))
    return before_BT == 0
