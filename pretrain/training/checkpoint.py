"""Files of a run: checkpoints that resume it exactly, and the finished model.

    RUN/run.json                model, tokens and settings, written first
    RUN/log.jsonl               one line per step; losses to the last bit
    RUN/checkpoints/00000500/   model.safetensors, optimizer.safetensors; the state of the run is in manifest.json
    RUN/model.safetensors       the finished model; its configuration is model.json

Random state is not stored: row order, hidden tokens and dropout are functions of seed and step.
"""

import shutil
from typing import Any, Literal

import orjson
import torch
from pydantic import ConfigDict, Field
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn
from upath import UPath

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.settings import Settings, read_settings
from gristmill.pipelines.storage.files import atomic_write, is_local, remove_temporary_files
from gristmill.pipelines.storage.manifest import MANIFEST, Manifest, Part, fingerprint, require_finished
from gristmill.pipelines.storage.partitions import files_below
from gristmill.pretrain.adapters.attach import AdapterSettings, attach
from gristmill.pretrain.model.classifier import Classifier, HeadSettings
from gristmill.pretrain.model.config import ModelConfig, RNNConfig
from gristmill.pretrain.model.encoder_decoder import make_transformer
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.model.loss import LanguageModel
from gristmill.pretrain.model.rnn import RNN
from gristmill.pretrain.quantize.layers import quantize_model
from gristmill.pretrain.quantize.scheme import QuantizeSettings

MODEL, SHAPE, OPTIMIZER = "model.safetensors", "model.json", "optimizer.safetensors"


class ModelFile(Settings):
    """Contents of `SHAPE`: the network as it was built, and its changes."""

    kind: Literal["gpt", "rnn"]
    shape: dict[str, Any]
    adapter: AdapterSettings | None = None
    head: HeadSettings | None = None
    quantize: QuantizeSettings | None = None


class State(Settings):
    """Settings of a checkpoint's manifest, as far as a resumed run reads them."""

    model_config = ConfigDict(extra="ignore")

    step: int = Field(ge=0)


def write_json(path: UPath, value: dict) -> None:
    """Write a JSON file atomically."""
    with atomic_write(path) as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def read_json(path: UPath) -> Any:
    """Read a JSON file that exists. Raise WorkError if it is damaged."""
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise WorkError(f"{path} is damaged or cut short ({error}); write it again") from None


def write_tensors(path: UPath, tensors: dict[str, torch.Tensor]) -> None:
    """Write a safetensors file atomically."""
    with atomic_write(path) as file:
        file.write(save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}))


def read_tensors(path: UPath) -> dict[str, torch.Tensor]:
    """Read a safetensors file. Raise WorkError if it is missing or damaged."""
    try:
        return load(path.read_bytes())
    except FileNotFoundError:
        raise WorkError(f"{path} does not exist") from None
    except (
        SafetensorError,
        KeyError,
        ValueError,
        RuntimeError,
    ) as error:  # the last three are torch's
        reason = str(error).partition("\n")[0]
        raise WorkError(f"{path} is no safetensors file, or was cut short ({reason}); remove it") from None


def check_size(shape: ModelConfig | RNNConfig, tensors: dict[str, torch.Tensor], where: str, packed: int = 1) -> None:
    """Raise WorkError, before a model is allocated, if the tensors are too small for its configuration.

    A byte of a quantized model holds ``packed`` weights.
    """
    found = sum(tensor.numel() * (packed if tensor.dtype == torch.uint8 else 1) for tensor in tensors.values())
    needed = shape.matrices(all_experts=True) if isinstance(shape, ModelConfig) else shape.matrices()
    if found < needed:
        raise WorkError(f"{where} holds {found:,} numbers, but its configuration needs at least {needed:,}")


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """Return all weights by name, each once: a tied output matrix is the embedding. Codes of quantized ones count."""
    saved = model.state_dict()
    return dict(model.named_parameters()) | {name: each for name, each in model.named_buffers() if name in saved}


def set_weights(model: nn.Module, tensors: dict[str, torch.Tensor], where: str) -> None:
    """Copy tensors into the model. Raise WorkError if one is missing, left over or of another shape."""
    own = weights(model)
    if missing := sorted(own.keys() - tensors.keys()):
        raise WorkError(f"{where} lacks {missing[0]} and {len(missing) - 1} more weights of this model")
    if extra := sorted(tensors.keys() - own.keys()):
        raise WorkError(f"{where} holds {extra[0]} and {len(extra) - 1} more weights that this model lacks")
    with torch.no_grad():
        for name, parameter in own.items():
            given = tensors[name]
            if parameter.shape != given.shape:
                raise WorkError(f"{where}: {name} is {list(given.shape)}, expected {list(parameter.shape)}")
            if parameter.is_floating_point() != given.is_floating_point():
                raise WorkError(f"{where}: {name} is {given.dtype}, expected {parameter.dtype}")
            parameter.copy_(given)


def save_model(folder: UPath, model: LanguageModel) -> None:
    """Write a finished model: weights and configuration."""
    write_tensors(folder / MODEL, weights(model))
    write_json(folder / SHAPE, describe(model))


def describe(model: LanguageModel) -> dict[str, Any]:
    """Return the contents of `SHAPE`."""
    kind = "rnn" if isinstance(model, RNN) else "gpt"
    changes = {name: settings.model_dump(mode="json") for name, settings in model.changes.items()}
    return {"kind": kind, "shape": model.shape.model_dump(), **changes}


def load_model(folder: UPath) -> LanguageModel:
    """Read the model that `save_model` wrote. Raise WorkError if there is none."""
    path = folder / SHAPE
    if not path.exists():
        raise WorkError(f"{folder} holds no {SHAPE}: it is not a finished run")
    file, tensors = read_settings(ModelFile, read_json(path), f"{path}"), read_tensors(folder / MODEL)
    model: LanguageModel
    if file.kind == "rnn":
        rnn = read_settings(RNNConfig, file.shape, f"{path}, shape")
        check_size(rnn, tensors, f"{folder / MODEL}")
        model = RNN(rnn)
    else:
        gpt = read_settings(ModelConfig, file.shape, f"{path}, shape")
        check_size(gpt, tensors, f"{folder / MODEL}", 8 // file.quantize.bits if file.quantize else 1)
        taken = file.adapter.virtual_tokens if file.adapter else 0
        model = make_transformer(gpt.model_copy(update={"context": gpt.context + taken}))
        if file.adapter and isinstance(model, GPT):
            attach(model, file.adapter)
        if file.head and isinstance(model, GPT):
            model = Classifier(model, file.head)
        if file.quantize:
            quantize_model(model, file.quantize)
    set_weights(model, tensors, f"{folder / MODEL}")
    return model.eval()


def save_checkpoint(folder: UPath, step: int, model: nn.Module, optimizers: dict, state: dict, keep: int) -> None:
    """Write the checkpoint after ``step`` steps, and remove all except the last ``keep``."""
    path = folder / f"{step:08}"
    remove_temporary_files(files_below(path))
    write_tensors(path / MODEL, weights(model))
    write_tensors(path / OPTIMIZER, _moments(model, optimizers))
    files = Part.from_files(path, fingerprint(state), [MODEL, OPTIMIZER], {})
    Manifest(fingerprint(state), state, {"checkpoint": files}).write(path)
    for old in checkpoints(folder)[:-keep]:
        (old / MANIFEST).unlink()  # first: without it the checkpoint counts as incomplete
        shutil.rmtree(str(old)) if is_local(old) else old.rmdir(recursive=True)


def checkpoints(folder: UPath) -> list[UPath]:
    """Return the complete checkpoints, oldest first."""
    return sorted(path.parent for path in folder.glob(f"*/{MANIFEST}")) if folder.is_dir() else []


def load_checkpoint(path: UPath, model: nn.Module, optimizers: dict) -> dict:
    """Copy a checkpoint's weights and moments into model and optimizers; return the state saved with it.

    Raises WorkError if a bit of the checkpoint has changed, or if it is another model's.
    """
    manifest = require_finished(path, f"remove {path} and run again")
    manifest.verify(path)
    set_weights(model, read_tensors(path / MODEL), f"{path / MODEL}")
    moments, expected = read_tensors(path / OPTIMIZER), weights(model)
    for name, tensor in moments.items():
        kind, parameter, moment = (*name.split("/", 2), "", "")[:3]
        weight = expected.get(parameter)
        if kind not in optimizers or weight is None or (tensor.ndim and tensor.shape != weight.shape):
            found = f"{name[:100]!r} of shape {list(tensor.shape)}"
            raise WorkError(f"{path / OPTIMIZER} holds {found}, which is no moment of this model; remove {path}")
        optimizers[kind].state[weight][moment] = tensor.to(weight.device)
    read_settings(State, manifest.settings, f"{path / MANIFEST}, settings")
    return manifest.settings


def _moments(model: nn.Module, optimizers: dict) -> dict[str, torch.Tensor]:
    names = {parameter: name for name, parameter in weights(model).items()}
    return {
        f"{kind}/{names[parameter]}/{moment}": value
        for kind, optimizer in optimizers.items()
        for parameter, moments in optimizer.state.items()
        for moment, value in moments.items()
    }
