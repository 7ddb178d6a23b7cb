"""Seeds, EM and pruning of the unigram model, against the published example and against all ways one by one."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.strings.codepoints import codepoints
from gristmill.tokenizers_lab.strings.trie import NOTHING, build, step
from gristmill.tokenizers_lab.unigram.lattice import best_counts, best_without_piece, expected_counts, lattice, renumber
from gristmill.tokenizers_lab.unigram.seeds import seeds
from gristmill.tokenizers_lab.unigram.train import digamma, train_unigram
from tests.reference import unigram as plain

COURSE = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
CHARS = "abé漢"
words_of = st.dictionaries(st.text(CHARS, min_size=0, max_size=7), st.integers(1, 9), min_size=1, max_size=6)
pieces_of = st.dictionaries(st.text(CHARS, min_size=1, max_size=4), st.floats(-9, -0.1), min_size=1, max_size=9)


def corpus(words):
    return Ragged.from_strings(list(words)), np.array(list(words.values()), np.int64)


def model(scores, unknown=-20.0):
    pieces = Ragged.from_strings(list(scores))
    return pieces, np.array([*scores.values(), unknown])


def test_the_published_example():
    """Hugging Face's course on unigram: 15 substrings of 210 occurrences, and a loss of 169.8."""
    counts = plain.substrings(COURSE, 9, lambda char: "letter")
    for word, count in COURSE.items():
        for char in word:
            counts[char] += count
    strict = {piece: n for piece, n in counts.items() if piece not in ("pug", "pun", "bun", "hugs", "ugs")}
    strict = {p: n for p, n in strict.items() if p in {*"hugpnbs", "hu", "ug", "pu", "un", "bu", "gs", "hug", "ugs"}}
    strict["ugs"] = counts["ugs"]
    assert sum(strict.values()) == 210 and len(strict) == 15
    scores = {piece: math.log(n / 210) for piece, n in strict.items()}
    words, often = corpus(COURSE)
    pieces, values = model(scores)
    net = lattice(words, build(codepoints(pieces)), pieces.rows)
    loss, best = 0.0, {}
    for word, count in COURSE.items():
        one = lattice(Ragged.from_strings([word]), build(codepoints(pieces)), pieces.rows)
        used = best_counts(one, np.ones(1, np.int64), values)
        best[word] = math.exp(float((used * values).sum()))
        loss -= count * math.log(best[word])
    assert best["pug"] == pytest.approx(0.007710, abs=1e-6) and best["hug"] == pytest.approx(0.071429, abs=1e-6)
    assert best["hugs"] == pytest.approx(0.001701, abs=1e-6) and loss == pytest.approx(169.8, abs=0.05)
    assert float((best_counts(net, often, values) * values).sum()) == pytest.approx(-loss)


@given(words_of, pieces_of)
def test_expectations_are_those_over_all_ways(words, scores):
    text, counts = corpus(words)
    pieces, values = model(scores)
    net = lattice(text, build(codepoints(pieces)), pieces.rows)
    found, likelihood = expected_counts(net, counts, values)
    theirs, total = plain.expected(words, scores, -20.0)
    assert found == pytest.approx([theirs[piece] for piece in [*scores, None]], rel=1e-9)
    assert likelihood == pytest.approx(total)


@given(st.text(CHARS, min_size=1, max_size=4), pieces_of)
def test_long_words_count_as_short_ones_do(word, scores):
    """A word whose odds float64 does not hold, against the sums in logarithms of its places."""
    word = word * 60
    text, counts = corpus({word: 3})
    pieces, values = model(scores)
    found, likelihood = expected_counts(lattice(text, build(codepoints(pieces)), pieces.rows), counts, values)
    ahead = [0.0] + [-math.inf] * len(word)
    for end in range(1, len(word) + 1):
        options = []
        for size in range(1, min(end, 4) + 1):
            piece = word[end - size : end]
            if piece in scores or size == 1:
                options.append(ahead[end - size] + scores.get(piece, -20.0))
        top = max(options)
        ahead[end] = top + math.log(sum(math.exp(option - top) for option in options))
    assert likelihood == pytest.approx(3 * ahead[-1])
    sizes = np.array([*(len(piece) for piece in scores), 1])
    assert float((found * sizes).sum()) == pytest.approx(3 * len(word))


@given(words_of, pieces_of)
def test_best_ways_and_what_stands_for_a_piece(words, scores):
    text, counts = corpus(words)
    pieces, values = model(scores)
    trie, names = build(codepoints(pieces)), [*scores, None]
    expected = Counter()
    for word, count in words.items():
        for piece in plain.best(word, scores, -20.0)[1]:
            expected[piece] += count
    assert best_counts(lattice(text, trie, pieces.rows), counts, values).tolist() == [expected[p] for p in names]
    value, into = best_without_piece(lattice(pieces, trie, pieces.rows, whole=False), values)
    for row, piece in enumerate(scores):
        score, way = plain.best(piece, scores, -20.0, without=piece)
        way = () if len(piece) == 1 else way
        assert [names[i] for i in into.data[into.offsets[row] : into.offsets[row + 1]]] == list(way)[::-1]
        assert value[row] == pytest.approx(score if len(piece) > 1 else -math.inf)


@given(words_of, pieces_of, st.randoms(use_true_random=False))
def test_pieces_that_go_leave_the_lattice_of_the_others(words, scores, random):
    text, _ = corpus(words)
    pieces, _ = model(scores)
    stay = [random.random() < 0.6 for _ in scores]
    numbers = np.where(stay, np.cumsum(stay) - 1, -1)
    left = Ragged.from_strings([piece for piece, keep in zip(scores, stay, strict=True) if keep])
    smaller = renumber(
        lattice(text, build(codepoints(pieces)), pieces.rows), np.append(numbers, left.rows).astype(np.int32), left.rows
    )
    fresh = lattice(text, build(codepoints(left)), left.rows)
    assert smaller.first.tolist() == fresh.first.tolist()
    for at in range(codepoints(text).data.size):
        edges = slice(fresh.first[at], fresh.first[at + 1])
        ours, theirs = (sorted(zip(n.size[edges], n.piece[edges], strict=True)) for n in (smaller, fresh))
        assert ours == theirs


@given(st.lists(st.binary(min_size=1, max_size=5), unique=True, min_size=1, max_size=30), st.binary(max_size=8))
def test_a_trie_finds_every_piece_that_begins(pieces, text):
    trie = build(Ragged.from_strings(pieces))
    node, found = 0, []
    for end, byte in enumerate(text, 1):
        node = step.py_func(trie.keys, trie.nodes, node, byte)
        if node == NOTHING:
            break
        if trie.piece[node] != NOTHING:
            found.append((end, int(trie.piece[node])))
    assert found == [(end, pieces.index(text[:end])) for end in range(1, len(text) + 1) if text[:end] in pieces]


GROUPS = {"a": "L", "b": "L", "1": "O", "я": "R", "漢": "C", "か": "C", ".": "O", "-": "O", "▁": None}


@given(st.dictionaries(st.text("ab1я漢か.-▁", max_size=9), st.integers(1, 5), max_size=8), st.integers(2, 5))
def test_seeds_are_the_substrings_that_come_again(words, longest):
    expected = plain.substrings(words, longest, GROUPS.get)
    found = seeds(*corpus(words or {"": 1}), limit=10_000, longest=longest)
    ours = {found.pieces.row(row).decode(): weight for row, weight in enumerate(found.weights)}
    assert {piece: n for piece, n in ours.items() if len(piece) > 1} == {
        piece: n * len(piece) for piece, n in expected.items() if n > 1 and plain.branches(words, piece)
    }
    chars = Counter()
    for word, count in words.items():
        for char in word:
            chars[char] += count
    assert {piece: n for piece, n in ours.items() if len(piece) == 1} == chars


def test_the_heaviest_seeds_stay():
    words = corpus({"abab": 5, "cd": 9, "ef": 1})  # ab has a behind it, and the end of the word
    found = seeds(*words, limit=2)
    assert [found.pieces.row(row) for row in range(6, found.pieces.rows)] == [
        b"ab",
        b"abab",
    ]  # 10 times 2 and 5 times 4; cd: 9 times 2


@pytest.mark.parametrize(
    ("x", "value"), [(0.5, -1.963510026), (1, -0.577215665), (10, 2.251752589), (1e6, 13.815510058)]
)
def test_digamma(x, value):
    assert digamma(np.array([x]))[0] == pytest.approx(value, abs=1e-9)


def train(words, size, **settings):
    text, counts = corpus(dict(sorted(words.items())))
    found = seeds(text, counts)
    singles = [found.pieces.row(r) for r in range(found.pieces.rows) if len(found.pieces.row(r).decode()) == 1]
    return train_unigram(text, counts, found.pieces, found.weights, size, Ragged.from_strings(singles), **settings)


def test_frequent_words_become_pieces_whatever_follows_them():
    words = {"▁zebra": 50, "▁crossing": 50, "▁xylophone": 40, "▁a": 3}
    pieces = train(words, 20).pieces
    assert {"▁zebra".encode(), "▁crossing".encode(), "▁xylophone".encode()} <= set(pieces)
    assert {char.encode() for word in words for char in word} <= set(pieces) and len(pieces) == 20


def test_impossible_sizes_are_told():
    with pytest.raises(RecipeError, match=r"vocabulary of 5 cannot hold the 17 characters"):
        train({"▁zebra": 50, "▁crossing": 50, "▁xylophone": 40}, 5)
    with pytest.raises(RecipeError, match=r"gives \d+ pieces, fewer than the 5,000"):
        train({"▁zebra": 50, "▁crossing": 50}, 5000)


@pytest.mark.parametrize("words", [{"a" * 100_000: 2}, {"ACGT" * 20_000: 1, "ACG": 5}])
def test_words_without_end_are_trained_on(words):
    size = len(set("".join(words))) + 1
    ours, again = train(words, size), train(words, size)
    assert ours.pieces == again.pieces and ours.scores.tolist() == again.scores.tolist() and len(ours.pieces) == size
    assert (np.diff(ours.scores) <= 0).all()
