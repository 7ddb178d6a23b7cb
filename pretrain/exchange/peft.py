"""Adapters alone in the layout of ``peft``: ``adapter_config.json`` and ``adapter_model.safetensors``.

PEFT has no layout for bottleneck adapters, so their tensors keep our names. A prefix is saved without its MLP.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from upath import UPath

from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.adapters.attach import TARGETS, AdapterSettings
from gristmill.pretrain.adapters.virtual_tokens import PrefixTuning
from gristmill.pretrain.exchange.checkpoints import LAYOUTS, find_layout
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.checkpoint import weights, write_json, write_tensors

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TYPES = {"lora": "LORA", "prefix": "PREFIX_TUNING", "p-tuning-v2": "PREFIX_TUNING", "prompt": "PROMPT_TUNING"}
LAYER = {"gpt2": "transformer.h", "llama": "model.layers"}


def export_adapter(model: GPT, folder: UPath) -> str:
    """Write the adapter of a model; return its method. Raise RecipeError if it has none, or no layout matches."""
    settings = model.changes.get("adapter")
    if not isinstance(settings, AdapterSettings):
        raise RecipeError("the model has no adapter; `gristmill pretrain --init MODEL --method lora` trains one")
    config: dict[str, Any] = {"peft_type": TYPES.get(settings.method), "task_type": "CAUSAL_LM", "inference_mode": True}
    if settings.method == "lora":
        layout = find_layout(model.shape)
        if layout not in LAYER or model.shape.n_experts:
            raise RecipeError(f"PEFT's layout of LoRA is written for GPT-2 and Llama without experts, found {layout}")
        tensors = dict(_lora(model, settings, layout))
        names = sorted({name.split(".")[-3] for name in tensors})
        config |= {"r": settings.rank, "lora_alpha": settings.alpha, "lora_dropout": settings.dropout, "bias": "none"}
        config |= {"target_modules": names, "fan_in_fan_out": layout == "gpt2"}
    elif settings.method == "bottleneck":
        tensors = {name: tensor for name, tensor in weights(model).items() if "adapter_" in name}
        config = settings.model_dump(mode="json")
    else:
        shape, prefix = model.shape, model.prefix
        assert prefix is not None
        table = prefix.table() if isinstance(prefix, PrefixTuning) else prefix.get_parameter("embedding.weight")
        tensors = {"prompt_embeddings": table}
        prompt = settings.method == "prompt"
        heads, width = (shape.n_heads, shape.d_model) if prompt else (shape.key_heads, shape.qkv_rows[1])
        config |= {"num_virtual_tokens": settings.tokens, "num_layers": shape.n_layers, "num_attention_heads": heads}
        config |= {"token_dim": width, "num_transformer_submodules": 1}
    write_tensors(folder / WEIGHTS, tensors)
    write_json(folder / CONFIG, config)
    return settings.method


def _lora(model: GPT, settings: AdapterSettings, layout: str) -> Iterator[tuple[str, Tensor]]:
    """Yield PEFT's name and tensor of each matrix. Layers that are one here and several there share A."""
    own, block = weights(model), LAYOUTS[layout].BLOCK
    for layer in range(model.shape.n_layers):
        for target in settings.targets or TARGETS["lora"]:
            a, b = (own[f"blocks.{layer}.{target}.lora_{part}"] for part in "AB")
            theirs = (block[target],) if isinstance(block[target], str) else block[target]
            rows = model.shape.qkv_rows if len(theirs) == 3 else len(b) // len(theirs)
            for name, part in zip(theirs, torch.split(b, rows), strict=True):
                full = f"base_model.model.{LAYER[layout]}.{layer}.{name}"
                yield f"{full}.lora_A.weight", a.clone()  # safetensors refuses tensors that share memory
                yield f"{full}.lora_B.weight", part.clone()
