"""The encoder-decoder: where it begins, what it may see, what it can learn, and its counts on paper."""

import math

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings
from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.model.config import PRESETS, ModelConfig
from gristmill.pretrain.model.encoder_decoder import EncoderDecoder
from gristmill.pretrain.model.positions import relative_buckets
from tests.pretrain.by_heart import learn_by_heart
from tests.reference import gpt as reference

SMALL = {**PRESETS["nano-t5"], "vocab_size": 64, "context": 16, "n_layers": 2, "encoder_layers": 3, "d_model": 32}
CHOICES = [
    {},
    {"mlp": "geglu", "tie_embeddings": False},
    {"position_encoding": "rope", "n_kv_heads": 2, "norm": "layer", "bias": True, "qk_norm": True},
    {"position_encoding": "learned", "norm_position": "post", "norm": "layer", "encoder_layers": 1, "head_width": 6},
    {"position_encoding": "alibi", "n_experts": 3, "window": 7},
]
choices = pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "-".join(map(str, choice.values())) or "t5")


def make(choice, size=0.15):
    torch.manual_seed(1)
    model = EncoderDecoder(ModelConfig(**{**SMALL, **choice})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * size)
    return model


def logits(model, inputs, targets, documents=None):
    with torch.no_grad():
        return model.logits(model.states(inputs, targets, documents))


@choices
def test_padding_of_inputs_and_of_targets_changes_nothing(choice):
    model, inputs, targets = make(choice), torch.randint(0, 64, (2, 15)), torch.randint(0, 64, (2, 9))
    documents = -(torch.arange(24) >= torch.tensor([[10], [24]])).long() * torch.arange(1, 25)
    padded = targets.clone()
    padded[0, 6:] = IGNORE_INDEX
    documents[0, 15:21] = 0
    together = logits(model, inputs, padded, documents)
    assert torch.allclose(together[:1, :6], logits(model, inputs[:1, :10], targets[:1, :6]), atol=2e-5)
    assert torch.allclose(together[1:], logits(model, inputs[1:], targets[1:]), atol=2e-5)


@choices
def test_a_target_sees_all_inputs_and_the_targets_before_it(choice):
    model, inputs, targets = make(choice), torch.randint(0, 64, (1, 15)), torch.randint(0, 64, (1, 9))
    before, other = logits(model, inputs, targets), targets.clone()
    other[0, 5] = (other[0, 5] + 1) % 64
    after = logits(model, inputs, other)
    assert torch.allclose(before[:, :6], after[:, :6], atol=1e-6) and not torch.allclose(before[:, 6], after[:, 6])
    changed = inputs.clone()
    changed[0, 14] = (changed[0, 14] + 1) % 64
    assert ((logits(model, changed, targets) - before).abs().amax(-1) > 1e-6).all()


@choices
def test_it_begins_at_ln_v_and_learns_one_batch_by_heart(choice):
    torch.manual_seed(1)
    model, count = EncoderDecoder(ModelConfig(**{**SMALL, **choice})), 4 * 6
    with torch.no_grad():
        begin = model(torch.randint(0, 64, (32, 15)), torch.randint(0, 64, (32, 16))) / 512
    assert begin.item() == pytest.approx(math.log(64), abs=0.05)
    inputs, targets = torch.randint(0, 64, (4, 15)), torch.randint(0, 64, (4, 6))
    assert learn_by_heart(model, lambda: model(inputs, targets) / count, steps=200) < 0.05


@choices
def test_gradients_reach_all_weights(choice):
    model = make(choice)
    model(torch.randint(0, 64, (4, 15)), torch.randint(0, 64, (4, 9))).backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()] == []


@choices
def test_parameters_and_flops_by_formula_are_those_counted(choice):
    shape = ModelConfig(**{**SMALL, **choice})
    model, looked_up = EncoderDecoder(shape), ("learned.weight", "relative.weight")
    looked_up += () if shape.tie_embeddings else ("embedding.weight",)
    counted = [p.numel() for n, p in model.named_parameters() if p.ndim == 2 and not n.endswith(looked_up)]
    assert shape.matrices(all_experts=True) == sum(counted)
    if shape.window:
        return  # attention computes the scores that a window hides
    for read, written in ((16, 16), (12, 5)):
        inputs, targets = torch.randint(0, 64, (4, read)), torch.randint(0, 64, (4, written))
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            logits(model, inputs, targets)
        expected = shape.flops_per_token(read / 16, written / 16) * 4 * 16
        assert counter.get_total_flops() * 3 == pytest.approx(expected)  # the backward pass costs twice


def test_the_size_of_t5_small_is_known():
    shape = ModelConfig(**PRESETS["t5-small"], vocab_size=32128)
    vectors = 512 * (6 * 2 + 6 * 3 + 2)
    assert shape.matrices() + vectors + 2 * 32 * 8 == 60_506_624


@pytest.mark.parametrize("causal", [True, False])
def test_buckets_of_distances_are_t5s(causal):
    offsets = torch.arange(-400, 400)
    found = relative_buckets(offsets, causal).tolist()
    assert found == [reference.relative_bucket(int(offset), causal) for offset in offsets]
    transformers = pytest.importorskip("transformers")
    theirs = transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket
    assert found == theirs(offsets, not causal, 32, 128).tolist()


@pytest.mark.parametrize("changes", [{"causal": False}, {"prefix_decoder": True}, {"norm_position": "deep"}])
def test_what_an_encoder_excludes_is_one_line(changes):
    with pytest.raises(RecipeError, match=r"encoder_layers needs causal = true, without prefix_decoder and"):
        read_settings(ModelConfig, {**SMALL, **changes}, "[model]")
