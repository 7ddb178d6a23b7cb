"""Losses on answers alone: packed as unpacked, whole as resumed, and none where nothing is learned."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from token_folders import make_tokens
from upath import UPath

from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged
from gristmill.pretrain.data.batches import Loader
from gristmill.pretrain.data.packing import IGNORE_INDEX, Batch
from gristmill.pretrain.evaluation.generate import Sampling, generate, respond
from gristmill.pretrain.evaluation.perplexity import window_loss
from gristmill.pretrain.finetune.instruct import InstructObjective, Question, instruct_split
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.devices import SINGLE_PROCESS, Machine
from gristmill.pretrain.model.gpt import GPT
from gristmill.pretrain.training.run import CheckpointSettings, fit, read_log
from gristmill.pretrain.training.trainer import Trainer, TrainSettings

SHAPE = {"vocab_size": 50, "context": 16, "n_layers": 1, "d_model": 16, "n_heads": 2}


def answers(lengths, seed=0):
    """Documents of which the first third is a prompt."""
    tokens = make_tokens(lengths, seed=seed, rule=True)
    bits = np.concatenate([np.arange(length) >= length // 3 for length in lengths])
    return replace(tokens, learned=(np.packbits(bits, bitorder="little"),), fingerprint=f"{seed}")


@pytest.mark.parametrize("positions", ["rope", "alibi", "learned"])
def test_packed_and_unpacked_losses_are_equal(positions):
    tokens = answers([5, 1, 9, 16, 3, 40, 7, 2, 12])
    model = GPT(ModelConfig(**SHAPE, position_encoding=positions, tie_embeddings=True), seed=3)
    with torch.no_grad():
        for parameter in model.parameters():  # further from equal probabilities
            parameter.mul_(3)
    packed, unpacked = (window_loss(model, tokens, 16, packing=kind) for kind in ("whole", "pad"))
    assert Loader(tokens, 16, 1, packing="whole").rows < Loader(tokens, 16, 1, packing="pad").rows
    assert packed == pytest.approx(unpacked, rel=2e-6) and abs(packed - np.log(50)) > 1e-3


def objective(model, training):
    splits = {"train": answers([12, 9, 20, 5, 8] * 4), "validation": answers([9, 11], seed=4)}
    questions = [Question("a", "?", "!", [0, 3, 10])]
    return InstructObjective(splits, questions, [7], lambda ids: str(ids), model, training, Sampling(max_new_tokens=4))


def train(folder, stop_at=None):
    training = TrainSettings(steps=20, batch_size=3, warmup=2, lr=1e-2, optimizer="adamw", packing="whole")
    model = GPT(ModelConfig(**SHAPE, dropout=0.1))
    saving = CheckpointSettings(evaluate_every=5, checkpoint_every=6, log_every=1)

    def on_log(line):
        if stop_at and line["step"] == stop_at:
            raise KeyboardInterrupt

    return fit(objective(model, training), model, training, UPath(folder), Machine(), saving, on_log)


def test_a_resumed_run_has_the_bits_of_a_whole_one(tmp_path):
    summary = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", stop_at=14)
    assert train(tmp_path / "cut") == summary
    folders = [UPath(tmp_path / name) for name in ("whole", "cut")]
    logs = [[line.get("loss", line.get("validation")) for line in read_log(folder)] for folder in folders]
    assert logs[0] == logs[1] and np.mean(logs[0][-6:]) < logs[0][0]
    for name in ("model.safetensors", "responses.jsonl", "manifest.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_nothing_to_learn_changes_nothing_but_by_decay():
    model = GPT(ModelConfig(**SHAPE))
    training = TrainSettings(batch_size=2, optimizer="adamw", weight_decay=0.0)
    before = {name: each.clone() for name, each in model.named_parameters()}
    ids, nothing = np.ones((2, 16), np.int64), np.full((2, 16), IGNORE_INDEX)
    loss, norm = Trainer(model, training, Machine(), SINGLE_PROCESS).step(0, Batch(ids, nothing, None))
    assert loss.item() == norm.item() == 0
    assert all(torch.equal(each, before[name]) for name, each in model.named_parameters())


def test_conversations_become_documents_with_bos():
    tokens = Ragged.from_arrays(np.array([0, 2, 2, 5]), np.array([4, 5, 6, 7, 8], np.uint16))
    split = instruct_split(tokens, np.array([0, 1, 0, 1, 1], np.bool_), 50, 9, "train")
    assert split.read(0, 8).tolist() == [9, 4, 5, 9, 9, 6, 7, 8] and split.ends.tolist() == [3, 4, 8]
    assert split.read_learned(0, 8).tolist() == [False, False, True, False, False, False, True, True]
    with pytest.raises(InputError, match="too few records: no answer among 3 of the split 'train'"):
        instruct_split(tokens, np.zeros(5, np.bool_), 50, None, "train")


@pytest.mark.parametrize("length", [1, 2, 3])
def test_an_answer_ends_before_its_end_and_keeps_what_only_began_it(length):
    model, sampling = GPT(ModelConfig(**SHAPE), seed=1), Sampling(max_new_tokens=12, seed=5, temperature=3.0)
    (drawn,) = generate(model, [1, 2], sampling)
    assert [*respond(model, [1, 2], drawn[4 : 4 + length], sampling)] == drawn[: _find(drawn, drawn[4 : 4 + length])]
    assert [*respond(model, [1, 2], [*drawn[10:], 49, 49], sampling)] == drawn
    stopped = sampling.model_copy(update={"stop_tokens": (drawn[5],)})
    assert [*respond(model, [1, 2], [drawn[4], 49], stopped)] == drawn[: drawn.index(drawn[5])]


def _find(drawn, end):
    return next(i for i in range(len(drawn)) if drawn[i : i + len(end)] == end)
