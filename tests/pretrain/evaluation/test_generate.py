"""Ways to choose the next token, with a cache that changes nothing."""

import math
from itertools import product

import pytest
import torch

from gristmill.pipelines.errors import RecipeError
from gristmill.pretrain.evaluation.generate import Decoder, Sampling, beam_search, filter_logits, generate
from gristmill.pretrain.model.config import ModelConfig
from gristmill.pretrain.model.gpt import GPT

SHAPE = ModelConfig(vocab_size=11, context=12, n_layers=2, d_model=32, n_heads=2)


@pytest.fixture
def model():
    model = GPT(SHAPE)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape) * 0.3)
    return model.eval()


def greedy_by_hand(model, ids, count):
    """Without a cache. Once the context is full, the newer half of it is all that is seen, until that is full again."""
    ids, begin = list(ids), max(0, len(ids) - 12)
    for _ in range(count):
        if len(ids) - begin > 12:
            begin = len(ids) - 6
        with torch.no_grad():
            ids.append(int(model.logits(model.hidden(torch.tensor([ids[begin:]])))[0, -1].argmax()))
    return ids[-count:]


@pytest.mark.parametrize("prompt", [[1], [1, 2, 3], [*range(11), 0], [*range(11)] * 2])
def test_greedy_is_the_likeliest_token_beyond_the_context_too(model, prompt):
    greedy = Sampling(max_new_tokens=30, temperature=0)
    assert generate(model, prompt, greedy) == [greedy_by_hand(model, prompt, 30)]


@pytest.mark.parametrize(
    "changes", [{"top_k": 1}, {"top_p": 1e-9}, {"temperature": 1e-6}, {"num_beams": 1, "top_k": 1}]
)
def test_narrow_choices_are_greedy(model, changes):
    greedy = generate(model, [1, 2], Sampling(max_new_tokens=9, temperature=0))
    assert generate(model, [1, 2], Sampling(max_new_tokens=9, **changes), copies=3) == greedy * 3


def test_copies_differ_and_seeds_decide(model):
    sampling = Sampling(max_new_tokens=9, temperature=2.0)
    first = generate(model, [1], sampling, copies=4)
    assert len({tuple(ids) for ids in first}) > 1 and generate(model, [1], sampling, copies=4) == first
    assert generate(model, [1], sampling.model_copy(update={"seed": 1}), copies=4) != first


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (Sampling(), [0, 1, 2, 3]),
        (Sampling(top_k=2), [0, 1]),
        (Sampling(top_k=9), [0, 1, 2, 3]),
        (Sampling(top_p=0.5), [0]),
        (Sampling(top_p=0.51), [0, 1]),
        (Sampling(top_p=0.85), [0, 1, 2]),
        (Sampling(top_p=0.01), [0]),
        (Sampling(top_k=3, top_p=0.8), [0, 1]),  # 0.5 + 0.3 of the 0.95 that top_k leaves
        (Sampling(temperature=0.25, top_p=0.85), [0]),  # 0.88 of the chances, cooled
    ],
)
def test_what_may_be_chosen(sampling, kept):
    left = filter_logits(torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log(), sampling)
    assert torch.isfinite(left)[0].nonzero().flatten().tolist() == kept


def test_samples_come_as_often_as_they_should(model):
    with torch.no_grad():
        expected = model.logits(model.hidden(torch.tensor([[3, 4]])))[0, -1].softmax(-1)
    drawn = generate(model, [3, 4], Sampling(max_new_tokens=1), copies=20_000)
    found = torch.bincount(torch.tensor(drawn).flatten(), minlength=11) / 20_000
    assert (found - expected).abs().max() < 0.02


def test_a_stop_token_ends_a_text_and_is_no_part_of_it(model):
    greedy = greedy_by_hand(model, [1, 2], 9)
    stop = greedy[4]
    until = greedy[: greedy.index(stop)]
    assert (
        generate(model, [1, 2], Sampling(max_new_tokens=9, temperature=0, stop_tokens=(stop,)), copies=2) == [until] * 2
    )


def chance(model, prompt, written):
    with torch.no_grad():
        logs = model.logits(model.hidden(torch.tensor([prompt + written])))[0].log_softmax(-1)
    return sum(logs[len(prompt) - 1 + i, token].item() for i, token in enumerate(written))


@pytest.mark.parametrize("beams", [2, 4, 11])
def test_beams_find_what_is_likelier_than_greedy_and_wide_ones_the_likeliest(model, beams):
    prompt, greedy = [1, 2], generate(model, [1, 2], Sampling(max_new_tokens=2, temperature=0))[0]
    written, score = beam_search(model, prompt, Sampling(max_new_tokens=2, num_beams=beams))
    assert score == pytest.approx(chance(model, prompt, written), abs=1e-4)
    if beams == 11:
        every = max(product(range(11), repeat=2), key=lambda ids: chance(model, prompt, list(ids)))
        assert written == list(every) and score >= chance(model, prompt, greedy) - 1e-5


def test_beams_weigh_texts_that_have_ended(model):
    every = [
        (chance(model, [1, 2], list(ids)), ids)
        for length in (1, 2)
        for ids in product(range(11), repeat=length)
        if 7 not in ids[:-1] and (length == 2 or ids[-1] == 7)
    ]
    score, ids = max(every)
    written, found = beam_search(model, [1, 2], Sampling(max_new_tokens=2, num_beams=11, stop_tokens=(7,)))
    assert found == pytest.approx(score, abs=1e-4) and written == [token for token in ids if token != 7]


def test_one_beam_is_greedy(model):
    assert beam_search(model, [1, 2], Sampling(max_new_tokens=8))[0] == greedy_by_hand(model, [1, 2], 8)


def test_a_full_cache_goes_on_from_the_newer_half(model):
    with torch.no_grad():
        decoder = Decoder(model, [*range(11), 0], 1)
        assert decoder.cache.length == 12
        decoder.add(torch.tensor([5]))
    assert decoder.cache.length == 6 and math.isfinite(decoder.logits_BV.sum())


@pytest.mark.parametrize(
    ("prompt", "shape", "words"),
    [
        ([], SHAPE, "the prompt is empty; begin with a token"),
        ([11], SHAPE, "the prompt holds token 11; expected 0 to 10"),
        ([-1], SHAPE, "the prompt holds token -1; expected 0 to 10"),
        ([1], SHAPE.model_copy(update={"causal": False}), "a masked language model .* cannot continue text"),
    ],
)
def test_prompts_that_cannot_be_are_one_line(prompt, shape, words):
    with pytest.raises(RecipeError, match=words):
        generate(GPT(shape), prompt, Sampling())


@pytest.mark.parametrize("beams", [1, 2])
def test_a_stop_token_outside_the_vocabulary_is_one_line(model, beams):
    generate(model, [10], Sampling(max_new_tokens=1, num_beams=beams, stop_tokens=(0, 10)))
    with pytest.raises(RecipeError, match=r"sample.stop_tokens holds token 11; expected 0 to 10"):
        generate(model, [1], Sampling(num_beams=beams, stop_tokens=(0, 11)))
