"""Ids are those of the plain definition, of tokenizers and of tiktoken; and they decode to the very bytes."""

import random
from itertools import pairwise

import numpy as np
import pytest
import tiktoken
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.bpe.train_bpe import BpeSettings
from gristmill.tokenizers_lab.count.word_counts import WordCounts, count_words
from gristmill.tokenizers_lab.encode.apply_merges import SHORT, merge_long, merge_run, merge_short, rank_queues
from gristmill.tokenizers_lab.encode.cache import LINE_BYTES, LONG_BYTES
from gristmill.tokenizers_lab.encode.encoder import Encoder
from gristmill.tokenizers_lab.encode.initial_symbols import premergeable_characters, with_barriers
from gristmill.tokenizers_lab.encode.merge_table import BARRIER, NEVER, entry_of, merge_table, rank_of
from gristmill.tokenizers_lab.formats.huggingface import to_huggingface
from gristmill.tokenizers_lab.formats.huggingface_read import read_huggingface
from gristmill.tokenizers_lab.formats.model import Model
from gristmill.tokenizers_lab.formats.tiktoken import from_tiktoken, to_tiktoken
from gristmill.tokenizers_lab.pretokenize import PATTERNS
from gristmill.tokenizers_lab.tokenizer import Tokenizer
from gristmill.tokenizers_lab.train import TokenizerSettings, train
from tests.reference import bpe as plain

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


def trained(pretokenizer, size=600, **more):
    counts = count_words([Ragged.from_strings([TEXT * 3, TEXT[::-1], TEXT.upper()])], pretokenizer)
    return train(
        counts,
        TokenizerSettings(pretokenizer=pretokenizer, vocab_size=size, bpe=BpeSettings(allow_smaller=True, **more)),
    )


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
    return merges, draw(
        st.lists(st.integers(0, 3), max_size=SHORT) | st.lists(st.integers(0, 1), min_size=SHORT - 2, max_size=SHORT)
    )


def merged_by(way, symbols, table):
    """The symbols left by ``merge_short`` or ``merge_long``, which leaves its queues empty."""
    if not symbols:
        return []
    n = len(symbols)
    room, ranks, more = np.array(symbols, np.int32), np.empty(max(n, SHORT), np.int32), rank_queues(n, table.made.size)
    ranks[:n] = [*(rank_of(table.pairs, *pair) for pair in pairwise(symbols)), NEVER]
    count = way(room, 0, n, ranks, *table) if way is merge_short else way(room, ranks, *table, more)
    assert (more.head == -1).all() and not more.waiting.any()
    return room[:count].tolist()


@given(merges_and_text())
@example(([(0, 0, 4)], [0] * 7))
@example(([(0, 0, 4)], [0] * SHORT))
@example(([(0, 1, 4), (4, 4, 5), (5, 5, 6)], [0, 1] * (SHORT // 2)))
def test_both_ways_to_merge_are_the_plain_one(case):
    merges, symbols = case
    table = merge_table(*np.array(merges, np.int32).reshape(-1, 3).T)
    expected = plain.merge(symbols, ranks_of(merges))
    assert merged_by(merge_short, symbols, table) == expected
    assert merged_by(merge_long, symbols, table) == expected


@st.composite
def merges_of_one_letter(draw):
    """Merges of what one letter becomes, in a training's order or any other, and how many letters."""
    merges = []
    for whole in range(1, draw(st.integers(2, 11))):
        merges.append((draw(st.integers(0, whole - 1)), draw(st.integers(0, whole - 1)), whole))
    return draw(st.just(merges) | st.permutations(merges)), draw(st.integers(1, 200))


@given(merges_of_one_letter())
@example(([(0, 0, 1), (1, 1, 2), (1, 0, 3), (2, 3, 4)], 7))
def test_a_run_of_one_symbol_merges_as_any_text(case):
    merges, count = case
    table, room = merge_table(*np.array(merges, np.int32).T), np.zeros(count, np.int32)
    left = merge_run(room, 0, count, np.empty(count, np.int32), *table)
    if left < 0:
        assert not room.any() and merges != sorted(merges, key=lambda merge: merge[2])
    else:
        assert room[:left].tolist() == plain.merge([0] * count, ranks_of(merges))


def test_what_is_no_run_is_not_taken_for_one():
    assert (
        merge_run(np.array([0, 0, 1], np.int32), 0, 3, np.empty(3, np.int32), *merge_table(*np.zeros((3, 1), int)))
        == -1
    )


def ranks_of(merges):
    ranks = {}
    for rank, (left, right, whole) in enumerate(merges):
        ranks.setdefault((left, right), (rank, whole))
    return ranks


BYTES = "aé\u0e01\u0e41漢".encode() + b"\xbf"  # characters that share bytes, and one that begins none


@st.composite
def merges_of_bytes(draw):
    """Merges of these bytes, mostly ones that make whole characters, in any order."""
    pieces, merges = [bytes([b]) for b in range(256)], []
    likely = [c.encode() for c in "é\u0e01\u0e41漢"]
    for _ in range(draw(st.integers(0, 16))):
        if draw(st.booleans()):
            whole = draw(st.sampled_from(likely))
            cuts = [(whole[:i], whole[i:]) for i in range(1, len(whole))]
            left, right = draw(st.sampled_from(cuts))
            if left not in pieces or right not in pieces:
                left, right = whole[:1], whole[1:2]
        else:
            left, right = (draw(st.sampled_from([*(bytes([b]) for b in BYTES), *pieces[256:]])) for _ in "lr")
        if left + right in pieces:
            continue
        merges.append((pieces.index(left), pieces.index(right), len(pieces)))
        pieces.append(left + right)
    texts = st.text("aé\u0e01\u0e41漢", max_size=30).map(str.encode) | st.lists(st.sampled_from(BYTES)).map(bytes)
    return pieces, draw(st.permutations(merges)), draw(st.lists(texts, min_size=1, max_size=3))


@given(merges_of_bytes())
def test_sure_characters_and_cuts_change_nothing(case):
    pieces, merges, texts = case
    rows = np.array(merges, np.int32).reshape(-1, 3)
    ours = Encoder("none", np.uint32, np.arange(256, dtype=np.int32), merge_table(*rows.T), Ragged.from_strings(pieces))
    ids = ours(Ragged.from_strings(texts))
    for row, text in enumerate(texts):
        assert ids.data[ids.offsets[row] : ids.offsets[row + 1]].tolist() == plain.merge([*text], ranks_of(merges))


def sure_and_parted(merges):
    """Which of two characters are sure, the table of merges with what they reach across, and ids of pieces."""
    pieces = [bytes([b]) for b in range(256)]
    for left, right in merges:
        pieces.append(left + right)
    rows = np.array([(pieces.index(a), pieces.index(b), pieces.index(a + b)) for a, b in merges], np.int32)
    spelled, table, first = Ragged.from_strings(pieces), merge_table(*rows.T), np.arange(256, dtype=np.int32)
    sure = premergeable_characters(first, table, spelled)
    return [c for c in "é\u0e01" if sure[ord(c)] >= 0], with_barriers(table, first, sure, spelled).pairs, pieces.index


def test_a_character_is_sure_where_nothing_touches_it_before_it_is_whole():
    first, second = (b"\xe0", b"\xb8"), (b"\xe0\xb8", b"\x81")
    assert sure_and_parted([first, second, (b"a", b"b")])[0] == ["\u0e01"]
    assert sure_and_parted([first, second, (b"\xbf", b"\xe0")])[0] == ["\u0e01"]  # too late to take its first byte
    assert sure_and_parted([(b"a", b"\xe0"), first, (b"\x81", b"a"), second])[0] == ["\u0e01"]  # not beside ASCII
    assert sure_and_parted([(b"\xbf", b"\xe0"), first, second])[0] == []
    assert sure_and_parted([first, (b"\xbf", b"\xe0\xb8"), second])[0] == []
    assert sure_and_parted([first, (b"\x81", b"\xbf"), second])[0] == []
    assert sure_and_parted([first])[0] == []
    before = [(b"\xc3", b"\xa9"), (b"a", b"b"), (b"\xc3\xa9", b"\xe0")]  # é takes the first byte of a later character
    assert sure_and_parted([*before, first, second])[0] == ["é"]


def test_a_text_is_cut_where_no_merge_reaches_across():
    _, pairs, id_of = sure_and_parted([(b"c", b"d"), (b"a", b"b"), (b"ab", b"cd")])
    assert entry_of(pairs, id_of(b"c"), id_of(b"d")) == 0
    assert entry_of(pairs, id_of(b"b"), id_of(b"c")) == NEVER
    assert entry_of(pairs, id_of(b"d"), id_of(b"a")) == BARRIER == entry_of(pairs, id_of(b"c"), id_of(b"a"))


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(trained("o200k"))


@given(st.lists(st.binary(max_size=90), max_size=4))
def test_any_bytes_come_back(tokenizer, texts):
    text = Ragged.from_strings(texts)
    back = tokenizer.decode(tokenizer(text))
    assert [back.row(i) for i in range(back.rows)] == texts


@pytest.mark.parametrize("pretokenizer", [*PATTERNS])
def test_ids_are_those_of_tokenizers(pretokenizer):
    model = trained(pretokenizer)
    ours, theirs = Tokenizer(model), tokenizers.Tokenizer.from_str(to_huggingface(model).decode())
    texts = [TEXT, TEXT.swapcase(), *ODD, *random_texts()]
    for text, ids in zip(texts, ids_of(ours, texts), strict=True):
        assert ids == theirs.encode(text).ids, text[:40]


def random_texts(count=60):
    rng = random.Random(5)
    kinds = ["ab ", "aAé\u0301漢1 .'s\n", "".join(map(chr, range(0x20, 0x2FF))), "\u0e01\u0e31🙂\u200d\u1f3fb𝒳"]
    return ["".join(rng.choices(rng.choice(kinds), k=rng.randint(1, 200))) for _ in range(count)]


@pytest.mark.parametrize("pretokenizer", ["gpt2", "cl100k-tiktoken", "o200k"])
def test_ids_are_those_of_tiktoken(pretokenizer):
    model = trained(pretokenizer, compat="tiktoken")
    ranks = {piece: id for id, piece in enumerate(model.pieces) if id not in model.special.values()}
    theirs = tiktoken.Encoding(
        "ours", pat_str=PATTERNS[pretokenizer][0], mergeable_ranks=ranks, special_tokens=model.special
    )
    texts = [TEXT, *ODD, *random_texts()]
    for text, ids in zip(texts, ids_of(Tokenizer(model), texts), strict=True):
        assert ids == theirs.encode_ordinary(text), text[:40]


LENGTHS = [n for limit in (7, LINE_BYTES, 2 * LINE_BYTES + 1, LONG_BYTES) for n in range(limit - 1, limit + 3)]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32])
@pytest.mark.parametrize("length", LENGTHS)
def test_pre_tokens_at_the_limits_of_the_cache(dtype, length):
    """New, cached and at the end of the text: bytes up to LINE_BYTES and LONG_BYTES, ids up to a line's room."""
    merges = [(97, 98, 256), (256, 256, 257), (257, 257, 258), (258, 258, 259)]
    pieces = [*(bytes([b]) for b in range(256)), b"ab", b"abab", b"ab" * 4, b"ab" * 8]
    table, first = merge_table(*np.array(merges, np.int32).T), np.arange(256, dtype=np.int32)
    ours = Encoder("none", dtype, first, table, Ragged.from_strings(pieces))
    texts = ["x" * length, "ab" * (length // 2) + "x" * (length % 2), "ab" * (length // 2 - 2) + "x" * (4 + length % 2)]
    expected = [plain.merge([*text.encode()], ranks_of(merges)) for text in texts]
    for _ in range(2):
        ids = ours(Ragged.from_strings([*texts, *texts]))
        rows = [ids.data[a:b].tolist() for a, b in pairwise(ids.offsets)]
        assert rows == expected * 2 and ids.data.dtype == dtype


@pytest.mark.parametrize("length", range(SHORT - 2, SHORT + 3))
def test_parts_at_the_limit_of_short_ones_merge_alike(length):
    """The alternating text is one part without barriers, and no run of one symbol."""
    merges = [(97, 98, 256), (98, 97, 257), (256, 256, 258), (257, 97, 259), (258, 256, 260)]
    pieces = [*(bytes([b]) for b in range(256)), b"ab", b"ba", b"abab", b"baa", b"ababab"]
    table, first = merge_table(*np.array(merges, np.int32).T), np.arange(256, dtype=np.int32)
    ours = Encoder("none", np.uint16, first, table, Ragged.from_strings(pieces))
    for text in (("ab" * length)[:length], ("aab" * length)[:length], "a" * (length - 1) + "b", "a" * length):
        assert ours(Ragged.from_strings([text])).data.tolist() == plain.merge([*text.encode()], ranks_of(merges)), text


def test_tables_that_are_emptied_change_nothing(tokenizer, monkeypatch):
    monkeypatch.setattr("gristmill.tokenizers_lab.encode.encoder.MIN_LINES", 4)
    monkeypatch.setattr("gristmill.tokenizers_lab.encode.cache.MAX_LINES", 16)
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
    bpe = BpeSettings(alphabet="characters", byte_fallback=False, allow_smaller=True)
    counts = WordCounts.from_dict({"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5})
    model = train(counts, TokenizerSettings(pretokenizer="whitespace", vocab_size=12, bpe=bpe))
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


def test_formats_of_others_come_back_as_they_were():
    model = trained("cl100k", compat="tiktoken")
    for back in (
        read_huggingface(to_huggingface(model)).model,
        from_tiktoken(to_tiktoken(model), "cl100k", model.special),
    ):
        assert (back.pieces, back.pretokenizer, back.special) == (model.pieces, model.pretokenizer, model.special)
        assert ids_of(Tokenizer(back), [TEXT, *ODD]) == ids_of(Tokenizer(model), [TEXT, *ODD])


def test_a_whole_piece_counts_before_merges_where_the_model_says_so():
    pieces = [bytes([b]) for b in range(256)] + [b"ab", b"abc"]
    merges = np.array([[97, 98, 256]], np.int32)
    plain_one = Model("bpe", "gpt2", pieces, merges)
    assert Tokenizer(plain_one).encode("abc") == [256, 99]
    assert Tokenizer(Model("bpe", "gpt2", pieces, merges, ignore_merges=True)).encode("abc") == [257]


def test_more_ids_than_the_table_of_merges_has_bits_for_are_refused():
    largest = (1 << 21) - 2
    entry = merge_table(*np.array([[largest], [largest], [3]]))
    assert rank_of(entry.pairs, largest, largest) == 0
    with pytest.raises(RecipeError, match="id 2,097,151 merges; BPE is done with ids below 2,097,151"):
        merge_table(*np.array([[0], [largest + 1], [3]]))
