"""Weights to and from the layouts that others read: GPT-2's (Hugging Face and OpenAI's own) and Llama's.

A layout is a table of names. Ours keep queries, keys and values in one matrix [out, in], as PyTorch's linear layers
do; GPT-2's convolutions are [in, out], Llama keeps each matrix apart. Both pair RoPE's dimensions as we do.
"""

from collections.abc import Iterator

import orjson
import torch
from torch import Tensor
from upath import UPath

from pipelines.errors import InputError, RecipeError
from pipelines.settings import read_settings
from pretrain.checkpoint import read_tensors, set_weights, weights, write_json, write_tensors
from pretrain.model import GPT
from pretrain.shape import Shape

WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
GPT2_BLOCK = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
LLAMA_BLOCK = {
    "attention_norm": ("input_layernorm",),
    "attention.qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "attention.out": ("self_attn.o_proj",),
    "mlp_norm": ("post_attention_layernorm",),
    "mlp.up": ("mlp.gate_proj", "mlp.up_proj"),
    "mlp.down": ("mlp.down_proj",),
}
GPT2_MUST = {"norm": "layer", "positions": "learned", "bias": True, "qk_norm": False, "causal": True}
LLAMA_MUST = {"norm": "rms", "positions": "rope", "mlp": "swiglu", "bias": False, "qk_norm": False, "causal": True}
GPT2_MLP = {"gelu": "gelu_new", "gelu-erf": "gelu"}  # theirs: "gelu_new" and "gelu_pytorch_tanh" are one function


def layout_of(shape: Shape) -> str:
    """``gpt2`` or ``llama``. Raises RecipeError where the shape is neither's, and says why."""
    if not (wrong := _unlike(shape, GPT2_MUST)) and shape.mlp in GPT2_MLP and shape.key_heads == shape.heads:
        return "gpt2"
    if not _unlike(shape, LLAMA_MUST):
        return "llama"
    nearer, wrong = ("gpt2", wrong) if shape.norm == "layer" else ("llama", _unlike(shape, LLAMA_MUST))
    reason = wrong[0] if wrong else f"mlp = {shape.mlp!r} or {shape.key_heads} key heads"
    raise RecipeError(f"this model has no layout that others read: {reason} is not {nearer}'s")


def _unlike(shape: Shape, must: dict) -> list[str]:
    return [f"{name} = {getattr(shape, name)!r}" for name, value in must.items() if getattr(shape, name) != value]


def export_model(model: GPT, folder: UPath) -> str:
    """Write ``config.json`` and ``model.safetensors`` for ``transformers``; returns the layout's name."""
    layout = layout_of(model.shape)
    theirs = dict(LAYOUTS[layout][1](model.shape, weights(model)))
    write_tensors(folder / WEIGHTS, theirs)
    write_json(folder / CONFIG, LAYOUTS[layout][0](model.shape))
    return layout


def import_model(folder: UPath) -> GPT:
    """Read a model that ``transformers`` has saved: GPT-2 or Llama, in one safetensors file or several."""
    try:
        config = orjson.loads((folder / CONFIG).read_bytes())
    except FileNotFoundError:
        raise InputError(f"{folder} holds no {CONFIG}: expected a folder that transformers' save_pretrained wrote") from None
    kind = config.get("model_type")
    if kind not in LAYOUTS:
        raise InputError(f"{folder / CONFIG} is of a {kind!r} model; expected one of {', '.join(LAYOUTS)}")
    shape = read_settings(Shape, LAYOUTS[kind][2](config, f"{folder / CONFIG}"), f"{folder / CONFIG}")
    return build(shape, dict(LAYOUTS[kind][3](shape, _tensors(folder))), f"{folder}")


def build(shape: Shape, tensors: dict[str, Tensor], where: str) -> GPT:
    """A model with these weights; embeddings are filled up to the rows that ours has."""
    for name in ("embedding.weight", "head.weight"):
        if name in tensors:
            missing = shape.rows - len(tensors[name])
            tensors[name] = torch.nn.functional.pad(tensors[name].float(), (0, 0, 0, missing))
    model = GPT(shape)
    set_weights(model, tensors, where)
    return model.eval()


def _tensors(folder: UPath) -> dict[str, Tensor]:
    if not (folder / INDEX).exists():
        return read_tensors(folder / WEIGHTS)
    names = sorted(set(orjson.loads((folder / INDEX).read_bytes())["weight_map"].values()))
    return {name: tensor for file in names for name, tensor in read_tensors(folder / file).items()}


def _take(tensors: dict[str, Tensor], name: str) -> Tensor:
    if name not in tensors:
        raise InputError(f"the weights lack {name}; found {', '.join(sorted(tensors)[:3])} …")
    return tensors[name].float()


def gpt2_config(shape: Shape) -> dict:
    return {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": GPT2_MLP[shape.mlp],
        "vocab_size": shape.vocab_size,
        "n_positions": shape.context,
        "n_embd": shape.width,
        "n_layer": shape.layers,
        "n_head": shape.heads,
        "n_inner": shape.mlp_width,
        "layer_norm_epsilon": shape.norm_eps,
        "tie_word_embeddings": shape.tied,
        **{f"{part}_pdrop": shape.dropout for part in ("resid", "embd", "attn")},
        "bos_token_id": None,
        "eos_token_id": None,
    }


def gpt2_shape(config: dict, where: str) -> dict:
    kinds = {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu": "gelu-erf"}
    activation = config.get("activation_function", "gelu_new")
    if activation not in kinds:
        raise InputError(f"{where}: activation_function {activation!r}; expected one of {', '.join(kinds)}")
    if config.get("scale_attn_by_inverse_layer_idx") or not config.get("scale_attn_weights", True):
        raise InputError(f"{where}: attention is scaled otherwise than GPT-2's; we have no such model")
    return {
        **GPT2_MUST,
        **{"vocab_size": config["vocab_size"], "context": config.get("n_positions", 1024)},
        **{"layers": config.get("n_layer", 12), "width": config.get("n_embd", 768), "heads": config.get("n_head", 12)},
        **{"hidden": config.get("n_inner"), "mlp": kinds[activation], "tied": config.get("tie_word_embeddings", True)},
        "norm_eps": config.get("layer_norm_epsilon", 1e-5),
    }


def gpt2_names(shape: Shape) -> Iterator[tuple[str, str]]:
    """Ours, theirs; without the weights of the vocabulary."""
    yield "learned.weight", "wpe.weight"
    for layer in range(shape.layers):
        for ours, theirs in GPT2_BLOCK.items():
            for part in ("weight", "bias"):
                yield f"blocks.{layer}.{ours}.{part}", f"h.{layer}.{theirs}.{part}"
    for part in ("weight", "bias"):
        yield f"norm.{part}", f"ln_f.{part}"


def _is_matrix(name: str) -> bool:
    return name.endswith(".weight") and (".attn." in name or ".mlp." in name)


def to_gpt2(shape: Shape, ours: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield "transformer.wte.weight", ours["embedding.weight"][: shape.vocab_size]
    if not shape.tied:
        yield "lm_head.weight", ours["head.weight"][: shape.vocab_size]
    for own, name in gpt2_names(shape):
        yield f"transformer.{name}", ours[own].T if _is_matrix(name) else ours[own]


def from_gpt2(shape: Shape, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """With or without the prefix ``transformer.``: the files on the hub have none. Their causal masks are left."""
    theirs = {name.removeprefix("transformer."): tensor for name, tensor in theirs.items()}
    yield "embedding.weight", _take(theirs, "wte.weight")
    if not shape.tied:
        yield "head.weight", _take(theirs, "lm_head.weight")
    for own, name in gpt2_names(shape):
        yield own, _take(theirs, name).T if _is_matrix(name) else _take(theirs, name)


def llama_config(shape: Shape) -> dict:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "vocab_size": shape.vocab_size,
        "max_position_embeddings": shape.context,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_heads,
        "head_dim": shape.head,
        "intermediate_size": shape.mlp_width,
        "rms_norm_eps": shape.norm_eps,
        "rope_theta": shape.rope_theta,
        "rope_parameters": {"rope_type": "default", "rope_theta": shape.rope_theta},
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": shape.tied,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def llama_shape(config: dict, where: str) -> dict:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    refused = {
        "hidden_act": config.get("hidden_act", "silu") != "silu",
        "attention_bias": config.get("attention_bias", False),
        "mlp_bias": config.get("mlp_bias", False),
        "rope scaling": rope.get("rope_type", rope.get("type", "default")) != "default",
        "head_dim": config.get("head_dim") not in (None, config["hidden_size"] // config["num_attention_heads"]),
    }
    if wrong := [name for name, is_so in refused.items() if is_so]:
        raise InputError(f"{where}: {wrong[0]} is of a kind that our model has not")
    return {
        **LLAMA_MUST,
        **{"vocab_size": config["vocab_size"], "context": config.get("max_position_embeddings", 2048)},
        **{"layers": config["num_hidden_layers"], "width": config["hidden_size"]},
        **{"heads": config["num_attention_heads"], "kv_heads": config.get("num_key_value_heads")},
        **{"hidden": config["intermediate_size"], "tied": config.get("tie_word_embeddings", False)},
        **{"norm_eps": config.get("rms_norm_eps", 1e-6)},
        "rope_theta": float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))),
    }


def _llama_names(shape: Shape) -> Iterator[tuple[str, list[str]]]:
    for layer in range(shape.layers):
        for ours, parts in LLAMA_BLOCK.items():
            yield f"blocks.{layer}.{ours}.weight", [f"model.layers.{layer}.{part}.weight" for part in parts]
    yield "norm.weight", ["model.norm.weight"]


def _sizes(shape: Shape, own: str) -> list[int]:
    """Rows of each of the matrices that ours holds one above the other."""
    if own.endswith("qkv.weight"):
        return [shape.width, shape.key_heads * shape.head, shape.key_heads * shape.head]
    return [shape.mlp_width] * 2


def to_llama(shape: Shape, ours: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield "model.embed_tokens.weight", ours["embedding.weight"][: shape.vocab_size]
    if not shape.tied:
        yield "lm_head.weight", ours["head.weight"][: shape.vocab_size]
    for own, names in _llama_names(shape):
        parts = ours[own].split(_sizes(shape, own)) if len(names) > 1 else [ours[own]]
        yield from zip(names, parts, strict=True)


def from_llama(shape: Shape, theirs: dict[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    yield "embedding.weight", _take(theirs, "model.embed_tokens.weight")
    if not shape.tied:
        yield "head.weight", _take(theirs, "lm_head.weight")
    for own, names in _llama_names(shape):
        yield own, torch.cat([_take(theirs, name) for name in names])


# name that their config gives itself -> its config of our shape, our weights to theirs, and both ways back
LAYOUTS = {
    "gpt2": (gpt2_config, to_gpt2, gpt2_shape, from_gpt2),
    "llama": (llama_config, to_llama, llama_shape, from_llama),
}
