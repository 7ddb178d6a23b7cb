"""Llama, Mistral (with a window) and Mixtral (with experts) in the layout of ``transformers``.

Queries, keys, values, gate and up-projection have matrices of their own there.
"""

from collections.abc import Iterator

from torch import Tensor

from gristmill.pipelines.errors import InputError, shown
from gristmill.pretrain.exchange.tensors import DECODER, size, stack, take
from gristmill.pretrain.model.config import ModelConfig

REQUIRED_CONFIG = {**DECODER, "norm": "rms", "position_encoding": "rope", "mlp": "swiglu", "bias": False}
BLOCK = {
    "attention_norm": ("input_layernorm",),
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "mlp.up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down": ("mlp.down_proj",),
}
EXPERT = {"up": ("w1", "w3"), "down": ("w2",)}


def family(shape: ModelConfig) -> str:
    """Return the model_type."""
    return "mixtral" if shape.n_experts else "mistral" if shape.window else "llama"


def to_config(shape: ModelConfig) -> dict:
    """Return their ``config.json``."""
    return {
        "architectures": [f"{family(shape).title()}ForCausalLM"],
        "model_type": family(shape),
        **_more_config(shape),
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


def _more_config(shape: ModelConfig) -> dict:
    """Settings of windows and experts. Theirs adds up choices where ours has shares, and takes the mean of layers."""
    more: dict = {} if family(shape) == "llama" else {"sliding_window": shape.window}
    if shape.n_experts:
        weight = shape.balance_weight * shape.n_layers / shape.experts_per_token
        more |= {"num_local_experts": shape.n_experts, "num_experts_per_tok": shape.experts_per_token}
        more |= {"router_aux_loss_coef": weight}
    return more


def from_config(config: dict, where: str) -> dict:
    """Return the settings of `ModelConfig`. Raise InputError if it has no such model; ``where`` is for messages."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise InputError(f"{where}: rope_parameters is {shown(rope)}, expected a table")
    for name, found, expected in (
        ("hidden_act", config.get("hidden_act", "silu"), "silu"),
        ("attention_bias", bool(config.get("attention_bias")), False),
        ("mlp_bias", bool(config.get("mlp_bias")), False),
        ("rope_type", rope.get("rope_type", rope.get("type", "default")), "default"),
    ):
        if found != expected:
            raise InputError(f"{where}: unsupported {name}: found {shown(found)}, expected {expected!r}")
    more: dict = {}
    if config["model_type"] == "mixtral":
        more = {"n_experts": size(config, "num_local_experts", where)}
        more |= {"experts_per_token": size(config, "num_experts_per_tok", where)}
    if config["model_type"] != "llama":
        more["window"] = config.get("sliding_window")
    return {
        **REQUIRED_CONFIG,
        **more,
        "vocab_size": size(config, "vocab_size", where),
        "context": config.get("max_position_embeddings", 2048),
        "n_layers": size(config, "num_hidden_layers", where),
        "d_model": size(config, "hidden_size", where),
        "n_heads": size(config, "num_attention_heads", where),
        "n_kv_heads": config.get("num_key_value_heads"),
        "head_width": config.get("head_dim"),
        "mlp_hidden": size(config, "intermediate_size", where),
        "tie_embeddings": config.get("tie_word_embeddings", False),
        "norm_eps": config.get("rms_norm_eps", 1e-6),
        "rope_theta": rope.get("rope_theta", config.get("rope_theta", 10_000.0)),
    }


def _block(shape: ModelConfig) -> dict[str, tuple[str, ...]]:
    if not shape.n_experts:
        return BLOCK
    block = {ours: parts for ours, parts in BLOCK.items() if not ours.startswith("mlp.")}
    block["mlp.router"] = ("block_sparse_moe.gate",)
    for expert in range(shape.n_experts):
        for ours, parts in EXPERT.items():
            block[f"mlp.experts.{expert}.{ours}"] = tuple(f"block_sparse_moe.experts.{expert}.{p}" for p in parts)
    return block


def _names(shape: ModelConfig) -> Iterator[tuple[str, list[str]]]:
    for layer in range(shape.n_layers):
        for ours, parts in _block(shape).items():
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
