"""T5 in the layout of ``transformers``, as ``T5ForConditionalGeneration``: 1.0 (ReLU, tied) and 1.1 (gated, untied).

Theirs does not divide scores by √C, and divides the logits of a tied output matrix by √D. Here both factors are in the
weights: of queries, and of the decoder's last norm.
"""

from collections.abc import Iterator

from torch import Tensor

from gristmill.pipelines.errors import InputError, shown
from gristmill.pretrain.exchange.tensors import DECODER, size, stack, take
from gristmill.pretrain.model.config import BUCKETS, MAX_DISTANCE, ModelConfig
from gristmill.pretrain.model.encoder_decoder import START

REQUIRED_CONFIG = {"norm": "rms", "position_encoding": "relative", "bias": False, "window": None, "n_experts": None}
REQUIRED_CONFIG |= {name: value for name, value in DECODER.items() if name != "encoder_layers"}
MLP = {"relu": "relu", "geglu": "gated-gelu", "swiglu": "gated-silu"}
SIZES = {"vocab_size": "vocab_size", "d_model": "d_model", "n_heads": "num_heads", "encoder_layers": "num_layers"}
SIZES |= {"head_width": "d_kv", "mlp_hidden": "d_ff"}
FIXED = {"relative_attention_num_buckets": BUCKETS, "relative_attention_max_distance": MAX_DISTANCE}
FIXED |= {"decoder_start_token_id": START, "pad_token_id": START}
BLOCK = {
    "attention_norm": ("0.layer_norm",),
    "attention.qkv": ("0.SelfAttention.q", "0.SelfAttention.k", "0.SelfAttention.v"),
    "attention.out": ("0.SelfAttention.o",),
    "cross_norm": ("1.layer_norm",),
    "cross_attention.query": ("1.EncDecAttention.q",),
    "cross_attention.key_value": ("1.EncDecAttention.k", "1.EncDecAttention.v"),
    "cross_attention.out": ("1.EncDecAttention.o",),
    "mlp_norm": ("{}.layer_norm",),  # 1 in an encoder, 2 in a decoder
    "mlp.up": ("{}.DenseReluDense.wi_0", "{}.DenseReluDense.wi_1"),  # without a gate, wi
    "mlp.down": ("{}.DenseReluDense.wo",),
}


def to_config(shape: ModelConfig) -> dict:
    """Return their ``config.json``."""
    config = {"architectures": ["T5ForConditionalGeneration"], "model_type": "t5", "eos_token_id": None, **FIXED}
    config |= {theirs: getattr(shape, ours) for ours, theirs in SIZES.items()}
    config |= {"d_kv": shape.head_dim, "d_ff": shape.mlp_width, "num_decoder_layers": shape.n_layers}
    config |= {"feed_forward_proj": MLP[shape.mlp], "tie_word_embeddings": shape.tie_embeddings}
    return config | {"dropout_rate": shape.dropout, "layer_norm_epsilon": shape.norm_eps, "n_positions": shape.context}


def from_config(config: dict, where: str) -> dict:
    """Return the settings of `ModelConfig`. Raise InputError if it has no such model; ``where`` is for messages."""
    activations = {theirs: ours for ours, theirs in MLP.items()}
    activation = config.get("feed_forward_proj", "relu")
    if not isinstance(activation, str) or activation not in activations:
        raise InputError(f"{where}: feed_forward_proj {shown(activation)}; expected one of {', '.join(activations)}")
    sizes = {ours: size(config, theirs, where) for ours, theirs in SIZES.items()}
    for name, expected in FIXED.items():
        if config.get(name, expected) != expected:
            raise InputError(f"{where}: unsupported {name}: found {shown(config[name])}, expected {expected}")
    return {
        **REQUIRED_CONFIG,
        **sizes,
        "context": config.get("n_positions", 512),
        "n_layers": config.get("num_decoder_layers") or sizes["encoder_layers"],
        "mlp": activations[activation],
        "norm_eps": config.get("layer_norm_epsilon", 1e-6),
        # transformers 5 writes True as tie_word_embeddings in any case.
        "tie_embeddings": config.get("scale_decoder_outputs", config.get("tie_word_embeddings", True)),
    }


def _names(shape: ModelConfig) -> Iterator[tuple[str, list[str]]]:
    """Our name and theirs of each weight."""
    yield "decoder.embedding.weight", ["shared.weight"]
    if not shape.tie_embeddings:
        yield "decoder.head.weight", ["lm_head.weight"]
    block = BLOCK | ({"mlp.up": ("{}.DenseReluDense.wi",)} if shape.mlp == "relu" else {})
    for side, last, layers in (("encoder", 1, shape.encoder_layers or 0), ("decoder", 2, shape.n_layers)):
        yield f"{side}.relative.weight", [f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"]
        yield f"{side}.norm.weight", [f"{side}.final_layer_norm.weight"]
        for layer in range(layers):
            for ours, theirs in block.items():
                names = [f"{side}.block.{layer}.layer.{name.format(last)}.weight" for name in theirs]
                if side == "decoder" or "cross" not in ours:
                    yield f"{side}.blocks.{layer}.{ours}.weight", names


def _factor(shape: ModelConfig, name: str) -> float:
    """Return our weight as a multiple of theirs."""
    if name.endswith("Attention.q.weight"):
        return shape.head_dim**0.5
    return shape.d_model**-0.5 if name == "decoder.final_layer_norm.weight" and shape.tie_embeddings else 1.0


def export_weights(shape: ModelConfig, ours: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield their name and tensor of each weight."""
    for own, names in _names(shape):
        tensor = ours[own][: shape.vocab_size] if own.endswith(("embedding.weight", "head.weight")) else ours[own]
        for name, part in zip(names, tensor.chunk(len(names)), strict=True):
            yield name, part / _factor(shape, name)


def import_weights(shape: ModelConfig, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield our name and tensor of each weight."""
    theirs = {"lm_head.weight": take(theirs, "shared.weight"), **theirs}  # tied, but without the factor
    for own, names in _names(shape):
        yield own, stack({name: take(theirs, name) * _factor(shape, name) for name in names}, names)
