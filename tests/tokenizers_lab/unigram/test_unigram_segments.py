"""Parts tile the text and no piece crosses their ends; a packed trie has the nodes of the one it is made of."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.codepoints import INVALID_BYTE_BASE, codepoints
from gristmill.tokenizers_lab.strings.trie import NOTHING, build, step
from gristmill.tokenizers_lab.unigram.double_array import LEAF, PIECE, ROOT, SCORE, build_double_array, child
from gristmill.tokenizers_lab.unigram.segments import adjacent_pairs, split_segments
from gristmill.tokenizers_lab.unigram.train import split_unreachable

CHARS = "▁abé漢か"
pieces_of = st.lists(st.text(CHARS, min_size=1, max_size=5), unique=True, min_size=1, max_size=20)
SIEVE = 1 << 17


def cut(texts, pieces, by_word=False, whole=0):
    rows = Ragged.from_strings(texts)
    documents, ends = np.empty(rows.rows + 1, np.int64), np.empty(rows.data.size + 1, np.int64)
    sieve = adjacent_pairs(codepoints(Ragged.from_strings(pieces)), SIEVE)
    count = split_segments(*rows, sieve, by_word, whole, documents, ends)
    assert ends[0] == 0 and ends[count] == rows.data.size and documents[-1] == count
    parts = [rows.data[a:b].tobytes() for a, b in itertools.pairwise(ends)]
    return [parts[a:b] for a, b in itertools.pairwise(documents)]


@given(pieces_of, st.lists(st.text(CHARS + "x", max_size=30), max_size=4))
def test_text_is_cut_between_neighbors_that_no_piece_holds(pieces, texts):
    held = {piece[i : i + 2] for piece in pieces for i in range(len(piece) - 1)}
    for text, parts in zip(texts, cut(texts, pieces), strict=True):
        expected = "".join(f"\n{b}" if a + b not in held else b for a, b in zip(" " + text, text, strict=False))
        assert parts == expected.encode().split(b"\n")[1:]


def test_words_are_parts_and_short_ones_are_whole():
    assert cut(["▁ab▁ba", "", "▁"], ["ab"], by_word=True, whole=5) == [
        ["▁ab".encode(), "▁ba".encode()],
        [],
        ["▁".encode()],
    ]
    assert cut(["▁ab▁ba"], ["ab"], by_word=True, whole=4) == [["▁".encode(), b"ab", "▁".encode(), b"b", b"a"]]
    assert cut(["b▁a"], ["b▁"], by_word=False) == [["b▁".encode(), b"a"]]


def test_bytes_of_no_character_are_apart():
    assert cut([b"\xe3\x81ab\xff\xe6\xbc"], ["ab", "\ufffd\ufffd"]) == [
        [b"\xe3", b"\x81", b"ab", b"\xff", b"\xe6", b"\xbc"]
    ]
    assert codepoints(Ragged.from_strings([b"a\xff", "漢"])).data.tolist() == [97, INVALID_BYTE_BASE + 255, 0x6F22]


@given(st.dictionaries(st.text(CHARS, max_size=12), st.integers(1, 5), min_size=1, max_size=8), pieces_of)
def test_words_in_parts_count_as_words_do(words, pieces):
    expected = Counter()
    for parts, count in zip(cut([*words], pieces), words.values(), strict=True):
        for part in parts:
            expected[part] += count
    counts = np.array([*words.values()], np.int64)
    rows, often = split_unreachable(Ragged.from_strings([*words]), counts, codepoints(Ragged.from_strings(pieces)))
    assert [rows.row(row) for row in range(rows.rows)] == sorted(expected)
    assert often.tolist() == [expected[part] for part in sorted(expected)]


@given(pieces_of, st.text(CHARS + "x", max_size=8))
def test_a_packed_trie_leads_where_the_other_does(pieces, text):
    known = codepoints(Ragged.from_strings(pieces))
    trie = build(known)
    scores = -np.arange(1, len(pieces) + 1, dtype=np.float32)
    letters, nodes, node_scores = build_double_array(trie, known, scores)
    node, packed = 0, ROOT
    for character in text:
        node = step.py_func(trie.keys, trie.nodes, node, ord(character))
        packed = child.py_func(nodes, packed, letters[ord(character)])
        assert (node == NOTHING) == (packed == LEAF)
        if node == NOTHING:
            break
        assert nodes[packed, PIECE] == trie.piece[node]
        if trie.piece[node] != NOTHING:
            assert node_scores[packed, SCORE] == scores[trie.piece[node]]


@pytest.mark.parametrize("pieces", [["a"], [chr(code) for code in range(0x4E00, 0x5E00)], ["ab" * 200]])
def test_tries_of_one_kind_are_packed(pieces):
    known = codepoints(Ragged.from_strings(pieces))
    _letters, nodes, _ = build_double_array(build(known), known, np.zeros(len(pieces), np.float32))
    assert sorted(nodes[nodes[:, PIECE] != NOTHING, PIECE].tolist()) == [*range(len(pieces))]
