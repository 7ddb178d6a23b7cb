"""Import and export of models: folders of ``transformers`` (see LAYOUTS), and OpenAI's GPT-2 checkpoints."""

from typing import Annotated

import torch
from pydantic import ConfigDict, Field
from torch import Tensor
from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError, WorkError, naming, shown
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pretrain.adapters.attach import AdapterSettings
from gristmill.pretrain.adapters.lora import merge_lora
from gristmill.pretrain.exchange import bert, gpt2, llama, openai_tf, t5
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.encoder_decoder import EncoderDecoder, make_transformer
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.checkpoint import (
    SHAPE,
    check_size,
    read_json,
    read_tensors,
    set_weights,
    weights,
    write_json,
    write_tensors,
)

WEIGHTS, CONFIG, INDEX = "model.safetensors", "config.json", "model.safetensors.index.json"
LAYOUTS = {"gpt2": gpt2, "llama": llama, "bert": bert, "t5": t5}
MODEL_TYPES = LAYOUTS | {"mistral": llama, "mixtral": llama}


class WeightIndex(Settings):
    """Index of weights that lie in several files."""

    model_config = ConfigDict(extra="ignore")

    weight_map: dict[str, Annotated[str, Field(pattern=r"^[^/\\]+$")]]


def find_layout(shape: ModelConfig) -> str:
    """Return the name of the layout. Raise RecipeError, naming a setting, if the configuration matches none."""
    mismatches = {name: _mismatches(shape, layout.REQUIRED_CONFIG) for name, layout in LAYOUTS.items()}
    for name, activations in (("gpt2", gpt2.MLP), ("bert", bert.MLP), ("t5", t5.MLP)):
        if shape.mlp not in activations:
            mismatches[name].append(f"mlp = {shape.mlp!r}")
        if shape.key_heads != shape.n_heads:
            mismatches[name].append(f"n_kv_heads = {shape.key_heads}")
    if not shape.encoder_layers:
        mismatches["t5"].append("encoder_layers = None")
    if shape.n_experts and shape.experts_per_token == 1:
        mismatches["llama"].append("experts_per_token = 1")  # Mixtral's weight would be 1
    nearest = min(mismatches, key=lambda name: len(mismatches[name]))
    if mismatches[nearest]:
        raise RecipeError(f"no layout of transformers matches this model: {mismatches[nearest][0]} is not {nearest}'s")
    return nearest


def _mismatches(shape: ModelConfig, required: dict) -> list[str]:
    return [f"{name} = {getattr(shape, name)!r}" for name, value in required.items() if getattr(shape, name) != value]


def export_model(model: GPT | EncoderDecoder, folder: UPath) -> str:
    """Write a folder for ``from_pretrained`` of transformers; return its model_type. LoRA is merged.

    Raises RecipeError if no layout matches the model, if it has another adapter, or if it is quantized.
    """
    name = find_layout(model.shape)
    adapter = model.changes.get("adapter")
    if isinstance(adapter, AdapterSettings) and adapter.method != "lora":
        raise RecipeError(f"transformers has no layout for a model with {adapter.method}; export the adapter alone")
    if "quantize" in model.changes:
        raise RecipeError("a quantized model has a layout of its own; export the run that it was made from")
    merge_lora(model)
    write_tensors(folder / WEIGHTS, dict(LAYOUTS[name].export_weights(model.shape, weights(model))))
    config = LAYOUTS[name].to_config(model.shape)
    write_json(folder / CONFIG, config)
    return config["model_type"]


def import_model(folder: UPath) -> GPT | EncoderDecoder:
    """Read a model saved by ``transformers``, in one safetensors file or several, or OpenAI's GPT-2.

    Raises InputError or WorkError if files are missing, damaged or of a model that `ModelConfig` cannot represent.
    """
    if (folder / openai_tf.HPARAMS).exists():
        shape = read_settings(ModelConfig, openai_tf.from_config(folder), f"{folder / openai_tf.HPARAMS}")
        with naming(folder):
            return build(shape, dict(openai_tf.import_weights(shape, openai_tf.read_variables(folder))), openai_tf.DATA)
    where = folder / CONFIG
    if not where.exists():
        raise InputError(f"{folder} holds no model: expected {SHAPE} of a run, or {CONFIG} of transformers")
    config = read_json(where)
    kind = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(kind, str) or kind not in MODEL_TYPES:
        raise InputError(f"{where} has model_type {shown(kind)}; expected one of {', '.join(MODEL_TYPES)}")
    shape = read_settings(ModelConfig, MODEL_TYPES[kind].from_config(config, f"{where}"), f"{where}")
    tensors = _tensors(folder)
    with naming(folder):
        return build(shape, dict(MODEL_TYPES[kind].import_weights(shape, tensors)), WEIGHTS)


def build(shape: ModelConfig, tensors: dict[str, Tensor], where: str) -> GPT | EncoderDecoder:
    """Build a model of these weights; embeddings are padded to our number of rows."""
    tables = [name for name in tensors if name.removeprefix("decoder.") in ("embedding.weight", "head.weight")]
    for name in tables:
        found, expected = list(tensors[name].shape), [shape.vocab_size, shape.d_model]
        if found != expected:
            raise WorkError(f"{where}: {name} is {found}, expected {expected}")
    check_size(shape, tensors, where)
    for name in tables:
        tensors[name] = torch.nn.functional.pad(tensors[name], (0, 0, 0, shape.rows - shape.vocab_size))
    model = make_transformer(shape)
    set_weights(model, tensors, where)
    return model.eval()


def _tensors(folder: UPath) -> dict[str, Tensor]:
    if not (folder / INDEX).exists():
        return read_tensors(folder / WEIGHTS)
    names = sorted(set(read_settings(WeightIndex, read_json(folder / INDEX), f"{folder / INDEX}").weight_map.values()))
    return {name: tensor for file in names for name, tensor in read_tensors(folder / file).items()}
