"""Ids are those of the plain definition, of tokenizers and of tiktoken; and they decode to the very bytes."""

import random

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.ragged import Ragged
from tests.reference import bpe as plain
from tokenizers_lab.bpe import BpeSettings
from tokenizers_lab.count import WordCounts, count_words
from tokenizers_lab.exchange.hf import from_hf, to_hf
from tokenizers_lab.exchange.tiktoken import from_tiktoken, to_tiktoken
from tokenizers_lab.merge_text import SHORT, merge_long, merge_short, merges_of, queues
from tokenizers_lab.model import Model
from tokenizers_lab.split import PATTERNS
from tokenizers_lab.tokenizer import Tokenizer, rectangle
from tokenizers_lab.train import TokenizerSettings, train

TEXT = (
    "The miller's mill ground 1,234 sacks of grain; they'd GRIND, wouldn't they?  Ja, natürlich!\n\n\tif x_y == 3:\n"
    "漢字かな交じり文 и русский текст، عربي مُشَكَّل, हिन्दी ภาษาไทย 👩‍👩‍👧 🇩🇪 é\u0301 naïve "
)
ODD = [
    "",
    " ",
    "\n",
    "a",
    "\0",
    "\u2028\r",
    "a" * 3000,
    " " * 3001,
    "\n" * 2000,
    "👩‍👩‍👧" * 300,
    "ab" * 500 + "ba" * 33,
]
ODD += [
    "x" * (SHORT - 1) + "y",
    "x" * SHORT + "yz",
    "é" * 999,
    "漢" * 500,
    "a\u0301" * 200,
    "\u200d\ufeff\u00a0 \u3000",
]


def trained(split, size=600, **more):
    counts = count_words([Ragged.from_strings([TEXT * 3, TEXT[::-1], TEXT.upper()])], split)
    return train(counts, TokenizerSettings(split=split, vocab_size=size, bpe=BpeSettings(stop_early=True, **more)))


def ids_of(tokenizer, texts):
    ids = tokenizer(Ragged.from_strings(texts))
    return [ids.data[ids.offsets[i] : ids.offsets[i + 1]].tolist() for i in range(len(texts))]


@st.composite
def merges_and_text(draw):
    """Merges of up to four letters in any order, also one in which no training would find them."""
    pieces, merges = [b"a", b"b", b"c", b"d"], []
    for _ in range(draw(st.integers(0, 12))):
        left, right = draw(st.integers(0, len(pieces) - 1)), draw(st.integers(0, len(pieces) - 1))
        merges.append((left, right, len(pieces)))
        pieces.append(pieces[left] + pieces[right])
    merges = draw(st.permutations(merges))
    return merges, draw(st.lists(st.integers(0, 3), max_size=60))


@given(merges_and_text())
@example(([(0, 0, 4)], [0] * 7))
def test_both_ways_to_merge_are_the_plain_one(case):
    merges, symbols = case
    ranks = {}
    for rank, (left, right, whole) in enumerate(merges):
        ranks.setdefault((left, right), (rank, whole))
    expected = plain.merge(symbols, ranks)
    table, n = merges_of(*np.array(merges, np.int32).reshape(-1, 3).T), len(symbols)
    for merge in (merge_short, merge_long):
        room, at = np.array([*symbols, 0], np.int32), np.empty(n + 1, np.int32)
        more = queues(n + 1, table.made.size) if merge is merge_long else ()
        count = merge(room, at, n, *table, *more)
        assert room[:count].tolist() == expected
        assert all((queue == -1).all() for queue in more[:1]) and not any(word for word in (more[1] if more else ()))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(trained("o200k"))


@given(st.lists(st.binary(max_size=90), max_size=4))
def test_any_bytes_come_back(tokenizer, texts):
    text = Ragged.from_strings(texts)
    back = tokenizer.decode(tokenizer(text))
    assert [back.row(i) for i in range(back.rows)] == texts


@pytest.mark.parametrize("split", [*PATTERNS])
def test_ids_are_those_of_tokenizers(split):
    model = trained(split)
    ours, theirs = Tokenizer(model), tokenizers.Tokenizer.from_str(to_hf(model).decode())
    texts = [TEXT, TEXT.swapcase(), *ODD, *random_texts()]
    for text, ids in zip(texts, ids_of(ours, texts), strict=True):
        assert ids == theirs.encode(text).ids, text[:40]


def random_texts(count=60):
    rng = random.Random(5)
    kinds = ["ab ", "aAé\u0301漢1 .'s\n", "".join(map(chr, range(0x20, 0x2FF))), "\u0e01\u0e31🙂\u200d\u1f3fb𝒳"]
    return ["".join(rng.choices(rng.choice(kinds), k=rng.randint(1, 200))) for _ in range(count)]


@pytest.mark.parametrize("split", ["gpt2", "cl100k-tiktoken", "o200k"])
def test_ids_are_those_of_tiktoken(split):
    model = trained(split, rule="tiktoken")
    ranks = {piece: id for id, piece in enumerate(model.pieces) if id not in model.special.values()}
    theirs = tiktoken.Encoding("ours", pat_str=PATTERNS[split][0], mergeable_ranks=ranks, special_tokens=model.special)
    texts = [TEXT, *ODD, *random_texts()]
    for text, ids in zip(texts, ids_of(Tokenizer(model), texts), strict=True):
        assert ids == theirs.encode_ordinary(text), text[:40]


def test_tables_that_are_emptied_change_nothing(tokenizer, monkeypatch):
    monkeypatch.setattr("tokenizers_lab.encode.LINES", 16)
    monkeypatch.setattr("tokenizers_lab.encode.WORDS", 4)
    texts = [TEXT, *ODD, *random_texts(), TEXT]
    assert ids_of(Tokenizer(tokenizer.model), texts) == ids_of(tokenizer, texts)


def test_words_and_characters_are_written_in_bytes_where_they_are_not_known():
    counts = count_words([Ragged.from_strings(["the mill and the mill and the wind"])], "o200k")
    words = train(counts, TokenizerSettings(algorithm="words", vocab_size=259))
    assert words.pieces[257:] == [b" and", b" mill"]  # each twice: of equals the smaller bytes
    assert Tokenizer(words).encode(" mill and x")[:2] == [258, 257]
    chars = train(counts, TokenizerSettings(algorithm="chars", vocab_size=260))
    assert Tokenizer(chars).decode_ids(Tokenizer(chars).encode("the Ω mill")) == "the Ω mill"
    assert len(Tokenizer(chars).encode("the Ω")) == 6  # Ω is two bytes


def test_characters_without_bytes_make_one_unknown_id_of_a_run():
    bpe = BpeSettings(level="characters", byte_fallback=False, stop_early=True)
    counts = WordCounts.of({"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5})
    model = train(counts, TokenizerSettings(split="whitespace", vocab_size=12, bpe=bpe))
    tokenizer = Tokenizer(model)
    assert [model.pieces[id].decode() for id in tokenizer.encode("bugxyzmug")] == ["b", "ug", "<unk>", "ug"]


def test_special_tokens_in_text_are_text_unless_allowed(tokenizer):
    end = tokenizer.model.special["<|endoftext|>"]
    assert end not in tokenizer.encode("one<|endoftext|>two")
    ids = tokenizer.encode("one<|endoftext|>two", allowed="all")
    assert ids == [*tokenizer.encode("one"), end, *tokenizer.encode("two")]
    assert tokenizer.decode_ids(ids) == "one<|endoftext|>two"


def test_offsets_are_where_text_begins(tokenizer):
    ids = tokenizer(Ragged.from_strings(["", TEXT, "mill"]))
    offsets = tokenizer.offsets(ids)
    for row, text in enumerate(["", TEXT, "mill"]):
        begin, stop = ids.offsets[row], ids.offsets[row + 1]
        for id, at in zip(ids.data[begin:stop], offsets[begin:stop], strict=True):
            piece = tokenizer.model.pieces[id]
            assert text.encode()[at : at + len(piece)] == piece


def test_a_rectangle_cuts_what_is_long_and_pads_what_is_short():
    ids = Ragged(np.array([0, 0, 2, 6]), np.array([1, 2, 3, 4, 5, 6], np.uint16))
    assert rectangle(ids, 3, 9).tolist() == [[9, 9, 9], [1, 2, 9], [3, 4, 5]]
    assert rectangle(ids, 3, 9, cut_left=True).tolist()[2] == [4, 5, 6]


def test_formats_of_others_come_back_as_they_were():
    model = trained("cl100k", rule="tiktoken")
    for back in (from_hf(to_hf(model)), from_tiktoken(to_tiktoken(model), "cl100k", model.special)):
        assert (back.pieces, back.split, back.special) == (model.pieces, model.split, model.special)
        assert ids_of(Tokenizer(back), [TEXT, *ODD]) == ids_of(Tokenizer(model), [TEXT, *ODD])


def test_a_whole_piece_counts_before_merges_where_the_model_says_so():
    pieces = [bytes([b]) for b in range(256)] + [b"ab", b"abc"]
    merges = np.array([[97, 98, 256]], np.int32)
    plain_one = Model("bpe", "gpt2", pieces, merges)
    assert Tokenizer(plain_one).encode("abc") == [256, 99]
    assert Tokenizer(Model("bpe", "gpt2", pieces, merges, whole=True)).encode("abc") == [257]
