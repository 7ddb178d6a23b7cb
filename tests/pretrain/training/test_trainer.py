"""Steps are the same however their sequences are cut up, and a run that has run away is stopped."""

import copy
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from token_folders import make_tokens

from gristmill.pipelines.errors import TrainingDiverged
from gristmill.pretrain.data.batches import Loader
from gristmill.pretrain.data.packing import Batch
from gristmill.pretrain.evaluation.perplexity import window_loss
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine, peak_flops
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.trainer import DivergenceGuard, Trainer, TrainSettings

SHAPE = ModelConfig(vocab_size=50, context=16, n_layers=2, d_model=32, n_heads=2)
TOKENS = make_tokens([5, 40, 9, 200, 17, 3, 60, 2, 31] * 4)


def losses(steps=4, machine=None, look=False, shape=SHAPE, **changes):
    training = TrainSettings(
        **{"steps": steps, "batch_size": 32, "warmup": 2, "packing": "pad", "optimizer": "adamw", **changes}
    )
    trainer = Trainer(GPT(shape), training, machine or Machine(), SINGLE_PROCESS)
    loader, found = Loader(TOKENS, 16, training.batch_size, packing=training.packing), []
    for number, batch in enumerate(loader.batches(0, steps)):
        found.append([value.item() for value in trainer.step(number, batch)])
        if look:
            window_loss(trainer.model, TOKENS, 16)
    return found, trainer.model


@pytest.fixture
def float64():
    """Makes models of float64: AdamW divides by the gradient's size, so float32 rounding shows on some processors."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("micro", [8, 5, 1, 100])
def test_accumulation_changes_nothing(micro, float64):
    """Rows are padded, so micro-batches have unlike numbers of targets: means of means would differ."""
    whole, one = losses()
    parts, other = losses(machine=Machine(micro_batch_size=micro))
    for a, b in zip(whole, parts, strict=True):
        assert a == pytest.approx(b, rel=1e-9)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert a.dtype == torch.float64 and torch.allclose(a, b, atol=1e-9)


def test_accumulated_gradients_are_those_of_the_whole():
    model = GPT(SHAPE)
    gradients = []
    for micro in (32, 8):
        trainer = Trainer(
            copy.deepcopy(model),
            TrainSettings(batch_size=32, grad_clip=1e9),
            Machine(micro_batch_size=micro),
            SINGLE_PROCESS,
        )
        for optimizer in trainer.optimizers.values():
            optimizer.step = optimizer.zero_grad = lambda **_: None
        trainer.step(0, Loader(TOKENS, 16, 32, packing="pad").load(0))
        gradients.append([parameter.grad for parameter in trainer.model.parameters()])
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=1e-6)


def test_looking_at_the_validation_set_changes_no_loss():
    shape = SHAPE.model_copy(update={"dropout": 0.2})
    assert losses(shape=shape)[0] == losses(shape=shape, look=True)[0]


def test_seeds_decide_and_nothing_else():
    assert losses()[0] == losses()[0]
    shape = SHAPE.model_copy(update={"dropout": 0.2})
    assert losses(shape=shape, seed=1)[0] != losses(shape=shape, seed=2)[0]


def test_models_that_drop_train_the_same_beside_others_in_threads():
    shape = SHAPE.model_copy(update={"dropout": 0.2})
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda seed: losses(shape=shape, seed=seed)[0], (1, 2, 1)))
    assert found == [losses(shape=shape, seed=seed)[0] for seed in (1, 2, 1)]


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("packing", ["stream", "stream+docmask", "bos-bestfit", "pad"])
def test_every_packing_and_optimizer_learns(packing, optimizer):
    found, _ = losses(steps=12, packing=packing, optimizer=optimizer, lr=1e-2)
    assert found[-1][0] < found[0][0] - 0.03


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's, of torch
def test_a_compiled_model_learns_the_same():
    shape = SHAPE.model_copy(update={"n_layers": 1})  # two take twice the time to compile
    whole, compiled = losses(shape=shape)[0], losses(shape=shape, machine=Machine(compile=True))[0]
    for a, b in zip(whole, compiled, strict=True):
        assert a == pytest.approx(b, rel=1e-4)


def test_a_gradient_is_clipped_to_its_norm():
    trainer = Trainer(GPT(SHAPE), TrainSettings(batch_size=32, grad_clip=1e-3), Machine(), SINGLE_PROCESS)
    for optimizer in trainer.optimizers.values():
        optimizer.zero_grad = lambda **_: None
    _, norm = trainer.step(0, Loader(TOKENS, 16, 32).load(0))
    left = torch.linalg.vector_norm(torch.cat([p.grad.flatten() for p in trainer.model.parameters()]))
    assert norm > 1e-2 and left == pytest.approx(1e-3, rel=1e-2)


def test_the_guard_stops_what_is_no_number():
    guard = DivergenceGuard(1.0)
    guard.check(1, 5.0, 1.0)
    for loss, norm in ((float("nan"), 1.0), (5.0, float("inf"))):
        with pytest.raises(
            TrainingDiverged, match=r"step 7: the loss is .* and the gradient's norm .*; lower --set train.lr"
        ):
            guard.check(7, loss, norm)


def test_the_guard_stops_a_rise_that_stays_and_no_spike():
    guard, step = DivergenceGuard(1.0), 0
    for loss in [5.0] * 60 + [30.0] + [5.0] * 60:  # one spike lifts the mean of 50 by half a nat
        guard.check(step := step + 1, loss, 1.0)
    with pytest.raises(TrainingDiverged, match=r"step \d+: the loss is 6\.0\d and was 5\.00"):
        for _ in range(60):
            guard.check(step := step + 1, 6.05, 1.0)


@pytest.mark.parametrize(("rise", "steps"), [(1.0, 50), (1.03125, 48)])  # 48 / 50 * 1.03125 is 0.99
def test_the_guard_allows_a_rise_of_the_limit_and_one_step_less_than_its_window(rise, steps):
    guard = DivergenceGuard(1.0)
    for step in range(50):
        guard.check(step, 5.0, 1.0)
    for step in range(steps):
        guard.check(step, 5.0 + rise, 1.0)
    with pytest.raises(TrainingDiverged):
        for step in range(50):
            guard.check(step, 5.0 + 1.03125, 1.0)


def test_a_loss_that_is_no_number_reaches_the_guard():
    model = GPT(SHAPE)
    torch.nn.init.constant_(model.blocks[0].mlp.up.weight, float("inf"))
    trainer = Trainer(model, TrainSettings(batch_size=4), Machine(), SINGLE_PROCESS)
    loss, norm = trainer.step(0, Loader(TOKENS, 16, 4).load(0))
    with pytest.raises(TrainingDiverged, match="the loss is nan"):
        DivergenceGuard(1.0).check(1, loss.item(), norm.item())


def test_machines_without_a_known_peak_have_no_mfu():
    assert peak_flops(torch.device("cpu")) is None


def test_batches_without_documents_are_two_arrays():
    batch = Loader(TOKENS, 16, 4).load(0)
    assert isinstance(batch, Batch) and batch.documents is None
