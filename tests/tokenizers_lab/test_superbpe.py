"""Superwords are those of the plain definition, and the ids of an export those of tokenizers."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab import superbpe
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import count_words
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.huggingface_read import read_huggingface
from gristmill.tokenizers_lab.pretokenize import pretokenize
from gristmill.tokenizers_lab.superbpe import SuperbpeSettings, cut_at_rare_pairs
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from tests.reference import superbpe as plain

TEXT = (
    "The miller of the mill said that the miller's wheel, as a rule, goes round and round: the mill of the town is the "
    "mill of the people of the town.\n\n    if the_mill is not None and the_mill of 1,234 sacks: grind(the_mill)\n"
    "磨坊 的 石头 and the mill 磨坊 of 방앗간의 물레 방아 и мельница на реке и мельница на горе. "
    "It'll be the miller of the mill!"
)


def table(texts, pretokenizer):
    return count_words([Ragged.from_strings(texts)], pretokenizer)


def trained(texts, first, size, parts=1, **more):
    settings = TokenizerSettings(
        algorithm="superbpe",
        vocab_size=size,
        special_tokens=[],
        bpe=BpeSettings(compat="tiktoken"),
        superbpe=SuperbpeSettings(transition=first, **more),
    )
    tables = [table(texts[part::parts], "superwords") for part in range(parts)]
    return train(table(texts, "o200k"), settings, superwords=tables)


def spelled(merges):
    pieces = [bytes([b]) for b in range(256)]
    for left, right, _ in merges:
        pieces.append(pieces[left] + pieces[right])
    return pieces[256:]


def counted(texts, pretokenizer):
    cut = pretokenize(Ragged.from_strings(texts), pretokenizer).offsets.tolist()
    data = "".join(texts).encode()
    return Counter(data[a:b] for a, b in pairwise(cut))


@given(
    st.lists(st.sampled_from([*"abc", "ab", "the", "of the"]), min_size=4, max_size=60).map(" ".join),
    st.integers(257, 262),
    st.integers(1, 4),
    st.sampled_from([4, 1 << 12]),
)
@example("a b a b a b a b a b", 257, 1, 1 << 12)
@example("of the of the of the of the", 260, 2, 4)
def test_merges_are_those_of_the_definition(text, first, max_words, counters):
    """Of four counters nearly all pairs share one, and few rare pairs are cut."""
    texts = [text, text[3:], "the of " + text]
    words, superwords = counted(texts, "o200k"), counted(texts, "superwords")
    made = plain.train_superbpe(words, superwords, first, 280, max_words)
    if any(b" " in piece.strip() for piece in spelled(made)[first - 256 :]):  # the first stage has as many as asked for
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(superbpe, "COUNTERS", counters)
            patch.setattr(superbpe, "BLOCK_BYTES", 8)
            found = trained(texts, first, 256 + len(made), parts=2, max_words=max_words)
        assert found.merges.tolist() == [list(merge) for merge in made]


def test_a_novel_sentence_gives_superwords_within_the_limits():
    model = trained([TEXT] * 3, 330, 400)
    joined = [piece.decode(errors="replace") for piece in model.pieces[330:] if b" " in piece.strip()]
    assert " of the mill" in joined
    assert all(1 <= piece.count(" ") <= 4 and ": " not in piece and ", " not in piece for piece in joined)
    assert not any("磨" in piece or "石" in piece for piece in joined)


def test_ids_of_an_export_are_those_of_tokenizers():
    tokenizers = pytest.importorskip("tokenizers")
    model = trained([TEXT] * 3, 330, 420)
    data = to_huggingface(model)
    theirs, ours, again = tokenizers.Tokenizer.from_str(data.decode()), Tokenizer(model), read_huggingface(data).model
    assert again.pretokenizer == "superwords"
    texts = [
        TEXT,
        TEXT.upper(),
        TEXT[::-1],
        "The  mill of\tthe town",
        "of the mill\nof the mill",
        "(the mill) of the",
        "",
    ]
    for text in texts:
        assert theirs.encode(text, add_special_tokens=False).ids == ours.encode(text) == Tokenizer(again).encode(text)
        assert ours.decode_ids(ours.encode(text)) == text


@given(st.lists(st.lists(st.integers(0, 3), max_size=6), max_size=6), st.integers(0, 30))
def test_rows_are_cut_between_rare_pairs(rows, least):
    ids = Ragged.from_arrays(np.cumsum([0, *map(len, rows)]), np.array([i for row in rows for i in row], np.uint16))
    counts, pairs = np.arange(1, len(rows) + 1), np.zeros(1 << 12, np.int64)
    superbpe.count_pairs(*ids, counts, pairs)
    often = Counter()
    for row, count in zip(rows, counts.tolist(), strict=True):
        for pair in pairwise(row):
            often[pair] += count
    expected = []
    for row, count in zip(rows, counts.tolist(), strict=True):
        part = row[:1]
        for pair in pairwise(row):
            if often[pair] < least:
                expected.append((part, count))
                part = []
            part = [*part, pair[1]]
        expected.append((part, count))
    offsets, kept, of_part = cut_at_rare_pairs(*ids, counts, pairs, least)
    found = [kept[a:b].tolist() for a, b in pairwise(offsets)]
    assert [*zip(found, of_part.tolist(), strict=True)] == [part for part in expected if len(part[0]) > 1]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"pretokenizer": "gpt2"}, "the pre-tokenizer superwords"),
        ({"bpe": BpeSettings(alphabet="characters")}, "bpe.alphabet bytes"),
        ({"vocab_size": 900, "superbpe": SuperbpeSettings(transition=300)}, "300 pieces of words and"),
    ],
)
def test_what_cannot_be_is_said(settings, told):
    wanted = TokenizerSettings(algorithm="superbpe", **settings)
    with pytest.raises(RecipeError, match=told):
        train(table([TEXT], "o200k"), wanted, superwords=[table([TEXT], "superwords")])
