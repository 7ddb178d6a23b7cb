"""The GPT with each of its choices: what it computes, what it may see, where it begins."""

import math
from itertools import pairwise

import pytest
import torch
from torch.nn import functional as F

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.settings import read_settings
from gristmill.pretrain.data.packing import IGNORE_INDEX
from gristmill.pretrain.evaluation.fill_mask import fill_masks
from gristmill.pretrain.model.config import PRESETS, ModelConfig, preset
from gristmill.pretrain.model.encoder_decoder import make_transformer
from gristmill.pretrain.model.gpt import GPT, Cache
from gristmill.pretrain.model.loss import summed_nats
from gristmill.pretrain.model.positions import alibi_slopes, rope_angles, sinusoids
from tests.pretrain.by_heart import learn_by_heart
from tests.reference import gpt as reference

SMALL = {"vocab_size": 61, "context": 24, "n_layers": 2, "d_model": 48, "n_heads": 4}
# Every value of every choice, and each pair of the first four choices with some others.
CHOICES = [
    {"norm": "rms", "mlp": "swiglu", "position_encoding": "rope", "tie_embeddings": True},
    {"norm": "layer", "mlp": "gelu", "position_encoding": "learned", "tie_embeddings": True, "bias": True},
    {"norm": "rms", "mlp": "geglu", "position_encoding": "alibi", "tie_embeddings": False, "n_kv_heads": 2},
    {"norm": "layer", "mlp": "relu2", "position_encoding": "sinusoidal", "tie_embeddings": False, "n_kv_heads": 1},
    {
        "norm": "rms",
        "mlp": "gelu-erf",
        "position_encoding": "rope",
        "tie_embeddings": False,
        "qk_norm": True,
        "bias": True,
    },
    {
        "norm": "layer",
        "mlp": "swiglu",
        "position_encoding": "alibi",
        "tie_embeddings": True,
        "n_heads": 6,
        "n_kv_heads": 3,
    },
    {
        "norm": "rms",
        "mlp": "relu2",
        "position_encoding": "learned",
        "tie_embeddings": True,
        "n_kv_heads": 2,
        "qk_norm": True,
    },
    {
        "norm": "layer",
        "mlp": "geglu",
        "position_encoding": "rope",
        "tie_embeddings": True,
        "bias": True,
        "rope_theta": 500.0,
    },
    {
        "norm": "rms",
        "mlp": "gelu",
        "position_encoding": "sinusoidal",
        "tie_embeddings": True,
        "qk_norm": True,
        "n_kv_heads": 2,
    },
    {"norm": "layer", "mlp": "gelu-erf", "position_encoding": "alibi", "tie_embeddings": False, "bias": True},
    {"norm": "layer", "mlp": "relu", "position_encoding": "learned", "norm_position": "post", "bias": True},
    {name: value for name, value in PRESETS["nano-bert"].items() if name != "causal"},
    {"position_encoding": "rope", "window": 5, "n_experts": 4, "n_kv_heads": 2, "tie_embeddings": False},
    {"position_encoding": "alibi", "window": 6, "n_experts": 3, "experts_per_token": 1, "norm_position": "deep"},
    {"norm": "rms", "mlp": "relu", "position_encoding": "relative", "n_kv_heads": 2, "window": 15},
]
choices = pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: "-".join(map(str, choice.values())))


def make(choice, **changes):
    """A model whose weights are larger than at the beginning, so that every part of it shows."""
    model = GPT(ModelConfig(**{**SMALL, **choice, **changes})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.15)
    return model


def logits(model, ids, documents=None):
    with torch.no_grad():
        return model.logits(model.hidden(ids, documents))


@choices
@pytest.mark.parametrize("causal", [True, False])
def test_it_answers_as_the_reference(choice, causal):
    model, ids = make(choice, causal=causal), torch.randint(0, 61, (2, 7))
    found = logits(model, ids)
    for row, expected in zip(found, ids, strict=True):
        slow = reference.logits(model.shape, dict(model.named_parameters()), expected.tolist())
        assert torch.allclose(row.double(), slow, atol=1e-4)


@choices
def test_a_token_sees_none_that_follow(choice):
    model, ids = make(choice), torch.randint(0, 61, (1, 20))
    other = ids.clone()
    other[0, 13] = (other[0, 13] + 1) % 61
    before, after = logits(model, ids), logits(model, other)
    assert torch.allclose(before[:, :13], after[:, :13], atol=1e-6)
    assert not torch.allclose(before[:, 13:], after[:, 13:], atol=1e-3)


@choices
def test_documents_in_one_row_are_as_if_alone(choice):
    model, ids = make(choice), torch.randint(0, 61, (2, 20))
    documents = torch.tensor([[0] * 8 + [1] * 5 + [2] * 7, [0] * 3 + [1] * 17])
    together = logits(model, ids, documents)
    for row, cuts in enumerate(([0, 8, 13, 20], [0, 3, 20])):
        for start, stop in pairwise(cuts):
            alone = logits(model, ids[row : row + 1, start:stop])
            assert torch.allclose(together[row, start:stop], alone[0], atol=2e-5)


@choices
def test_a_cache_changes_no_logit(choice):
    model, ids = make(choice), torch.randint(0, 61, (2, 20))
    cache, parts = Cache(model.shape, 2, model.embedding.weight), []
    for start, stop in ((0, 9), (9, 10), (10, 11), (11, 18), (18, 20)):
        with torch.no_grad():
            parts.append(model.logits(model.hidden(ids[:, start:stop], cache=cache)))
    assert torch.allclose(torch.cat(parts, 1), logits(model, ids), atol=2e-5)


@pytest.mark.parametrize("vocab_size", [20, 258, 8192])
@pytest.mark.parametrize("name", [name for name in PRESETS if name.startswith("nano") and name != "nano-25m"])
@pytest.mark.parametrize("tied", [True, False])
def test_it_begins_with_a_loss_of_ln_v(name, vocab_size, tied):
    shape = ModelConfig(**preset(name, vocab_size, tie_embeddings=tied))
    model, ids = make_transformer(shape), torch.randint(0, vocab_size, (2, 129))
    with torch.no_grad():
        loss = model(ids[:, :-1], ids[:, 1:]) / ids[:, 1:].numel()
    assert abs(loss - math.log(vocab_size)) < 0.05


@pytest.mark.parametrize(("name", "millions"), [("proxy-100k", 0.107), ("proxy-1m", 1.07), ("proxy-4m", 4.02)])
def test_proxies_are_named_by_their_parameters_without_embeddings(name, millions):
    shape = ModelConfig(**preset(name, 64))
    found = sum(parameter.numel() for parameter in GPT(shape).blocks.parameters())
    assert found / 1e6 == pytest.approx(millions, rel=0.005)
    assert shape.matrices() - 64 * shape.d_model == pytest.approx(found, rel=0.005)  # norms are not matrices


def test_the_largest_proxy_is_as_large_as_mixtures_ask_for():
    shape = ModelConfig(**preset("proxy-15m", 64))
    assert shape.matrices() - 64 * shape.d_model == pytest.approx(15.2e6, rel=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2-124m", "llama-124m"])
def test_the_large_ones_begin_so_too(name):
    model, ids = GPT(ModelConfig(**preset(name, 50257))), torch.randint(0, 50257, (2, 65))
    with torch.no_grad():
        assert abs(model(ids[:, :-1], ids[:, 1:]) / 128 - math.log(50257)) < 0.05


@choices
def test_one_batch_is_learnt_by_heart(choice):
    torch.manual_seed(1)
    model, ids = GPT(ModelConfig(**{**SMALL, **choice})), torch.randint(0, 61, (4, 25))
    assert learn_by_heart(model, lambda: model(ids[:, :-1], ids[:, 1:]) / 96, warmup=10) < 0.05


def test_tables_are_those_of_the_papers():
    for position, row in enumerate(sinusoids(30, 10)):
        assert torch.allclose(row.double(), reference.sinusoid(position, 10), atol=1e-5)
    for heads in (1, 2, 6, 8, 12, 16, 20):
        expected = [reference.alibi_slope(head, heads) for head in range(heads)]
        assert torch.allclose(alibi_slopes(heads).double(), torch.tensor(expected, dtype=torch.float64), rtol=1e-6)
    assert alibi_slopes(8).tolist() == [2.0**-i for i in range(1, 9)]
    assert rope_angles(4, 2, 10.0)[:, 0].tolist() == [0, 1, 2, 3]


def test_the_size_of_gpt2_is_known():
    shape = ModelConfig(**preset("gpt2-124m", 50257))
    vectors = 12 * (4 * 768 + 9 * 768 + 768 - 768) + 2 * 768  # gains and biases
    assert shape.matrices() + 1024 * 768 + vectors == 124_439_808
    assert shape.flops_per_token() == pytest.approx(6 * shape.matrices() + 12 * 12 * 768 * 1024)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"d_model": 50}, "d_model 50 is not a multiple of n_heads 4"),
        ({"n_kv_heads": 3}, "n_heads 4 is not a multiple of n_kv_heads 3"),
        ({"d_model": 12}, "RoPE rotates pairs: a head has a width of 3"),
        ({"norms": "rms"}, "no setting 'norms'; did you mean 'norm'"),
        ({"position_encoding": "rotary"}, "position_encoding: Input should be 'rope'"),
        ({"n_experts": 2, "experts_per_token": 3}, "experts_per_token 3 is above n_experts 2"),
        ({"prefix_decoder": True, "causal": False}, "prefix_decoder needs causal = true"),
        ({"n_layers": 0}, "n_layers: Input should be greater than or equal to 1"),
    ],
)
def test_a_shape_that_cannot_be_is_one_line(changes, words):
    with pytest.raises(RecipeError, match=words):
        read_settings(ModelConfig, {**SMALL, **changes}, "[model]")


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(RecipeError, match="no preset 'nanno'; did you mean 'nano'"):
        preset("nanno", 10)


@pytest.mark.parametrize("rows", [1, 5, 20, 21, 22, 1 << 20])  # of 21 in all
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loss_and_its_gradients_are_cross_entropys(monkeypatch, rows, dtype):
    monkeypatch.setattr("gristmill.pretrain.model.loss.BLOCK_LOGITS", rows * 11)
    x = torch.randn(3, 7, 5, dtype=dtype, requires_grad=True)
    output = torch.randn(11, 5, dtype=dtype, requires_grad=True)
    targets = torch.randint(0, 11, (3, 7))
    targets[0, :4] = IGNORE_INDEX
    found = summed_nats(x, output, targets)
    (found * 1.5).backward()
    gradients = x.grad.clone(), output.grad.clone()
    x.grad = output.grad = None
    expected = F.cross_entropy(
        (x @ output.T).flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="sum"
    )
    (expected * 1.5).backward()
    assert torch.allclose(found, expected, rtol=1e-5)
    for gradient, right in zip(gradients, (x.grad, output.grad), strict=True):
        assert torch.allclose(gradient, right, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 5, 11, 12, 13])  # of 12
def test_evaluation_gives_the_same_loss_in_blocks(monkeypatch, rows):
    model, inputs = GPT(ModelConfig(vocab_size=50, context=6, n_layers=1, d_model=16, n_heads=2)), torch.arange(12)
    inputs, targets = inputs.view(2, 6), (inputs + 1).view(2, 6).where(inputs.view(2, 6) != 4, IGNORE_INDEX)
    with torch.no_grad():
        whole = model.nats(inputs, targets)
        monkeypatch.setattr("gristmill.pretrain.model.loss.BLOCK_LOGITS", rows * 64)
        assert torch.allclose(model.nats(inputs, targets), whole, atol=1e-6) and whole[0, 4] == 0


@choices
def test_the_loss_is_of_the_real_vocabulary_whichever_way_it_is_computed(choice):
    model, ids = make(choice), torch.randint(0, 61, (2, 21))
    inputs, targets = ids[:, :-1], ids[:, 1:].clone()
    targets[0, :5] = IGNORE_INDEX
    logs = logits(model, inputs).double().log_softmax(-1)
    assert logs.shape[-1] == 61 and model.output.shape[0] == 64
    expected = -logs.gather(2, targets.clamp(min=0)[..., None])[..., 0] * (targets != IGNORE_INDEX)
    with torch.no_grad():
        assert torch.allclose(model.nats(inputs, targets).double(), expected, atol=1e-5)
        assert torch.allclose(model(inputs, targets).double(), expected.sum(), rtol=1e-5)
    assert torch.allclose(model(inputs, targets).double(), expected.sum(), rtol=1e-5)


def test_bfloat16_is_near_float32():
    model, ids = make(CHOICES[0]), torch.randint(0, 61, (2, 25))
    full = model(ids[:, :-1], ids[:, 1:])
    with torch.autocast("cpu", torch.bfloat16):
        half = model(ids[:, :-1], ids[:, 1:])
    half.backward()
    assert half.dtype == torch.float32 and abs(half / full - 1) < 0.02
    assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters())


def test_dropout_drops_in_training_alone():
    model, ids = make(CHOICES[0], dropout=0.5), torch.randint(0, 61, (1, 9))
    assert torch.equal(logits(model, ids), logits(model, ids))
    model.train()
    assert not torch.equal(logits(model, ids), logits(model, ids))


def test_masks_are_filled_in_texts_up_to_the_context():
    model = GPT(ModelConfig(**{**SMALL, "context": 4, "causal": False}))
    assert [len(each) for each in fill_masks(model, [1, 2, 3, 1], 1, 5)] == [5, 5]
    with pytest.raises(RecipeError, match="the text has 5 tokens, expected at most 4"):
        fill_masks(model, [1, 2, 3, 1, 1], 1, 5)
