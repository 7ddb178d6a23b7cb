"""Damaged models and checkpoints are refused in one line, and allocate nothing of the sizes that they claim."""

import orjson
import pytest
import torch
from safetensors.torch import load, save
from upath import UPath

from gristmill.flows.runs.verify import verify
from gristmill.pipelines.errors import GristmillError, WorkError
from gristmill.pipelines.storage.manifest import Manifest, Part
from gristmill.pretrain.exchange.checkpoints import export_model, import_model
from gristmill.pretrain.exchange.openai_tf import import_weights
from gristmill.pretrain.exchange.tensors import stack, take
from gristmill.pretrain.model.config import ModelConfig, preset
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.checkpoint import (
    MODEL,
    OPTIMIZER,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_model,
)

SHAPE = {"vocab_size": 50, "context": 8, "n_layers": 1, "d_model": 8, "n_heads": 2}
HUGE = (2**31 - 1, 2**40, 2**63 - 1)


def edit(path, change):
    table = orjson.loads(path.read_bytes())
    change(table)
    path.write_bytes(orjson.dumps(table))


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize("key", ["vocab_size", "d_model", "n_layers", "mlp_hidden", "context"])
def test_a_model_of_a_claimed_size_is_not_allocated(tmp_path, key, value):
    save_model(UPath(tmp_path), GPT(ModelConfig(**SHAPE)))
    edit(tmp_path / "model.json", lambda table: table["shape"].__setitem__(key, value))
    with pytest.raises(
        GristmillError, match=r"model\.(json|safetensors).*(expected|needs at least|less than or equal|multiple)"
    ):
        load_model(UPath(tmp_path))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "model.json is damaged or cut short"),
        (b"[]", "expected a table of settings"),
        (b'{"kind": "gpt"}', "shape: Field required"),
        (b'{"kind": "tree", "shape": {}}', "kind: Input should be 'gpt' or 'rnn'"),
        (b'{"kind": "gpt", "shape": {"vocab_size": "5"}}', "shape: vocab_size: Input should be a valid integer"),
    ],
)
def test_a_model_file_that_is_none_is_one_line(tmp_path, data, message):
    save_model(UPath(tmp_path), GPT(ModelConfig(**SHAPE)))
    (tmp_path / "model.json").write_bytes(data)
    with pytest.raises(GristmillError, match=rf"model\.json.*{message}|{message}"):
        load_model(UPath(tmp_path))


@pytest.mark.parametrize("kind", ["nano", "nano-gpt2"])
@pytest.mark.parametrize("value", [0, -1, *HUGE, "1", None, [], 2.5])
def test_a_configuration_of_a_claimed_size_is_not_allocated(tmp_path, kind, value):
    export_model(GPT(ModelConfig(**preset(kind, 50, context=8, n_layers=1, d_model=8, n_heads=2))), UPath(tmp_path))
    whole = (tmp_path / "config.json").read_bytes()
    for key in ("vocab_size", "hidden_size", "num_hidden_layers", "n_embd", "n_layer", "num_attention_heads", "n_head"):
        (tmp_path / "config.json").write_bytes(whole)
        if key in orjson.loads(whole):
            edit(tmp_path / "config.json", lambda table, key=key: table.__setitem__(key, value))
            with pytest.raises(
                GristmillError, match=r"(config\.json|model\.safetensors).*(expected|needs|found|multiple)|weights lack"
            ):
                import_model(UPath(tmp_path))


@pytest.fixture
def checkpoint(tmp_path):
    model = GPT(ModelConfig(**SHAPE))
    optimizers = {"adamw": torch.optim.AdamW(model.parameters())}
    model.embedding.weight.sum().backward()
    optimizers["adamw"].step()
    save_checkpoint(UPath(tmp_path), 3, model, optimizers, {"step": 3}, 1)
    return UPath(tmp_path) / "00000003", model, optimizers


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("adamw/embedding.weight/exp_avg", torch.zeros(3), r"of shape \[3\], which is no moment"),
        ("adamw/other.weight/exp_avg", torch.zeros(()), "'adamw/other.weight/exp_avg' of shape"),
        ("muon/embedding.weight/exp_avg", torch.zeros(()), "'muon/embedding.weight/exp_avg' of shape"),
        ("step", torch.zeros(()), "'step' of shape"),
    ],
)
def test_moments_of_another_model_are_one_line(checkpoint, name, tensor, message):
    path, model, optimizers = checkpoint
    assert load_checkpoint(path, model, optimizers) == {"step": 3}
    moments = load((path / OPTIMIZER).read_bytes())
    (path / OPTIMIZER).write_bytes(save({**moments, name: tensor}))
    Manifest("0" * 32, {"step": 3}, {"checkpoint": Part.from_files(path, "", [MODEL, OPTIMIZER], {})}).write(path)
    with pytest.raises(WorkError, match=rf"optimizer\.safetensors holds .*{message}"):
        load_checkpoint(path, model, optimizers)


@pytest.mark.parametrize("state", [{}, {"step": -1}, {"step": "3"}])
def test_a_state_that_is_none_is_one_line(checkpoint, state):
    path, model, optimizers = checkpoint
    Manifest("0" * 32, state, {"checkpoint": Part.from_files(path, "", [MODEL, OPTIMIZER], {})}).write(path)
    with pytest.raises(GristmillError, match=r"manifest\.json, settings: step"):
        load_checkpoint(path, model, optimizers)


@pytest.mark.parametrize("name", [MODEL, OPTIMIZER, "manifest.json"])
def test_a_flipped_bit_of_a_checkpoint_is_found(checkpoint, name):
    path, model, optimizers = checkpoint
    assert verify(path).problems == []
    damaged = bytearray((path / name).read_bytes())
    damaged[-9] ^= 1
    (path / name).write_bytes(damaged)
    with pytest.raises(WorkError, match=rf"{name}"):
        load_checkpoint(path, model, optimizers)
    (problem,) = verify(path).problems
    assert name in problem and "damaged" in problem


def test_weights_of_another_form_are_one_line():
    tensors = {
        "a": torch.zeros(2, 3),
        "b": torch.zeros(2, 4),
        "c": torch.zeros(()),
        "d": torch.zeros(1, dtype=torch.cfloat),
    }
    for call in (lambda: take(tensors, "a", 3), lambda: take(tensors, "d"), lambda: take(tensors, "e")):
        with pytest.raises(
            GristmillError, match=r"weight a is .* in 3|weight d is torch\.complex64|the weights lack e"
        ):
            call()
    for names in (["a", "b"], ["c"], ["a", "c"]):
        with pytest.raises(GristmillError, match="have shapes"):
            stack(tensors, names)


def test_layers_that_no_checkpoint_has_are_not_listed():
    shape = ModelConfig(**{**SHAPE, "n_layers": 2**31})
    with pytest.raises(GristmillError, match="the weights lack model/h0/ln_1/g"):
        dict(import_weights(shape, {"model/wte": torch.zeros(50, 8), "model/wpe": torch.zeros(8, 8)}))
