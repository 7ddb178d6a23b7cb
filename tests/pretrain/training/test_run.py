"""A run goes on after a kill as if nothing had been, alone or in company, and says what does not fit."""

import itertools
import json
import os
import socket
import subprocess
import sys
import time

import numpy as np
import orjson
import polars as pl
import pytest
from token_folders import make_tokens
from upath import UPath

from gristmill.pipelines.errors import RecipeError, TrainingDiverged, WorkError
from gristmill.pretrain.data.masking import Masking
from gristmill.pretrain.evaluation.perplexity import score_documents
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.checkpoint import checkpoints, load_model
from gristmill.pretrain.training.objective import TokenObjective
from gristmill.pretrain.training.plot_loss import running_mean
from gristmill.pretrain.training.run import LOG, CheckpointSettings, pretrain, read_log
from gristmill.pretrain.training.trainer import TrainSettings

SHAPE = {"vocab_size": 50, "context": 16, "n_layers": 1, "d_model": 32, "n_heads": 2, "dropout": 0.1}
TRAIN, HELD_OUT = make_tokens([60] * 40, rule=True), make_tokens([20, 33, 1, 50], seed=9, rule=True)
STEPS = 40
# What a process of its own does: a run of this module, as its settings say.
CHILD = (
    "import json, sys; from tests.pretrain.training.test_run import run; run(sys.argv[1], **json.loads(sys.argv[2]))"
)


def run(folder, pause=0.0, on_log=lambda line: None, shape=None, machine=None, on_replace=None, **changes):
    training = TrainSettings(
        **{"steps": STEPS, "batch_size": 4, "warmup": 3, "lr": 1e-2, "optimizer": "adamw", **changes}
    )
    masked = training.objective == "masked"
    model = GPT(ModelConfig(**{**SHAPE, "causal": not masked, **(shape or {})}))
    saving = CheckpointSettings(evaluate_every=10, checkpoint_every=7, log_every=1)

    def slowly(line):
        time.sleep(pause)
        on_log(line)

    machine = machine or Machine()
    return pretrain(TRAIN, HELD_OUT, model, training, UPath(folder), machine, saving, slowly, on_replace)


def losses(folder):
    """The numbers of the log that depend on the model."""
    names = ("step", "loss", "norm", "validation")
    return [[line[name] for name in names if name in line] for line in read_log(UPath(folder))]


def results(folder):
    """What two runs must have alike: losses to the last bit, weights, scores, manifest."""
    log = [{k: v for k, v in line.items() if k != "tokens_per_second"} for line in read_log(UPath(folder))]
    names = ("model.safetensors", "documents.parquet", "summary.json", "manifest.json")
    return log, [(folder / name).read_bytes() for name in names]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "run"
    return folder, run(folder)


@pytest.mark.parametrize(
    ("objective", "changes", "hides"), [("next", {}, None), ("masked", {"causal": False}, Masking)]
)
def test_an_objective_hides_tokens_or_none(objective, changes, hides):
    model = GPT(ModelConfig(**{**SHAPE, "mask_token": 3, **changes}))
    found = TokenObjective(TRAIN, None, model, TrainSettings(objective=objective)).masking
    assert found is None if hides is None else isinstance(found, hides)


def test_speed_is_tokens_over_seconds(tmp_path, monkeypatch):
    clock = itertools.count(0, 3)
    monkeypatch.setattr("gristmill.pretrain.training.run.perf_counter", lambda: next(clock))
    assert run(tmp_path / "run", steps=3)["tokens"] == 3 * 4 * 16
    assert read_log(UPath(tmp_path / "run"))[0]["tokens_per_second"] == 21.3  # a step of 4 rows of 16, in 3 seconds


def test_utilization_is_the_share_of_the_machines_peak(tmp_path, monkeypatch):
    monkeypatch.setattr("gristmill.pretrain.training.run.perf_counter", itertools.count(0, 3).__next__)
    monkeypatch.setattr("gristmill.pretrain.training.trainer.peak_flops", lambda device: 1e7)
    model, training = GPT(ModelConfig(**SHAPE)), TrainSettings(steps=2, batch_size=4)
    folder, saving = UPath(tmp_path / "run"), CheckpointSettings(log_every=2)
    pretrain(TRAIN, HELD_OUT, model, training, folder, Machine(), saving, print, None)
    per_second = 2 * 4 * 16 * model.shape.flops_per_token() / 3
    assert read_log(folder)[0]["mfu"] == pytest.approx(per_second / 1e7, abs=1e-4)


@pytest.mark.parametrize(("steps", "second"), [(30, 1 / 3), (60, 0.4), (1470, 49 / 99), (9000, 49 / 99)])
def test_the_mean_of_the_plot_runs_over_a_thirtieth_of_the_steps_or_50(steps, second):
    assert running_mean([1.0, *[0.0] * (steps - 1)])[:2] == pytest.approx([1, second])


def start(folder, environment=None, **changes):
    path = os.pathsep.join(("tests", "."))
    env = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | (environment or {})
    return subprocess.Popen([sys.executable, "-c", CHILD, str(folder), json.dumps(changes)], env=env)


def test_a_run_learns_and_says_how_it_went(whole):
    folder, summary = whole
    log = read_log(UPath(folder))
    losses = [line["loss"] for line in log if "loss" in line]
    assert len(losses) == STEPS and np.mean(losses[-5:]) < losses[0] - 0.5
    assert [line["step"] for line in log if "validation" in line] == [10, 20, 30, 40]
    assert summary["tokens"] == STEPS * 4 * 16 and summary["packing"]["targets"] == 40 * 60 - 1
    assert (folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    scores = pl.read_parquet(folder / "documents.parquet")
    again = score_documents(load_model(UPath(folder)), HELD_OUT, 16)
    assert scores["nats"].to_list() == pytest.approx(again.nats.tolist(), rel=1e-6)
    assert summary["bits_per_byte"] == pytest.approx(again.bits_per_byte)
    assert scores["document"].to_list() == [0, 1, 2, 3] and scores["bytes"].to_list() == [61, 100, 4, 151]


def test_a_run_that_was_killed_ends_as_one_that_was_not(whole, tmp_path):
    """SIGKILL at a step that each run of the tests draws anew; once the first checkpoint is there."""
    step = int.from_bytes(os.urandom(1)) % 25 + 8
    child = start(tmp_path / "run", pause=0.02)
    log = tmp_path / "run" / LOG
    while child.poll() is None and (not log.exists() or log.read_bytes().count(b"\n") < step):
        time.sleep(0.005)
    child.kill()
    child.wait()
    assert not (tmp_path / "run" / "manifest.json").exists(), "the run was over before it was killed"
    assert checkpoints(UPath(tmp_path / "run" / "checkpoints"))
    steps = []
    run(tmp_path / "run", on_log=lambda line: steps.append(line["step"]))
    assert steps[0] > 7, f"it began again, though killed at {step}"
    assert results(tmp_path / "run") == results(whole[0])


@pytest.mark.slow
def test_two_processes_learn_as_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = str(probe.getsockname()[1])
    world = {"WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    same = {"shape": {"dropout": 0.0}}  # which each process has its own of
    children = [start(tmp_path / "two", world | {"RANK": str(r), "LOCAL_RANK": str(r)}, **same) for r in (0, 1)]
    run(tmp_path / "one", **same)
    assert [child.wait(120) for child in children] == [0, 0]
    assert losses(tmp_path / "two") == [pytest.approx(line, rel=1e-4) for line in losses(tmp_path / "one")]
    two, one = (orjson.loads((tmp_path / name / "summary.json").read_bytes()) for name in ("two", "one"))
    assert two["bits_per_byte"] == pytest.approx(one["bits_per_byte"], rel=1e-4)


def test_a_finished_run_is_not_done_again(whole):
    steps = []
    assert run(whole[0], on_log=steps.append) == whole[1] and not steps


def test_another_run_does_not_go_on_from_this_one(whole, tmp_path):
    with pytest.raises(WorkError, match=r"holds a run with another train.lr; choose another --output"):
        run(whole[0], lr=2e-2)
    with pytest.raises(WorkError, match=r"holds a run with another model.mlp_hidden"):
        run(whole[0], shape={"mlp_hidden": 100})
    with pytest.raises(WorkError, match=r"holds a run with another train.init_seed"):
        run(whole[0], init_seed=1)
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(WorkError, match=r"holds files that are not a run's"):
        run(tmp_path)


def test_a_run_is_replaced_only_where_both_allow_it(tmp_path):
    replaced, few = [], {"steps": 2, "on_replace": lambda differing: replaced.append(differing)}
    run(tmp_path / "by hand", steps=1)
    for _ in range(2):  # the same run again does not make it replaceable
        run(tmp_path / "by hand", **few | {"steps": 1})
        with pytest.raises(WorkError, match=r"another train.steps; remove or rename it: no recipe began it"):
            run(tmp_path / "by hand", **few)
    run(tmp_path / "run", **few | {"steps": 1})
    with pytest.raises(WorkError, match=r"another train.steps; choose another --output"):
        run(tmp_path / "run", steps=2)
    assert not replaced
    run(tmp_path / "run", **few)
    assert replaced == ["train.steps"] and len(losses(tmp_path / "run")) == 3


def test_micro_batches_may_change_when_a_run_goes_on(tmp_path):
    stopped = []

    def stop(line):
        stopped.append(line)
        if line["step"] == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", on_log=stop, shape={"dropout": 0.0})
    run(tmp_path / "run", shape={"dropout": 0.0}, machine=Machine(micro_batch_size=1))
    run(tmp_path / "other", shape={"dropout": 0.0})
    assert losses(tmp_path / "run") == [pytest.approx(line, rel=1e-4) for line in losses(tmp_path / "other")]


def test_a_masked_model_learns_and_has_no_bits_per_byte(tmp_path):
    summary = run(tmp_path / "run", objective="masked", steps=150, batch_size=16, mask_probability=0.3)
    assert summary["validation"] < np.log(50) - 0.2 and "bits_per_byte" not in summary


def test_a_run_that_runs_away_is_not_finished(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"step \d+: the loss is nan|step \d+: the loss is \d"):
        run(tmp_path / "run", lr=1e25, warmup=30)
    assert not (tmp_path / "run" / "manifest.json").exists()
    run(tmp_path / "run", steps=2)  # and having reached no checkpoint gives way to another


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"shape": {"vocab_size": 51}},
            "the model has a vocabulary of 51 tokens, but tokens has 50: expected shards of the same tokenizer",
        ),
        (
            {"objective": "masked", "shape": {"causal": True}},
            r"train.objective 'masked' needs a model with causal = false",
        ),
        ({"shape": {"causal": False}}, r"train.objective 'next' needs a model with causal = true"),
        ({"shape": {"context": 3000}}, r"context 3,000 is longer than tokens, which holds 2,400 tokens"),
        ({"machine": Machine(device="cuda")}, r"machine.device is 'cuda', but torch finds no CUDA device"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, changes, words):
    with pytest.raises(RecipeError, match=words):
        run(tmp_path / "run", **changes)


def test_a_log_cut_short_is_read_to_its_last_whole_line(tmp_path):
    (tmp_path / LOG).write_bytes(orjson.dumps({"step": 1}) + b'\n{"step": 2, "lo')
    assert read_log(UPath(tmp_path)) == [{"step": 1}]
