"""Llama in the layout of ``transformers``: separate matrices for queries, keys, values, gate and up-projection."""

from collections.abc import Iterator

from torch import Tensor

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.settings import shown
from gristmill.pretrain.exchange.tensors import size, stack, take
from gristmill.pretrain.model.config import ModelConfig

REQUIRED_CONFIG: dict[str, str | bool] = {"norm": "rms", "position_encoding": "rope", "mlp": "swiglu"}
REQUIRED_CONFIG |= {"bias": False, "qk_norm": False, "causal": True}
BLOCK = {
    "attention_norm": ("input_layernorm",),
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "mlp.up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down": ("mlp.down_proj",),
}


def to_config(shape: ModelConfig) -> dict:
    """Return their ``config.json``."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": shape.context,
        "hidden_size": shape.d_model,
        "num_hidden_layers": shape.n_layers,
        "num_attention_heads": shape.n_heads,
        "num_key_value_heads": shape.key_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.mlp_width,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": shape.tie_embeddings,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def from_config(config: dict, where: str) -> dict:
    """Return the settings of `ModelConfig`. Raise InputError if it has no such model; ``where`` is for messages."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise InputError(f"{where}: rope_parameters is {shown(rope)}, expected a table")
    width, heads = size(config, "hidden_size", where), size(config, "num_attention_heads", where)
    head_dim, theta = width // heads, rope.get("rope_theta", config.get("rope_theta", 10_000.0))
    for name, found, expected in (
        ("hidden_act", config.get("hidden_act", "silu"), "silu"),
        ("attention_bias", bool(config.get("attention_bias")), False),
        ("mlp_bias", bool(config.get("mlp_bias")), False),
        ("rope_type", rope.get("rope_type", rope.get("type", "default")), "default"),
        ("head_dim", config.get("head_dim") or head_dim, head_dim),
    ):
        if found != expected:
            raise InputError(f"{where}: unsupported {name}: found {shown(found)}, expected {expected!r}")
    return {
        **REQUIRED_CONFIG,
        "vocab_size": size(config, "vocab_size", where),
        "context": config.get("max_position_embeddings", 2048),
        "n_layers": size(config, "num_hidden_layers", where),
        "d_model": width,
        "n_heads": heads,
        "n_kv_heads": config.get("num_key_value_heads"),
        "mlp_hidden": size(config, "intermediate_size", where),
        "tie_embeddings": config.get("tie_word_embeddings", False),
        "norm_eps": config.get("rms_norm_eps", 1e-6),
        "rope_theta": theta,
    }


def _names(shape: ModelConfig) -> Iterator[tuple[str, list[str]]]:
    for layer in range(shape.n_layers):
        for ours, parts in BLOCK.items():
            yield f"blocks.{layer}.{ours}.weight", [f"model.layers.{layer}.{part}.weight" for part in parts]
    yield "norm.weight", ["model.norm.weight"]


def export_weights(shape: ModelConfig, ours: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield their name and tensor of each weight."""
    yield "model.embed_tokens.weight", ours["embedding.weight"][: shape.vocab_size]
    if not shape.tie_embeddings:
        yield "lm_head.weight", ours["head.weight"][: shape.vocab_size]
    for own, names in _names(shape):
        sizes = shape.qkv_rows if "qkv" in own else len(ours[own]) // len(names)
        yield from zip(names, ours[own].split(sizes), strict=True)


def import_weights(shape: ModelConfig, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield our name and tensor of each weight."""
    yield "embedding.weight", take(theirs, "model.embed_tokens.weight")
    if not shape.tie_embeddings:
        yield "head.weight", take(theirs, "lm_head.weight")
    for own, names in _names(shape):
        yield own, stack(theirs, names)
