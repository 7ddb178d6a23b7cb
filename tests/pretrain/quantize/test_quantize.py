"""Codes by the formula, packing for every bit pattern, and layers that multiply as their dequantized weights do."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F
from upath import UPath

from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pretrain.evaluation.generate import Sampling, generate
from gristmill.pretrain.model.config import GPT2, ModelConfig
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.quantize.layers import QuantizedLinear, quantize_model
from gristmill.pretrain.quantize.scheme import QuantizeSettings, pack, quantize, unpack
from gristmill.pretrain.training.checkpoint import load_model, read_tensors, save_model, write_tensors

SHAPE = {"vocab_size": 50, "context": 24, "n_layers": 2, "d_model": 32, "n_heads": 2}
IDS = torch.arange(24).reshape(2, 12) * 7 % 50
# Matrix of the short course "Quantization in Depth" (Hugging Face and DeepLearning.AI); its values follow by hand.
MATRIX = torch.tensor([[191.6, -13.5, 728.6], [92.14, 295.5, -184.0], [0.0, 684.6, 245.5]])
BITS = (2, 4, 8)


def gpt(**changes):
    generator = torch.Generator().manual_seed(3)
    model = GPT(ModelConfig(**{**SHAPE, **changes})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return model


def logits(model):
    with torch.no_grad():
        return model.logits(model.hidden(IDS))


def by_hand(weights, bits, symmetric):
    """Codes of numbers that share a scale."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    if symmetric:
        scale = max(abs(w) for w in weights) / high
        return [max(-high, min(high, round(w / scale))) if scale else 0 for w in weights], scale, 0
    smallest, largest = min(0.0, *weights), max(0.0, *weights)
    scale = (largest - smallest) / (high - low)
    zero = round(low - smallest / scale) if scale else low
    return [max(low, min(high, round(w / scale + zero))) if scale else zero for w in weights], scale, zero


@pytest.mark.parametrize(
    ("settings", "codes", "scale"),
    [
        ({"per": "tensor", "symmetric": True}, [[33, -2, 127], [16, 52, -32], [0, 119, 43]], [728.6 / 127]),
        (
            {"per": "channel", "symmetric": True},
            [[33, -2, 127], [40, 127, -79], [0, 127, 46]],
            [728.6 / 127, 295.5 / 127, 684.6 / 127],
        ),
        ({"per": "tensor", "symmetric": False}, [[-23, -81, 127], [-51, 6, -128], [-77, 114, -8]], [912.6 / 255]),
    ],
)
def test_the_published_example(settings, codes, scale):
    found = quantize(MATRIX, QuantizeSettings(**settings))
    assert found.codes[:, 0].tolist() == codes
    assert found.scale.flatten().tolist() == pytest.approx(scale)
    assert (found.dequantize()[:, 0] - MATRIX).abs().max() <= found.scale.max() / 2 + 1e-4


@given(
    st.lists(st.lists(st.floats(-100, 100, width=32), min_size=6, max_size=6), min_size=1, max_size=4),
    st.sampled_from(BITS),
    st.booleans(),
    st.sampled_from(["tensor", "channel", "group"]),
)
def test_no_weight_moves_by_more_than_half_a_step(rows, bits, symmetric, per):
    weight = torch.tensor(rows)
    found = quantize(weight, QuantizeSettings(bits=bits, symmetric=symmetric, per=per, group=3))
    error = (found.dequantize().flatten(1) - weight).abs().unflatten(1, (found.codes.shape[1], -1))
    # A rounded zero moves the ends of an asymmetric range by up to half a step more.
    assert (error <= found.scale * (0.5 if symmetric else 1.0) * 1.001 + 1e-5).all()


@pytest.mark.parametrize("bits", BITS)
@pytest.mark.parametrize("symmetric", [True, False])
def test_codes_are_those_of_the_readable_twin(bits, symmetric):
    rng = np.random.default_rng(1)
    rows = rng.integers(-40, 40, (5, 8)) / 8  # few digits: no sum of float32 and float64 rounds apart
    found = quantize(
        torch.tensor(rows, dtype=torch.float32), QuantizeSettings(bits=bits, symmetric=symmetric, per="group", group=4)
    )
    for i, row in enumerate(rows):
        for group in range(2):
            codes, scale, zero = by_hand(row[4 * group : 4 * group + 4].tolist(), bits, symmetric)
            assert found.scale[i, group].item() == pytest.approx(scale, rel=1e-5)
            assert found.zero[i, group].item() == zero
            assert np.abs(np.array(found.codes[i, group].tolist()) - codes).max() <= 1  # a tie may round apart


@given(st.data(), st.sampled_from(BITS), st.integers(1, 9), st.integers(1, 3))
def test_packing_round_trips(data, bits, columns, rows):
    code = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    codes = torch.tensor(
        data.draw(st.lists(st.lists(code, min_size=columns, max_size=columns), min_size=rows, max_size=rows))
    )
    packed = pack(codes, bits)
    assert packed.shape == (rows, -(-columns * bits // 8)) and torch.equal(
        unpack(packed, bits, columns), codes.to(torch.int8)
    )


@pytest.mark.parametrize("bits", BITS)
def test_every_byte_unpacks_and_packs_again(bits):
    every = torch.arange(256, dtype=torch.uint8)[None]
    assert torch.equal(pack(unpack(every, bits, 256 * 8 // bits), bits), every)


@pytest.mark.parametrize("activations", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "settings", [{}, {"bits": 4, "per": "group", "group": 16, "symmetric": False}, {"per": "tensor"}]
)
def test_a_layer_multiplies_by_its_dequantized_weight(settings, activations):
    linear, x = torch.nn.Linear(32, 9), torch.randn(4, 32)
    layer = QuantizedLinear(linear, QuantizeSettings(**settings, activations=activations))
    expected = F.linear(x, layer.weight(), linear.bias)
    assert layer(x).dtype == torch.float32
    assert (layer(x) - expected).abs().max() < (1e-5 if activations == "float32" else 5e-2)
    assert layer.codes.numel() == 9 * 32 * settings.get("bits", 8) // 8


@pytest.mark.parametrize("changes", [{}, GPT2])
@pytest.mark.parametrize("settings", [{"bits": 8}, {"bits": 4, "per": "group", "group": 16}, {"bits": 2}])
def test_a_quantized_model_is_saved_and_opened(settings, changes, tmp_path):
    model, before = gpt(**changes), logits(gpt(**changes))
    errors = quantize_model(model, QuantizeSettings(**settings))
    assert len(errors) == 8 and all(error > 0 for error in errors.values())
    moved = (logits(model) - before).abs().mean() / before.abs().mean()
    assert 0 < moved < {8: 0.02, 4: 0.25, 2: 2.0}[settings["bits"]]
    save_model(UPath(tmp_path), model)
    opened = load_model(UPath(tmp_path))
    assert torch.equal(logits(opened), logits(model))
    assert generate(opened, [2, 3], Sampling(max_new_tokens=5)) == generate(model, [2, 3], Sampling(max_new_tokens=5))


def test_excluded_layers_stay():
    model = gpt()
    errors = quantize_model(model, QuantizeSettings(exclude=["blocks.0.", "mlp.down"]))
    assert sorted(errors) == ["blocks.1.attention.out", "blocks.1.attention.qkv", "blocks.1.mlp.up"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"per": "group", "group": 7}, "groups of 7 do not divide rows of 32 weights"),
        ({"exclude": ["blocks."]}, "no linear layer left to quantize"),
    ],
)
def test_settings_that_do_not_fit_are_one_line(settings, words):
    with pytest.raises(RecipeError, match=words):
        quantize_model(gpt(), QuantizeSettings(**settings))


def test_a_quantized_model_is_quantized_once(tmp_path):
    model = gpt()
    quantize_model(model, QuantizeSettings())
    with pytest.raises(RecipeError, match="quantized already"):
        quantize_model(model, QuantizeSettings())
    save_model(UPath(tmp_path), model)
    tensors = read_tensors(UPath(tmp_path / "model.safetensors"))
    tensors["blocks.0.mlp.up.codes"] = tensors["blocks.0.mlp.up.codes"].float()
    write_tensors(UPath(tmp_path / "model.safetensors"), tensors)
    with pytest.raises(WorkError, match=r"codes is torch.float32, expected torch.uint8"):
        load_model(UPath(tmp_path))
