"""Bits per byte are exact: every document whole, divided by the bytes of its text."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from token_folders import make_tokens, train_subwords

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pretrain.data.batches import TokenSplit
from gristmill.pretrain.data.masking import Masking
from gristmill.pretrain.evaluation.perplexity import DocumentLosses, cut_windows, score_documents, window_loss
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.gpt import GPT
from tests.reference.document_bits import document_bits

SHAPE = ModelConfig(vocab_size=50, context=8, n_layers=1, d_model=32, n_heads=2)


def make_model(vocab_size=50, uniform=False):
    model = GPT(SHAPE.model_copy(update={"vocab_size": vocab_size}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.0) if uniform else parameter.add_(torch.randn(parameter.shape) * 0.2)
    return model


@given(st.lists(st.integers(0, 60), max_size=6), st.integers(1, 9), st.data())
def test_windows_predict_every_token_once_with_enough_before_it(lengths, context, data):
    stride = data.draw(st.integers(1, context))
    seen = [[] for _ in lengths]
    for number, start, length, known in cut_windows(np.array(lengths, np.int64), context, stride):
        assert 0 < length <= context and known < length
        for target in range(start + 1 + known, start + 1 + length):
            seen[number].append(target)
            assert target - start > min(context - stride, target - 1)
    assert seen == [list(range(1, length)) for length in lengths]


@pytest.mark.parametrize("stride", [1, 3, 8, None])
@pytest.mark.parametrize(("bos", "eos"), [(0, None), (None, 7), (None, None)])
def test_documents_answer_as_the_reference(stride, bos, eos):
    tokens = make_tokens([1, 2, 8, 9, 10, 31, 0], bos=bos, eos=eos)
    model = make_model()
    scores = score_documents(model, tokens, 8, stride)
    starts = tokens.ends - tokens.lengths
    for document, (start, end) in enumerate(zip(starts, tokens.ends, strict=True)):
        ids = tokens.read(int(start), int(end)).tolist()
        marked = ids if bos is not None or eos is None else [eos, *ids]
        expected = document_bits(model, marked, 8, stride or 4) * math.log(2)
        expected += math.log(50) if bos is eos is None and ids else 0.0
        assert scores.nats[document] == pytest.approx(expected, rel=1e-5)
        assert scores.tokens[document] == max(0, len(marked) - 1) + (bos is eos is None and bool(ids))


@settings(max_examples=10)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 1000))
def test_neighbors_change_no_score(lengths, seed):
    tokens, model = make_tokens(lengths, seed=seed), make_model()
    together = score_documents(model, tokens, 8).nats
    starts = tokens.ends - tokens.lengths
    for document, (start, end) in enumerate(zip(starts, tokens.ends, strict=True)):
        ids = tokens.read(int(start), int(end)).astype(np.uint16)
        alone = TokenSplit(payloads=(ids,), ends=np.array([ids.size]), bytes=np.array([1]), vocab_size=50, bos=0)
        assert score_documents(model, alone, 8).nats[0] == pytest.approx(together[document], rel=1e-5, abs=1e-6)


def test_bits_per_byte_is_nats_by_bytes_and_ln_2():
    tokens = make_tokens([5, 90, 12, 3])
    scores = score_documents(make_model(), tokens, 8)
    loss = scores.nats.sum() / scores.tokens.sum()
    assert scores.bits_per_byte == pytest.approx(loss * scores.tokens.sum() / (tokens.bytes.sum() * math.log(2)))
    assert scores.tokens.tolist() == [4, 89, 11, 2] and scores.nats_per_token == pytest.approx(loss)


def test_the_same_text_under_two_tokenizers_has_the_same_bytes(tmp_path):
    texts = ["The mill turns, the river runs. " * 3, "naïve 漢字 🌾\r\n", "x", "e\u0301 is é", ""] * 3
    sizes = np.array([len(text.encode()) for text in texts])
    for size in (260, 300):
        coder = train_subwords(tmp_path / str(size), texts, size)
        ids = [[0, *coder(Ragged.from_strings([text])).data.tolist()] for text in texts]
        flat = np.array([i for each in ids for i in each], np.uint16)
        vocab_size, ends = coder.info.size, np.cumsum([len(each) for each in ids])
        tokens = TokenSplit(payloads=(flat,), ends=ends, bytes=sizes, vocab_size=vocab_size, bos=0)
        scores = score_documents(make_model(vocab_size, uniform=True), tokens, 8)
        assert scores.bytes.sum() == sizes.sum()
        expected = math.log2(vocab_size) * (flat.size - len(texts)) / sizes.sum()
        assert scores.bits_per_byte == pytest.approx(expected, rel=1e-6)


def test_a_uniform_model_of_bytes_costs_8_bits_a_byte():
    rng = np.random.default_rng(0)
    tokens = TokenSplit(
        payloads=(rng.integers(0, 256, 500).astype(np.uint16),),
        ends=np.array([200, 500]),
        bytes=np.array([200, 300]),
        vocab_size=256,
    )
    assert score_documents(make_model(256, uniform=True), tokens, 8).bits_per_byte == pytest.approx(8.0, rel=1e-6)


def test_without_bytes_there_are_no_bits_per_byte():
    tokens = make_tokens([5, 9])
    tokens.bytes[:] = 0
    assert score_documents(make_model(), tokens, 8).bits_per_byte is None


def test_windows_over_the_split_predict_each_token_once():
    tokens, model = make_tokens([100]), make_model()
    ids = torch.from_numpy(tokens.read(0, 100))[None]
    each = [model.nats(ids[:, at : at + 8][:, : 99 - at], ids[:, at + 1 : at + 9]) for at in range(0, 99, 8)]
    expected = torch.cat(each, 1)
    assert expected.shape == (1, 99) and window_loss(model, tokens, 8) == pytest.approx(
        expected.mean().item(), rel=1e-5
    )


@pytest.mark.parametrize("size", [8, 16, 24, 104, 112])
def test_the_size_of_a_forward_pass_changes_no_score(monkeypatch, size):
    """13 windows of 8 tokens in passes of 1, 2, 3, 13 and 14."""
    tokens, model = make_tokens([100]), make_model()
    scores, loss = score_documents(model, tokens, 8, 8).nats, window_loss(model, tokens, 8)
    monkeypatch.setattr("gristmill.pretrain.evaluation.perplexity.BATCH_TOKENS", size)
    assert score_documents(model, tokens, 8, 8).nats == pytest.approx(scores, rel=1e-5)
    assert window_loss(model, tokens, 8) == pytest.approx(loss, rel=1e-5)


def test_a_masked_model_is_always_asked_for_the_same_tokens():
    model = GPT(SHAPE.model_copy(update={"causal": False}))
    masking, tokens = Masking(vocab_size=50), make_tokens([300])
    first = window_loss(model, tokens, 8, masking=masking)
    torch.manual_seed(5)
    assert window_loss(model, tokens, 8, masking=masking) == first == pytest.approx(math.log(50), abs=0.1)


def test_a_stride_above_the_context_is_one_line():
    with pytest.raises(RecipeError, match="stride 9 is above the context of 8"):
        score_documents(make_model(), make_tokens([20]), 8, 9)


@pytest.mark.parametrize(("nats", "expected"), [(0.0, 0), (math.log(8), math.log(8)), (701.0, 700), (699.0, 699)])
def test_perplexity_is_that_of_a_token_up_to_e_to_the_700(nats, expected):
    losses = DocumentLosses(np.array([2 * nats, nats]), np.array([2, 1]), np.array([5, 3]))
    assert math.log(losses.perplexity) == pytest.approx(expected)
