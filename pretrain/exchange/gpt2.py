"""GPT-2 in the layout of ``transformers``: matrices are [in, out], with queries, keys and values in one."""

from collections.abc import Iterator

from torch import Tensor

from gristmill.pipelines.errors import InputError, shown
from gristmill.pretrain.exchange.tensors import DECODER, size, take
from gristmill.pretrain.model.config import ModelConfig

REQUIRED_CONFIG = {**DECODER, "norm": "layer", "position_encoding": "learned", "bias": True}
REQUIRED_CONFIG |= {"window": None, "n_experts": None, "head_width": None}
MLP = {"gelu": "gelu_new", "gelu-erf": "gelu"}
ACTIVATIONS = {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu": "gelu-erf"}  # two names of one function
BLOCK = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}


def to_config(shape: ModelConfig) -> dict:
    """Return their ``config.json``."""
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": MLP[shape.mlp],
        "vocab_size": shape.vocab_size,
        "n_positions": shape.context,
        "n_embd": shape.d_model,
        "n_layer": shape.n_layers,
        "n_head": shape.n_heads,
        "n_inner": shape.mlp_width,
        "layer_norm_epsilon": shape.norm_eps,
        "tie_word_embeddings": shape.tie_embeddings,
        "resid_pdrop": shape.dropout,
        "embd_pdrop": shape.dropout,
        "attn_pdrop": shape.dropout,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def from_config(config: dict, where: str) -> dict:
    """Return the settings of `ModelConfig`. Raise InputError if it has no such model; ``where`` is for messages."""
    activation = config.get("activation_function", "gelu_new")
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise InputError(f"{where}: activation_function {shown(activation)}; expected one of {', '.join(ACTIVATIONS)}")
    if config.get("scale_attn_by_inverse_layer_idx") or not config.get("scale_attn_weights", True):
        raise InputError(f"{where}: unsupported scaling of attention; expected scale_attn_weights alone, as in GPT-2")
    return {
        **REQUIRED_CONFIG,
        "vocab_size": size(config, "vocab_size", where),
        "context": config.get("n_positions", 1024),
        "n_layers": config.get("n_layer", 12),
        "d_model": config.get("n_embd", 768),
        "n_heads": config.get("n_head", 12),
        "mlp_hidden": config.get("n_inner"),
        "mlp": ACTIVATIONS[activation],
        "tie_embeddings": config.get("tie_word_embeddings", True),
        "norm_eps": config.get("layer_norm_epsilon", 1e-5),
    }


def _names(shape: ModelConfig) -> Iterator[tuple[str, str]]:
    """Our name and theirs of each weight, without embeddings and output matrix."""
    yield "learned.weight", "wpe.weight"
    for layer in range(shape.n_layers):
        for ours, theirs in BLOCK.items():
            for part in ("weight", "bias"):
                yield f"blocks.{layer}.{ours}.{part}", f"h.{layer}.{theirs}.{part}"
    for part in ("weight", "bias"):
        yield f"norm.{part}", f"ln_f.{part}"


def _is_matrix(name: str) -> bool:
    return name.endswith(".weight") and (".attn." in name or ".mlp." in name)


def export_weights(shape: ModelConfig, ours: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield their name and tensor of each weight."""
    yield "transformer.wte.weight", ours["embedding.weight"][: shape.vocab_size]
    if not shape.tie_embeddings:
        yield "lm_head.weight", ours["head.weight"][: shape.vocab_size]
    for own, name in _names(shape):
        yield f"transformer.{name}", ours[own].T if _is_matrix(name) else ours[own]


def import_weights(shape: ModelConfig, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield our name and tensor of each weight; files on the hub lack the prefix ``transformer.`` of newer ones."""
    theirs = {name.removeprefix("transformer."): tensor for name, tensor in theirs.items()}
    yield "embedding.weight", take(theirs, "wte.weight")
    if not shape.tie_embeddings:
        yield "head.weight", take(theirs, "lm_head.weight")
    for own, name in _names(shape):
        yield own, take(theirs, name, 2).T if _is_matrix(name) else take(theirs, name)
