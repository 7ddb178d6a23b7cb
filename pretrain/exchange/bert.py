"""BERT in the layout of ``transformers``, as ``BertForMaskedLM``: a post-norm encoder and the head of its pretraining.

Segments do not exist here: export writes zeros as token types, import adds the first type to every position.
"""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from gristmill.pipelines.errors import InputError, shown
from gristmill.pretrain.exchange.tensors import size, stack, take
from gristmill.pretrain.model.config import BERT, ModelConfig

REQUIRED_CONFIG = {name: value for name, value in BERT.items() if name not in ("mlp", "norm_eps")}
REQUIRED_CONFIG |= {"qk_norm": False, "tie_embeddings": True}
REQUIRED_CONFIG |= dict.fromkeys(("window", "n_experts", "encoder_layers", "head_width"))
MLP = {"gelu-erf": "gelu", "gelu": "gelu_new", "relu": "relu"}
ACTIVATIONS = {theirs: ours for ours, theirs in MLP.items()}
BLOCK = {
    "attention.qkv": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "attention.out": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "mlp.up": ("intermediate.dense",),
    "mlp.down": ("output.dense",),
    "mlp_norm": ("output.LayerNorm",),
}
WORDS, POSITIONS, TYPES = (f"bert.embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type"))
BIAS = "cls.predictions.bias"
NEVER = -1e4  # logit of a mask token that the vocabulary lacks


def to_config(shape: ModelConfig) -> dict:
    """Return their ``config.json``."""
    return {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "hidden_act": MLP[shape.mlp],
        "vocab_size": max(shape.vocab_size, shape.mask_id + 1),
        "max_position_embeddings": shape.context,
        "hidden_size": shape.d_model,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads,
        "intermediate_size": shape.mlp_width,
        "layer_norm_eps": shape.norm_eps,
        "hidden_dropout_prob": shape.dropout,
        "attention_probs_dropout_prob": shape.dropout,
        "type_vocab_size": 2,
        "pad_token_id": None,
        "mask_token_id": shape.mask_id,
    }


def from_config(config: dict, where: str) -> dict:
    """Return the settings of `ModelConfig`. Raise InputError if it has no such model; ``where`` is for messages."""
    activation = config.get("hidden_act", "gelu")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise InputError(f"{where}: hidden_act {shown(activation)}; expected one of {', '.join(ACTIVATIONS)}")
    for name, expected in (("is_decoder", False), ("tie_word_embeddings", True)):
        if config.get(name, expected) != expected:
            raise InputError(f"{where}: unsupported {name}: found {shown(config[name])}, expected {expected}")
    return {
        **REQUIRED_CONFIG,
        "vocab_size": size(config, "vocab_size", where),
        "context": config.get("max_position_embeddings", 512),
        "n_layers": config.get("num_hidden_layers", 12),
        "d_model": config.get("hidden_size", 768),
        "n_heads": config.get("num_attention_heads", 12),
        "mlp_hidden": config.get("intermediate_size", 3072),
        "mlp": ACTIVATIONS[activation],
        "norm_eps": config.get("layer_norm_eps", 1e-12),
        "mask_token": config.get("mask_token_id"),  # only our exports say it
    }


def _names(shape: ModelConfig) -> Iterator[tuple[str, list[str]]]:
    """Our name and theirs of each weight, without embeddings and output bias."""
    for part in ("weight", "bias"):
        yield f"embedding_norm.{part}", [f"bert.embeddings.LayerNorm.{part}"]
        yield f"mlm_head.dense.{part}", [f"cls.predictions.transform.dense.{part}"]
        yield f"mlm_head.norm.{part}", [f"cls.predictions.transform.LayerNorm.{part}"]
        for layer in range(shape.n_layers):
            for ours, theirs in BLOCK.items():
                yield f"blocks.{layer}.{ours}.{part}", [f"bert.encoder.layer.{layer}.{name}.{part}" for name in theirs]


def export_weights(shape: ModelConfig, ours: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield their name and tensor of each weight."""
    rows = max(shape.vocab_size, shape.mask_id + 1)
    yield WORDS, ours["embedding.weight"][:rows]
    yield POSITIONS, ours["learned.weight"]
    yield TYPES, torch.zeros(2, shape.d_model)
    yield BIAS, F.pad(ours["mlm_head.bias"][: shape.vocab_size], (0, rows - shape.vocab_size), value=NEVER)
    for own, names in _names(shape):
        yield from zip(names, ours[own].chunk(len(names)), strict=True)


def import_weights(shape: ModelConfig, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield our name and tensor of each weight."""
    yield "embedding.weight", take(theirs, WORDS)
    yield "learned.weight", take(theirs, POSITIONS, 2) + take(theirs, TYPES, 2)[0]
    yield "mlm_head.bias", F.pad(take(theirs, BIAS, 1), (0, shape.rows - shape.vocab_size))
    for own, names in _names(shape):
        yield own, stack(theirs, names)
