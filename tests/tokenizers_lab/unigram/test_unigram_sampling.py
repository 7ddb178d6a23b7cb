"""The best few ways, ways by chance and their entropy, against all ways one by one; and SentencePiece's n-best."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.unigram.encode import UnigramEncoder
from gristmill.tokenizers_lab.unigram.sampling import LatticeSampler
from tests.reference import unigram as plain
from tests.tokenizers_lab.unigram.test_unigram_encoding import encode, models  # noqa: F401

scores_of = st.dictionaries(st.text("▁abé", min_size=1, max_size=3), st.floats(-6, -0.125, width=32), max_size=8)
TEXT = st.text("▁abéx", max_size=7)


def made(scores):
    """An encoder, its pieces' scores by text, and that of the unknown character."""
    scores = {"q": -6.5} | scores
    pieces = [b"<unk>", *(piece.encode() for piece in scores)]
    encoder = UnigramEncoder(pieces, np.array([np.nan, *scores.values()], np.float32), unknown=0)
    return encoder, scores, min(scores.values()) - 10


def fused(way, ids):
    """The ids of a way; unknown characters in a row are one."""
    found = []
    for piece in way:
        if piece is not None or not found or found[-1] != 0:
            found.append(0 if piece is None else ids[piece])
    return found


@given(scores_of, TEXT, st.integers(1, 9))
def test_the_best_few_are_the_best_of_all(scores, text, count):
    encoder, scores, unknown = made(scores)
    ids, values = LatticeSampler(encoder).nbest(Ragged.from_strings([text]), count)
    every = {way: sum(scores.get(p, unknown) for p in way) for way in plain.ways(text, {*scores})}
    assert values.tolist() == pytest.approx(sorted(every.values(), reverse=True)[:count])
    number = {piece: id for id, piece in enumerate(scores, 1)}
    left = [(fused(way, number), value) for way, value in every.items()]
    for row, value in enumerate(values):
        found = ids.data[ids.offsets[row] : ids.offsets[row + 1]].tolist()
        match = next(i for i, (way, its) in enumerate(left) if way == found and its == pytest.approx(value))
        del left[match]  # each way comes once


@given(scores_of, st.lists(TEXT, max_size=3), st.floats(0, 2))
def test_entropy_is_that_of_all_ways(scores, texts, alpha):
    encoder, scores, unknown = made(scores)
    found = LatticeSampler(encoder).entropy(Ragged.from_strings(texts), alpha)
    for text, entropy in zip(texts, found, strict=True):
        odds = [
            math.exp(alpha * sum(scores.get(piece, unknown) for piece in way)) for way in plain.ways(text, {*scores})
        ]
        shares = [one / sum(odds) for one in odds]
        assert entropy == pytest.approx(-sum(p * math.log(p) for p in shares if p), abs=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_ways_are_drawn_as_often_as_they_should_be(alpha):
    encoder, scores, unknown = made({"▁": -2.0, "a": -1.5, "b": -2.5, "ab": -2.0, "▁a": -3.0, "▁ab": -4.5, "ba": -3.5})
    text, draws, ways = "▁abaxab", 20_000, LatticeSampler(encoder)
    rows = Ragged.from_strings([text] * draws)
    ids = ways.sample(rows, alpha, 5, np.arange(draws))
    seen = Counter(tuple(ids.data[a:b].tolist()) for a, b in zip(ids.offsets[:-1], ids.offsets[1:], strict=True))
    number, odds = {piece: id for id, piece in enumerate(scores, 1)}, Counter()
    for way in plain.ways(text, {*scores}):
        odds[tuple(fused(way, number))] += math.exp(alpha * sum(scores.get(piece, unknown) for piece in way))
    assert set(seen) <= set(odds)
    for way, chance in odds.items():
        share = chance / sum(odds.values())
        assert abs(seen[way] - draws * share) < 5 * math.sqrt(draws * share * (1 - share)) + 1, way


@given(scores_of, st.lists(TEXT, max_size=4), st.floats(0, 1), st.integers(0, 2**64 - 1))
def test_a_document_is_cut_alike_in_every_batch(scores, texts, alpha, seed):
    ways = LatticeSampler(made(scores)[0])
    together = ways.sample(Ragged.from_strings(texts), alpha, seed, np.arange(len(texts)) + 7)
    for row, text in enumerate(texts):
        alone = ways.sample(Ragged.from_strings([text]), alpha, seed, np.array([row + 7]))
        assert alone.data.tolist() == together.data[together.offsets[row] : together.offsets[row + 1]].tolist()


@pytest.mark.parametrize("fallback", [False, True])
def test_the_best_few_are_sentencepieces(models, fallback):  # noqa: F811
    """Scores in float32 there: ways that are as good as equal may change places."""
    processors, lines = models
    theirs, ours = processors[fallback]
    for text in [*(line[:60] for line in lines[:20]), "unload 漢 x", "rewriteswriteréé"]:
        words = "▁" + "▁".join(text.split())
        ids, values = LatticeSampler(ours).nbest(Ragged.from_strings([words]), 8)
        found = [ids.data[a:b].tolist() for a, b in zip(ids.offsets[:-1], ids.offsets[1:], strict=True)]
        expected = theirs.nbest_encode_as_ids(" ".join(text.split()), nbest_size=8)
        assert len(found) == len(expected) and found[0] == expected[0]
        costs = [[sum(theirs.get_score(id) for id in ids) for ids in ways] for ways in (found, expected)]
        assert costs[0] == pytest.approx(costs[1], abs=1e-3)
        certain = [k for k in range(7) if k + 1 < len(values) and values[k] - values[k + 1] > 1e-3]
        for k in certain:  # up to a gap the same ways, in whatever order
            assert sorted(found[: k + 1]) == sorted(expected[: k + 1])


def test_far_from_certain_and_only_unigram():
    from tests.tokenizers_lab.encode.test_bpe_encoding import trained

    with pytest.raises(RecipeError, match="only segmentations of unigram have probabilities; found bpe"):
        Tokenizer(trained("gpt2")).encode_nbest("text", 3)
    encoder, _, _ = made({"a": -1.0, "aa": -2.0})
    assert LatticeSampler(encoder).entropy(Ragged.from_strings(["", "q", "aa"]), 1.0).tolist() == pytest.approx(
        [0, 0, math.log(2)]
    )
    long = Ragged.from_strings(["a" * 100_000])
    assert LatticeSampler(encoder).entropy(long, 1.0)[0] > 40_000  # no over- or underflow
    assert LatticeSampler(encoder).sample(long, 0.0, 0, np.zeros(1)).data.size > 50_000
