"""All architectures: parameters, FLOPs, beginnings, one batch by heart; masks of prefixes, DeepNorm, experts."""

import itertools
import math

import pytest
import torch
from token_folders import make_tokens
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from gristmill.pretrain import baselines
from gristmill.pretrain.baselines import RECURRENT
from gristmill.pretrain.data.masking import PrefixSplit
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.evaluation.generate import Decoder
from gristmill.pretrain.model.config import PRESETS, ModelConfig, RNNConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.experts import balance, balance_loss
from gristmill.pretrain.model.gpt import GPT, find_prefixes
from gristmill.pretrain.model.rnn import RNN
from gristmill.pretrain.training.trainer import Trainer, TrainSettings
from tests.pretrain.by_heart import learn_by_heart
from tests.reference import gpt as reference

SMALL = {"vocab_size": 61, "context": 16, "n_layers": 2, "d_model": 32, "n_heads": 4}


def make(**changes):
    model = GPT(ModelConfig(**{**SMALL, **changes})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.15)
    return model


def without_targets(ids, *rows):
    """Next-token targets, of which row i has none before place rows[i]."""
    inputs, targets = ids[:, :-1], ids[:, 1:].clone()
    for row, first in enumerate(rows):
        targets[row, :first] = IGNORE_INDEX
    return inputs, targets


@pytest.mark.parametrize("changes", [{}, {"position_encoding": "alibi", "window": 4}])
def test_a_prefix_attends_both_ways(changes):
    model, ids = make(prefix_decoder=True, **changes), torch.randint(0, 61, (2, 13))
    inputs, targets = without_targets(ids, 5, 0)
    with torch.no_grad():
        found = model.logits(model.states(inputs, targets))
    for row, prefix in enumerate((6, 1)):  # the token before the first target is the last of the prefix
        slow = reference.logits(model.shape, dict(model.named_parameters()), inputs[row].tolist(), prefix)
        assert torch.allclose(found[row].double(), slow, atol=1e-4)


def test_documents_of_a_row_have_a_prefix_each():
    targets = torch.tensor([[-1, -1, 7, 8, -1, 9, 4], [3, -1, -1, 5, -1, -1, -1]])
    documents = torch.tensor([[0, 0, 0, 1, 1, 1, 1], [0, 1, 1, 1, 1, 2, 2]])
    t, f = True, False
    assert find_prefixes(targets, None).tolist() == [[t, t, t, f, f, f, f], [t, f, f, f, f, f, f]]
    assert find_prefixes(targets, documents).tolist() == [[t, t, t, t, f, f, f], [t, t, t, t, f, t, t]]
    model, ids = make(prefix_decoder=True), torch.randint(0, 61, (2, 7))
    with torch.no_grad():
        together = model.states(ids, targets, documents)
        alone = model.states(ids[1:, 1:5], targets[1:, 1:5])
    assert torch.allclose(together[1, 1:5], alone[0], atol=2e-5)


def test_a_prompt_is_a_prefix_in_generation():
    model, ids = make(prefix_decoder=True), torch.randint(0, 61, (1, 9))
    with torch.no_grad():
        decoder = Decoder(model, ids[0, :6].tolist(), 1)
        for at in range(6, 9):
            decoder.add(ids[:, at])
        inputs, targets = without_targets(torch.cat((ids, ids[:, :1]), 1), 5)
        assert torch.allclose(decoder.logits_BV, model.logits(model.states(inputs, targets))[:, -1], atol=2e-5)


def test_rows_are_split_at_every_place_but_keep_a_target():
    ids = torch.arange(40).reshape(2, 20).numpy()
    batch, kept = Batch(ids, ids + 1, None), set()
    batch.targets[1, :18] = IGNORE_INDEX
    for sample in range(200):
        split = PrefixSplit().mask_tokens(batch, [2 * sample, 2 * sample + 1], 3)
        kept.add(int((split.targets[0] != IGNORE_INDEX).sum()))
        assert split.targets[0, -1] == 20 and split.targets[1, -1] == 40
        assert (PrefixSplit().mask_tokens(batch, [2 * sample, 2 * sample + 1], 3).targets == split.targets).all()
    assert kept == set(range(1, 21))
    nothing = Batch(ids, ids * 0 + IGNORE_INDEX, None)
    assert (PrefixSplit().mask_tokens(nothing, [0, 1], 3).targets == IGNORE_INDEX).all()


def test_elmans_network_is_its_formula():
    model, ids, states = RNN(RNNConfig(vocab_size=61, d_model=8, n_layers=1, cell="elman")), [7, 3, 9], []
    w, u, b, c = (getattr(model.rnn, name) for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"))
    for token in ids:
        before = states[-1] if states else torch.zeros(8)
        states.append(torch.tanh(w @ model.embedding.weight[token] + b + u @ before + c))
    assert torch.allclose(model.hidden(torch.tensor([ids]))[0], torch.stack(states), atol=1e-6)


def test_a_recurrent_network_begins_uniform():
    weights = RNN(RNNConfig(vocab_size=61, d_model=64, n_layers=1, cell="elman")).rnn.weight_hh_l0
    assert 0.99 / 8 < weights.abs().max() <= 1 / 8  # the root of the width


@pytest.mark.parametrize(("layers", "dropout"), [(1, 0.0), (2, 0.5)])
def test_dropout_is_between_the_layers_of_a_recurrent_network(layers, dropout):
    assert RNN(RNNConfig(vocab_size=61, d_model=8, n_layers=layers, dropout=0.5)).rnn.dropout == dropout


@pytest.mark.parametrize("lr", [None, 0.5])
def test_baselines_have_a_learning_rate_of_their_own_unless_one_is_given(monkeypatch, lr):
    rates, tokens = [], make_tokens([5, 9], vocab_size=61)
    monkeypatch.setattr(baselines, "train_model", lambda model, train, training, *_: rates.append(training.lr))
    monkeypatch.setattr(baselines, "process_time", itertools.count(1, 2).__next__)
    training = TrainSettings(lr=lr, optimizer="adamw")
    rows = baselines.compare(tokens, tokens, ModelConfig(**SMALL), training, Machine(), print)
    assert [row["seconds"] for row in rows] == [0, 2, 2, 2]
    assert rates == [*(lr or own for _, own in baselines.RECURRENT.values()), lr]


def test_an_encoder_has_as_many_layers_as_its_decoder_unless_told_otherwise():
    shape = ModelConfig(vocab_size=61, **PRESETS["nano-t5"])
    assert shape.encoder_layers == shape.n_layers


def test_deepnorm_begins_as_in_the_paper():
    shape = ModelConfig(**{**SMALL, "d_model": 128, "n_layers": 8, "norm_position": "deep"})
    weights = dict(GPT(shape).named_parameters())
    assert shape.residual_scale == 2.0  # (2 · 8)^(1/4)
    xavier, gain = (2 / 256) ** 0.5, 64**-0.25
    queries, keys, values = weights["blocks.3.attention.qkv.weight"].split(128)
    for part, expected in ((queries, xavier), (keys, xavier), (values, xavier * gain)):
        assert part.std().item() == pytest.approx(expected, rel=0.03)
    up = weights["blocks.3.mlp.up.weight"]
    assert up.std().item() == pytest.approx((2 / sum(up.shape)) ** 0.5 * gain, rel=0.03)


def test_the_balance_of_experts_is_1_if_even_and_e_if_one_does_all():
    even, choices = torch.full((8, 4), 0.25), torch.arange(16).reshape(8, 2) % 4
    assert balance(even, choices) == 1
    assert balance(torch.eye(4)[[2] * 8], torch.full((8, 1), 2)) == 4


def test_training_balances_experts_that_one_had_taken_over():
    choice = {"norm": "layer", "bias": True, "n_experts": 4, "experts_per_token": 1, "balance_weight": 0.1}
    shape = ModelConfig(**{**SMALL, **choice})
    model, ids = GPT(shape), torch.randint(0, 61, (8, 17)).numpy()
    with torch.no_grad():
        for block in model.blocks:
            block.mlp_norm.bias.fill_(1)
            block.mlp.router.weight[0] += 0.1  # a logit of 3.2
    settings = TrainSettings(steps=30, batch_size=8, optimizer="adamw", lr=1e-2, warmup=5, schedule="constant")
    trainer, found, losses = Trainer(model, settings, Machine(device="cpu"), SINGLE_PROCESS), [], []
    for number in range(30):
        losses.append(trainer.step(number, Batch(ids[:, :-1], ids[:, 1:], None))[0].item())
        found.append(balance_loss(model).item() / 0.1 / 2)
    assert found[0] > 3 and found[-1] < 1.5  # of 4; 1 is even
    assert losses[0] == pytest.approx(math.log(61), abs=0.05) and losses[-1] < 2  # without the balance
    assert balance_loss(make()) is None


# An architecture by its name, with what makes it one.
ARCHITECTURES: dict[str, dict] = {
    "GPT": {},
    "GPT-2": PRESETS["nano-gpt2"],
    "grouped keys": {"n_kv_heads": 2, "tie_embeddings": False, "qk_norm": True},
    "wide heads": {"head_width": 14, "n_kv_heads": 2},
    "one key head": {"n_kv_heads": 1, "mlp": "geglu", "position_encoding": "sinusoidal"},
    "post-norm": {"norm_position": "post"},
    "DeepNorm": {"norm_position": "deep"},
    "ReLU": {"mlp": "relu"},
    "squared ReLU": {"mlp": "relu2"},
    "sliding window": {"window": 5},
    "window both ways": {"window": 5, "causal": False, "mask_token": 3},
    "ALiBi in a window": {"window": 5, "position_encoding": "alibi"},
    "relative positions": {"position_encoding": "relative"},
    "prefix decoder": {"prefix_decoder": True},
    "experts": {"n_experts": 4},
    "one expert of eight": {"n_experts": 8, "experts_per_token": 1},
    "BERT": {**PRESETS["nano-bert"], "mask_token": 3},
    "Elman": {"cell": "elman"},
    "LSTM": {"cell": "lstm"},
}
each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)


def build(name, vocab_size, **changes):
    """Return an untrained model; a GPT has no padding after its vocabulary if that is a multiple of 64."""
    settings = {**SMALL, **ARCHITECTURES[name], "vocab_size": vocab_size, **changes}
    if "cell" in settings:
        del settings["n_heads"]
        return RNN(RNNConfig(**settings))
    return GPT(ModelConfig(**settings))


def keys_seen(name):
    """Return to how many tokens one attends at most, by brute force: another id at each place, before one layer."""
    model = build(name, 64, n_layers=1).double()
    rows = torch.randint(0, 64, (1, 16)).repeat(17, 1)
    rows[range(16), range(16)] = (rows[16] + 1) % 64
    with torch.no_grad():
        hidden = model.hidden(rows)
    changed = (hidden[:16] - hidden[16]).abs().amax(-1) > 1e-12  # [changed place, place]
    return int(changed.sum(0).max())


@each_architecture
def test_parameters_and_flops_by_formula_are_those_counted(name):
    """torch counts the products of a whole training step, those of all pairs of tokens whatever the mask hides.

    So the pairs hidden by a window are subtracted, as `keys_seen` counts them. The state before a recurrent network's
    first token is a constant and needs no gradient.
    """
    model, ids = build(name, 64).double(), torch.randint(0, 64, (4, 16))  # a float32 LSTM is one kernel, not counted
    shape, embeddings = model.shape, ("embedding.weight", "learned.weight", "relative.weight")
    matrices = [(each, weight) for each, weight in model.named_parameters() if weight.ndim == 2]
    looked_up = embeddings if not getattr(shape, "tie_embeddings", True) else embeddings[1:]
    counted = sum(weight.numel() for each, weight in matrices if each not in looked_up)
    paper = shape.matrices(all_experts=True) if isinstance(model, GPT) else shape.matrices()
    assert counted == paper
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = model.logits(model.hidden(ids))
        F.cross_entropy(logits.flatten(0, 1), ids.flatten()).backward()
    expected = shape.flops_per_token() * ids.numel()
    if isinstance(model, GPT):
        expected += 12 * shape.n_layers * shape.d_model * (16 - keys_seen(name)) * ids.numel()
    else:
        states = [weight for each, weight in matrices if "weight_hh" in each]
        expected -= 2 * len(ids) * sum(weight.numel() for weight in states)
    assert counter.get_total_flops() == expected


def test_a_token_of_nano_moe_uses_two_of_four_experts():
    shape = ModelConfig(**PRESETS["nano-moe"], vocab_size=64)
    head = 64 * shape.d_model
    assert shape.matrices(all_experts=True) - head == pytest.approx(2.6e6, rel=0.03)
    assert shape.matrices() - head == pytest.approx(1.4e6, rel=0.04)


@each_architecture
@pytest.mark.parametrize("vocab_size", [64, 8192])
def test_every_architecture_begins_with_a_loss_of_ln_v(name, vocab_size):
    model, ids = build(name, vocab_size, d_model=64), torch.randint(0, vocab_size, (8, 17))
    with torch.no_grad():
        loss = model(ids[:, :-1], ids[:, 1:]) / ids[:, 1:].numel()
    assert abs(loss - math.log(vocab_size)) < 0.05


@pytest.mark.parametrize("name", ["prefix decoder", "Elman", "LSTM"])  # test_gpt.py has the other ones
def test_one_batch_is_learnt_by_heart(name):
    model, ids = build(name, 61), torch.randint(0, 61, (4, 17))
    inputs, targets = without_targets(ids, 4, 0, 7, 2)
    lr = RECURRENT[name][1] if name in RECURRENT else 1e-2
    assert learn_by_heart(model, lambda: model(inputs, targets) / (targets != IGNORE_INDEX).sum(), lr=lr) < 0.05
