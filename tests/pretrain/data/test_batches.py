"""Which tokens a step sees is a function of seed and step, whoever asks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from token_folders import make_tokens, token_folder

from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.data.batches import Loader, TokenSplit
from gristmill.pretrain.data.masking import Masking
from gristmill.pretrain.data.packing import IGNORE_INDEX, PACKINGS

TOKENS = make_tokens([7, 1, 0, 40, 13, 22, 5, 90], shards=3)


@given(st.integers(0, 178), st.integers(0, 178))
def test_tokens_are_read_across_shards(start, stop):
    whole = np.concatenate(TOKENS.payloads)
    assert TOKENS.read(start, stop).tolist() == whole[start:stop].tolist()


@given(st.integers(1, 9), st.integers(1, 4), st.sampled_from(sorted(PACKINGS)))
def test_ranks_share_a_step_and_steps_share_an_epoch(batch, world, kind):
    one = Loader(TOKENS, 8, batch, 3, kind)
    many = [Loader(TOKENS, 8, batch, 3, kind, rank=rank, world_size=world) for rank in range(world)]
    seen = []
    for step in range(-(-2 * one.rows // batch)):
        together = one.samples(step)
        assert sorted(together) == sorted(sample for each in many for sample in each.samples(step))
        seen += one.rows_of(together).tolist()
    for epoch in (seen[: one.rows], seen[one.rows : 2 * one.rows]):
        assert sorted(epoch) == list(range(one.rows))


def test_batches_from_any_step_are_those_of_the_whole_run():
    loader = Loader(TOKENS, 8, 5, seed=1)
    whole = list(loader.batches(0, 12))
    for first in (0, 5, 11):
        for batch, expected in zip(loader.batches(first, 12), whole[first:], strict=True):
            assert np.array_equal(batch.inputs, expected.inputs) and np.array_equal(batch.targets, expected.targets)


def test_a_position_says_in_four_integers_where_a_run_stands():
    loader = Loader(TOKENS, 8, 5, seed=9)
    assert loader.rows == 23  # 177 targets in windows of 8
    assert loader.position(0) == {"seed": 9, "epoch": 0, "index": 0, "rows": 23}
    assert loader.position(5) == {"seed": 9, "epoch": 1, "index": 2, "rows": 23}


def test_targets_are_the_next_tokens_and_rows_are_filled_up():
    loader = Loader(TOKENS, 8, 23)
    batch, whole = loader.load(0), np.concatenate(TOKENS.payloads)
    for row, inputs, targets in zip(loader.rows_of(loader.samples(0)), *batch[:2], strict=True):
        real = whole[row * 8 : row * 8 + 9]
        assert inputs[: real.size - 1].tolist() == real[:-1].tolist()
        assert targets.tolist() == real[1:].tolist() + [IGNORE_INDEX] * (9 - real.size)


def test_documents_are_numbered_within_their_row():
    tokens = make_tokens([3, 2, 6, 5])
    loader = Loader(tokens, 5, 3, packing="stream+docmask")
    batch = loader.load(0)
    rows = dict(zip(loader.rows_of(loader.samples(0)), batch.documents.tolist(), strict=True))
    assert rows[0] == [0, 0, 0, 1, 1] and rows[1] == [0, 0, 0, 0, 0] and rows[2] == [0, 1, 1, 1, 1]


def test_whole_documents_share_a_row_and_not_their_targets():
    bits = [0, 0, 1, 1, 0, 0, 1, 0], [1, 1, 1, 1]
    cut = tuple(np.packbits(part, bitorder="little") for part in bits)  # the last document is in another payload
    tokens = make_tokens([3, 2, 3, 4], shards=2)
    tokens = replace(tokens, payloads=(tokens.read(0, 8), tokens.read(8, 12)), learned=cut)
    batch = Loader(tokens, 5, 2, packing="whole").load(0)
    ids, none = tokens.read(0, 12).tolist(), IGNORE_INDEX
    rows = {tuple(map(tuple, row)) for row in zip(*map(np.ndarray.tolist, batch), strict=True)}
    assert rows == {
        ((*ids[8:11], *ids[:2]), (*ids[9:12], none, ids[2]), (0, 0, 0, 1, 1)),
        ((*ids[5:7], ids[3], 0, 0), (ids[6], none, none, none, none), (0, 0, 1, 2, 2)),
    }


@given(st.integers(0, 178), st.integers(0, 178))
def test_bits_of_what_is_learned_are_read_across_shards(start, stop):
    bits = np.random.default_rng(0).random(178) < 0.5
    sizes = [payload.size for payload in TOKENS.payloads]
    parts = np.split(bits, np.cumsum(sizes)[:-1])
    tokens = replace(TOKENS, learned=tuple(np.packbits(part, bitorder="little") for part in parts))
    assert tokens.read_learned(start, stop).tolist() == bits[start:stop].tolist()


def test_a_folder_of_shards_gives_its_documents(tmp_path):
    texts = [f"document {i} says {'more and ' * (i % 7)}more" for i in range(40)]
    shards = TokenShards(token_folder(tmp_path, texts))
    train, validation = TokenSplit.from_shards(shards, "train"), TokenSplit.from_shards(shards, "validation")
    assert train.ends.size + validation.ends.size == 40 and validation.ends.size
    sizes = np.concatenate([train.bytes, validation.bytes])
    assert sorted(sizes) == sorted(len(text) for text in texts)
    starts = train.ends - train.lengths
    assert all(train.read(int(start), int(start) + 1) == train.bos == 0 for start in starts)
    assert train.fingerprint != validation.fingerprint


def test_an_id_above_the_vocabulary_is_one_line():
    tokens = make_tokens([50], vocab_size=50)
    tokens.payloads[0][33] = 50
    with pytest.raises(InputError, match=r"token 33 is 50, but the vocabulary has 50; tokenize again"):
        Loader(tokens, 49, 1).load(0)


def test_a_context_longer_than_the_data_is_one_line():
    with pytest.raises(RecipeError, match=r"context 100 is longer than tokens, which holds 40 tokens; choose"):
        Loader(make_tokens([40]), 100, 1)
    with pytest.raises(RecipeError, match=r"which holds 100 tokens"):
        Loader(make_tokens([100]), 100, 1)
    assert Loader(make_tokens([101]), 100, 1).rows == 1


def test_a_packing_without_a_full_row_is_one_line():
    with pytest.raises(RecipeError, match="fills no row of 9 tokens with packing 'pad'"):
        Loader(make_tokens([1] * 20), 8, 1, packing="pad")


def test_ends_that_do_not_fit_the_ids_are_one_line():
    with pytest.raises(InputError, match=r"holds 10 tokens, but its documents end at 11"):
        TokenSplit(payloads=(np.zeros(10, np.uint16),), ends=np.array([11]), bytes=np.array([1]), vocab_size=5)


def test_masking_hides_its_share_and_asks_for_what_stood_there():
    tokens = make_tokens([40_001], vocab_size=1000)
    plain, hidden = (
        Loader(tokens, 100, 400, 4, masking=masking).load(0)
        for masking in (None, Masking(mask_probability=0.2, vocab_size=1000))
    )
    chosen = hidden.targets != IGNORE_INDEX
    assert np.array_equal(hidden.targets[chosen], plain.inputs[chosen])
    assert np.array_equal(hidden.inputs[~chosen], plain.inputs[~chosen])
    now, was = hidden.inputs[chosen], plain.inputs[chosen]
    assert abs(chosen.mean() - 0.2) < 0.01
    assert abs((now == 1000).mean() - 0.8) < 0.02 and abs((now == was).mean() - 0.1) < 0.02


def test_what_is_hidden_depends_on_seed_and_sample_alone():
    masking = Masking(mask_probability=0.15, vocab_size=50)
    whole = Loader(TOKENS, 8, 6, 2, masking=masking).load(4)
    halves = [Loader(TOKENS, 8, 6, 2, masking=masking, rank=rank, world_size=2).load(4) for rank in (0, 1)]
    for rank, half in enumerate(halves):
        assert np.array_equal(half.inputs, whole.inputs[rank::2])
        assert np.array_equal(half.targets, whole.targets[rank::2])
    other = Loader(TOKENS, 8, 6, 3, masking=masking).load(4)
    assert not np.array_equal(other.targets, whole.targets)


def test_every_row_hides_something():
    hidden = Loader(
        make_tokens([2] * 50), 8, 50, packing="pad", masking=Masking(mask_probability=0.01, vocab_size=50)
    ).load(0)
    assert ((hidden.targets != IGNORE_INDEX).sum(1) == 1).all()
