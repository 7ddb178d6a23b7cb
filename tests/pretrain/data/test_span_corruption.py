"""Span corruption: the text can be put together again, shares are as asked for, runs resume to the last bit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from token_folders import make_tokens
from upath import UPath

from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.data.batches import Loader
from gristmill.pretrain.data.packing import IGNORE_INDEX, PACKINGS, Batch
from gristmill.pretrain.data.span_corruption import SpanCorruption, corrupt, split
from gristmill.pretrain.evaluation.perplexity import score_documents, window_loss
from gristmill.pretrain.model.config import PRESETS, ModelConfig
from gristmill.pretrain.model.devices import Machine
from gristmill.pretrain.model.encoder_decoder import EncoderDecoder, make_transformer
from gristmill.pretrain.training.checkpoint import load_model
from gristmill.pretrain.training.objective import TokenObjective, flops_per_token
from gristmill.pretrain.training.run import CheckpointSettings, pretrain, read_log
from gristmill.pretrain.training.trainer import TrainSettings
from tests.reference import spans as reference

SENTINELS = tuple(range(49, 29, -1))  # downward, as in T5's vocabulary
TOKENS = make_tokens([40, 3, 25, 60, 17] * 4, vocab_size=50, sentinels=SENTINELS)
SHAPE = {**PRESETS["nano-t5"], "vocab_size": 50, "context": 24, "n_layers": 1, "encoder_layers": 1, "d_model": 16}
TRAINING = {"objective": "spans", "steps": 6, "batch_size": 4, "warmup": 2, "lr": 1e-2}


def rows(*lengths, width):
    """Next-token rows of so many tokens, which are numbered from 100."""
    inputs, targets = np.zeros((len(lengths), width), np.int64), np.full((len(lengths), width), IGNORE_INDEX)
    for i, length in enumerate(lengths):
        inputs[i, :length] = targets[i, :length] = np.arange(100, 100 + length)
    return Batch(inputs, targets, None)


@given(st.data())
def test_inputs_and_targets_are_those_of_the_reference(data):
    spans = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    inner = data.draw(st.lists(st.integers(1, 4), min_size=len(spans) - 1, max_size=len(spans) - 1))
    gaps = [data.draw(st.integers(0, 3)), *inner, data.draw(st.integers(0, 3))]
    ids = np.arange(100, 100 + sum(spans) + sum(gaps))
    found = corrupt(ids, np.array(spans), np.array(gaps), np.array(SENTINELS))
    assert [each.tolist() for each in found] == list(reference.corrupt(ids.tolist(), spans, gaps, SENTINELS))
    assert reference.restore(*map(list, found), SENTINELS) == ids.tolist()


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    probability=st.floats(0.001, 0.999),
    mean_span=st.floats(1, 9),
    seed=st.integers(0, 2**63 - 1),
)
def test_every_row_can_be_put_together_again(lengths, probability, mean_span, seed):
    spans = SpanCorruption(probability, mean_span, tuple(range(50)))
    batch, samples = rows(*lengths, width=40), np.arange(len(lengths)) + seed % 1000
    inputs, targets, documents = spans.mask_tokens(batch, samples, seed)
    again = spans.mask_tokens(batch, samples, seed)
    assert (inputs == again.inputs).all() and (targets == again.targets).all()
    assert inputs.shape[1] <= 40
    for i, length in enumerate(lengths):
        read = inputs[i] if documents is None else inputs[i, documents[i, : inputs.shape[1]] == 0]
        written = targets[i, targets[i] != IGNORE_INDEX]
        assert reference.restore(read.tolist(), written.tolist(), range(50)) == list(range(100, 100 + length))
        hidden, count = spans.sizes(length)
        assert (read < 50).sum() == count and (written < 50).sum() == count + 1 and written.size == hidden + count + 1
        assert (np.diff(np.flatnonzero(read < 50)) > 1).all()  # no two spans touch


def test_shares_are_as_asked_for_and_every_token_is_hidden_as_often():
    spans = SpanCorruption(0.15, 3.0, tuple(range(50)))
    assert spans.sizes(512) == (77, 26) and spans.sizes(128) == (19, 6)  # the paper: 15 % in spans of 3
    _, targets, _ = spans.mask_tokens(rows(*[128] * 2000, width=128), np.arange(2000), 5)
    hidden = np.bincount(targets[targets >= 100] - 100, minlength=128) / 2000
    assert hidden.mean() == pytest.approx(19 / 128) and hidden[[0, 127]].min() > 0.04
    assert abs(hidden[10:-10] - 19 / 128).max() < 0.04  # four standard deviations


@pytest.mark.parametrize("packing", ["whole", "stream+docmask"])
@pytest.mark.parametrize(
    "positions", [{}, {"position_encoding": "learned"}, {"position_encoding": "rope", "window": 3}]
)
def test_a_packed_document_is_corrupted_and_has_the_loss_of_one_alone(packing, positions):
    tokens = make_tokens([40, 2, 2, 9, 3, 25, 60, 2, 2, 2, 2, 2, 2, 17] * 4, vocab_size=30)
    tokens = replace(tokens, vocab_size=50, sentinels=SENTINELS)
    torch.manual_seed(0)
    model = EncoderDecoder(ModelConfig(**{**SHAPE, **positions})).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.2)
    plain, loader = (
        Loader(tokens, 24, 8, 1, packing, masking) for masking in (None, SpanCorruption(0.3, 3, SENTINELS))
    )
    (ids, following, texts), (inputs, targets, documents) = plain.load(0), loader.load(0)
    reads, writes = np.split(documents, [inputs.shape[1]], 1)
    with torch.no_grad():
        together = model.nats(*map(torch.from_numpy, (inputs, targets, documents))).numpy()
        for row in range(8):
            used = following[row] != IGNORE_INDEX
            for number, text in enumerate(np.unique(texts[row, used])):
                mine = inputs[row, reads[row] == number], targets[row, writes[row] == number]
                read = ids[row, used & (texts[row] == text)]
                assert reference.restore(*(each.tolist() for each in mine), SENTINELS) == read.tolist()
                alone = model.nats(*(torch.from_numpy(each[None]) for each in mine))[0].numpy()
                assert together[row, writes[row] == number] == pytest.approx(alone, abs=1e-4)
    assert reads.max() > 3 and (together[targets == IGNORE_INDEX] == 0).all()


def test_a_sum_is_split_in_all_ways():
    found = {tuple(split(np.random.default_rng(seed), 5, 3).tolist()) for seed in range(200)}
    assert found == {(a, b, 5 - a - b) for a in range(1, 4) for b in range(1, 5 - a)}


@pytest.mark.parametrize("packing", [*PACKINGS])
def test_the_loss_of_padded_rows_is_finite_and_batches_depend_on_seed_and_step_alone(packing):
    spans = SpanCorruption(0.15, 3.0, SENTINELS)
    loader = Loader(TOKENS, 24, 4, 1, packing, spans)
    assert all((a == b).all() for a, b in zip(loader.load(3), loader.load(3), strict=True) if a is not None)
    assert not (loader.load(0).targets == loader.load(loader.rows).targets).all()  # another epoch hides others
    for rank in (0, 1):  # rows are as wide as the longest of a batch
        for half, whole in zip(
            Loader(TOKENS, 24, 4, 1, packing, spans, rank, 2).load(3)[:2], loader.load(3), strict=False
        ):
            assert (half == whole[rank::2, : half.shape[1]]).all()
    loss = window_loss(EncoderDecoder(ModelConfig(**SHAPE)), TOKENS, 24, masking=spans, packing=packing)
    assert loss == pytest.approx(np.log(50), abs=0.1)


def test_a_killed_run_resumes_to_the_last_bit(tmp_path):
    training, machine = TrainSettings(**TRAINING), Machine(device="cpu", threads=1)
    saving = CheckpointSettings(checkpoint_every=2, evaluate_every=3, log_every=1)
    for name in ("whole", "killed"):
        seen = []

        def on_log(line, name=name, seen=seen):
            seen.append(line["step"])
            if name == "killed" and seen.count(5) == 1 and line["step"] == 5:
                raise KeyboardInterrupt

        folder = UPath(tmp_path / name)
        for _ in range(2):
            try:
                summary = pretrain(
                    TOKENS, TOKENS, EncoderDecoder(ModelConfig(**SHAPE)), training, folder, machine, saving, on_log
                )
                break
            except KeyboardInterrupt:
                assert name == "killed"
    losses = [
        [(line.get("loss"), line.get("validation")) for line in read_log(tmp_path / name)]
        for name in ("whole", "killed")
    ]
    assert losses[0] == losses[1] and len(losses[0]) == 8
    assert "perplexity" not in summary and summary["validation"] < summary["loss"] + 1
    whole, killed = (load_model(UPath(tmp_path / name)) for name in ("whole", "killed"))
    assert isinstance(killed, EncoderDecoder) and killed.decoder.embedding is killed.encoder.embedding
    for a, b in zip(whole.parameters(), killed.parameters(), strict=True):
        assert a.equal(b)
    with pytest.raises(RecipeError, match="gives a text no probability"):
        score_documents(killed, TOKENS, 24)


def test_flops_are_those_of_tokens_read_and_written():
    model, training = EncoderDecoder(ModelConfig(**SHAPE)), TrainSettings(**TRAINING)
    spans = SpanCorruption(0.15, 3.0, SENTINELS)
    batch = Loader(TOKENS, 24, 1, masking=spans).load(0)
    read, written = batch.inputs.shape[1] / 24, batch.targets.shape[1] / 24
    assert flops_per_token(model, training) == pytest.approx(model.shape.flops_per_token(read, written))


@pytest.mark.parametrize(
    ("changes", "shape", "words"),
    [
        ({"objective": "next"}, {}, "objective 'next' needs a model with encoder_layers = off"),
        ({}, {"encoder_layers": None}, r"needs a model with encoder_layers \(--preset nano-t5\)"),
        ({"mask_probability": 0.9}, {}, "targets of 26 tokens exceed the context of 24; lower train.mask_probability"),
        ({"mask_probability": 0.4, "mean_span": 1.5}, {"context": 240}, "need .* <extra_id_0> to <extra_id_64>, but"),
    ],
)
def test_what_does_not_go_together_is_one_line(changes, shape, words):
    model = make_transformer(ModelConfig(**{**SHAPE, **shape}))
    with pytest.raises(RecipeError, match=words):
        TokenObjective(TOKENS, None, model, TrainSettings(**{**TRAINING, **changes}))


def test_loss_masks_are_one_line():
    model, masked = make_transformer(ModelConfig(**SHAPE)), replace(TOKENS, learned=(), name="chats")
    for pair in ((masked, None), (TOKENS, masked)):
        with pytest.raises(
            RecipeError, match=r"span corruption has no loss masks, but chats has; use --set tokens\.loss=all"
        ):
            TokenObjective(*pair, model, TrainSettings(**TRAINING))
