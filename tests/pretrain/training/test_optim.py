"""How fast weights move at each step, and by which rule."""

import pytest
import torch

from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.muon import Muon
from gristmill.pretrain.training.optim import lr_at, make_optimizers

SHAPES = [(32, 96), (32, 96), (64, 32), (48, 48)]


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        ("wsd", 0, 0.1),
        ("wsd", 9, 1.0),
        ("wsd", 79, 1.0),
        ("wsd", 80, 1.0),
        ("wsd", 90, 0.55),
        ("wsd", 100, 0.1),
        ("cosine", 9, 1.0),
        ("cosine", 10, 1.0),
        ("cosine", 55, 0.55),
        ("cosine", 100, 0.1),
        ("linear", 10, 1.0),
        ("linear", 55, 0.55),
        ("linear", 100, 0.1),
        ("constant", 4, 0.5),
        ("constant", 99, 1.0),
    ],
)
def test_schedules_at_their_corners(schedule, step, expected):
    assert lr_at(step, 100, schedule, 10, 0.2, 0.1) == pytest.approx(expected)


@pytest.mark.parametrize("schedule", ["wsd", "cosine", "linear", "constant"])
@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (1, 1), (3, 5), (10, 10)])
def test_schedules_of_few_steps_stay_between_0_and_1(schedule, steps, warmup):
    assert all(0 < lr_at(step, steps, schedule, warmup, 0.2, 0.0) <= 1 for step in range(steps))


def one_step(kind, **changes):
    torch.manual_seed(0)
    model = GPT(ModelConfig(vocab_size=64, context=8, n_layers=1, d_model=32, n_heads=2, **changes))
    optimizers = make_optimizers(model, kind, lr=0.1, weight_decay=0.5, betas=(0.9, 0.95))
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    ids = torch.randint(0, 64, (40, 9))
    model(ids[:, :-1], ids[:, 1:]).backward()
    for optimizer in optimizers.values():
        optimizer.step()
    return model, optimizers, before


def test_adamw_is_the_papers_and_spares_vectors_from_decay():
    model, _, before = one_step("adamw", norm="layer", bias=True)
    for name, parameter in model.named_parameters():
        decayed = before[name] * (1 - 0.1 * 0.5 if parameter.ndim == 2 else 1.0)
        moved = (
            0.1 * parameter.grad / (parameter.grad.abs() + 1e-8)
        )  # of the first step both moments are the gradient's
        assert torch.allclose(parameter.detach(), decayed - moved, atol=1e-5), name


def test_muon_moves_as_torchs():
    """Theirs works in bfloat16, which is good to some percent."""
    ours, theirs = ([torch.nn.Parameter(torch.zeros(shape)) for shape in SHAPES] for _ in range(2))
    mine = Muon(ours, lr=0.1, weight_decay=0.5)
    other = torch.optim.Muon(theirs, lr=0.1, weight_decay=0.5, adjust_lr_fn="match_rms_adamw")
    for _ in range(4):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape)
            b.grad = a.grad.clone()
        mine.step()
        other.step()
        for a, b in zip(ours, theirs, strict=True):
            assert torch.linalg.matrix_norm(a - b) < 0.05 * torch.linalg.matrix_norm(a)


def test_muon_moves_the_matrices_of_the_blocks_in_all_directions_alike():
    model, optimizers, before = one_step("muon")
    inner = {name for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2}
    named = {parameter: name for name, parameter in model.named_parameters()}
    assert {named[p] for group in optimizers["muon"].param_groups for p in group["params"]} == inner
    assert len(named) == sum(len(g["params"]) for each in optimizers.values() for g in each.param_groups)
    for name in inner:
        parameter = dict(model.named_parameters())[name]
        moved = (before[name] * (1 - 0.1 * 0.5) - parameter.detach()) / (0.1 * 0.2 * max(parameter.shape) ** 0.5)
        assert torch.linalg.matrix_norm(moved, 2) < 1.3  # 5 turns of Newton-Schulz bring singular values near 1
        assert torch.linalg.svdvals(moved).median() > 0.6
