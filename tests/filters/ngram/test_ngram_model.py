"""Models of n-grams: equal to their slow twin, adding up to one, whatever the memory, the order and the file."""

import io
import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference import modified_kneser_ney as reference
from upath import UPath

from gristmill.filters.core.batch import Batch
from gristmill.filters.ngram.discounts import discounts
from gristmill.filters.ngram.formats.arpa import read_arpa, write_arpa
from gristmill.filters.ngram.kneser_ney import LOG10_ZERO
from gristmill.filters.ngram.model import NGram
from gristmill.filters.ngram.token_stream import BEGIN, END, SPECIAL, UNKNOWN
from gristmill.filters.ngram.train import NGramSettings, train
from gristmill.filters.ngram.vocabulary import VocabularyBuilder
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged

FALLBACK = (0.5, 1.0, 1.5)
WORDS = "abcde"
lines = st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=12)


def batch(*texts):
    return Batch(Ragged.from_strings(list(texts)))


def trained(text_lines, order, **more):
    text = "\n".join(" ".join(words) for words in text_lines)
    return train([batch(text)], NGramSettings(order=order, **{"discount_fallback": list(FALLBACK), **more}))


def ids_of(model):
    return {model.vocabulary.words.row(i).decode(): i for i in range(model.vocabulary.size)}


def probability(model, context, word):
    """p(word | context) by the fast scorer. The context is a line's beginning, or is cut from one."""
    known = ids_of(model)
    ids = np.array([known[w] for w in (*context, word)], np.uint32)
    return 10.0 ** model.score(ids)[-1]


@settings(max_examples=60)
@given(lines, st.integers(1, 6), st.booleans())
@example([["c"], ["c"], ["e", "a", "e", "a"], ["c"]], 6, False)  # nothing but a follows e
def test_probabilities_are_those_of_the_twin(text_lines, order, pruned):
    prune = [0, *[1] * (order - 1)] if pruned and order > 1 else [0]
    model = trained(text_lines, order, prune=prune)
    twin = reference.Model(text_lines, order, FALLBACK, prune if len(prune) > 1 else ())
    for words in [*text_lines, ["a", "b", "c"], ["e", "e"]]:
        words = [word if word in ids_of(model) else "<unk>" for word in words]
        line = ["<s>", *words, "</s>"]
        ids = np.array([ids_of(model)[word] for word in line], np.uint32)
        chances = [twin.probability(line[:i], line[i]) for i in range(1, len(line))]
        expected = [math.log10(chance) if chance else LOG10_ZERO for chance in chances]  # a discount may be 0
        np.testing.assert_allclose(model.score(ids)[1:].clip(min=LOG10_ZERO), expected, atol=2e-5)


@given(lines, st.integers(1, 6), st.data())
def test_probabilities_add_up_to_one(text_lines, order, data):
    model = trained(text_lines, order)
    context = data.draw(st.lists(st.sampled_from([*ids_of(model)]).filter(lambda w: w != "<s>" and w != "</s>")))
    words = [word for word in ids_of(model) if word != "<s>"]
    assert sum(probability(model, ("<s>", *context), word) for word in words) == pytest.approx(1, abs=1e-5)


def test_discounts_are_those_of_the_formulas():
    counts = np.repeat([1, 2, 3, 4, 9], [40, 15, 8, 5, 7])
    y = 40 / (40 + 2 * 15)
    expected = [0, 1 - 2 * y * 15 / 40, 2 - 3 * y * 8 / 15, 3 - 4 * y * 5 / 8]
    np.testing.assert_allclose(discounts(counts, 2, None), expected)


@pytest.mark.parametrize("counts", [[], [1, 1, 2], [1] * 10 + [2, 3] + [4] * 9])
def test_a_corpus_too_small_says_what_to_do(counts):
    counts = np.array(counts, np.uint32)
    with pytest.raises(InputError, match=r"too small for order 3.*use more text, a lower order, or set disc"):
        discounts(counts, 3, None)
    np.testing.assert_array_equal(discounts(counts, 3, FALLBACK), [0, *FALLBACK])


def same(a, b):
    arrays = zip((*a.vocabulary.words, *a[2:]), (*b.vocabulary.words, *b[2:]), strict=True)
    return all(np.array_equal(x, y) for x, y in arrays)


def test_order_of_documents_and_memory_change_nothing():
    texts = [" ".join(words) for words in itertools.product(["one", "two", "é", "字"], repeat=4)] * 30
    options = {"order": 4, "discount_fallback": list(FALLBACK)}
    once = train([batch(*texts)], NGramSettings(**options))
    spilled = train([batch(text) for text in reversed(texts)], NGramSettings(memory_bytes=1 << 16, **options))
    assert same(once, spilled)


def test_a_limited_vocabulary_and_a_word_named_as_a_mark():
    model = train(
        [batch("a a a a b b b c <s> </s>")], NGramSettings(order=2, max_words=2, discount_fallback=list(FALLBACK))
    )
    assert model.vocabulary.size == 5
    stream = model.stream(batch("a zebra", "", "\n b"))
    assert stream.ids.tolist() == [BEGIN, 3, UNKNOWN, END, BEGIN, 4, END]
    assert stream.documents.tolist() == [0, 1, 1, 3]


def test_a_vocabulary_grows_beyond_its_first_tables():
    count = 300_000
    digits = np.arange(count)[:, None] // 10 ** np.arange(6)[::-1] % 10
    data, start = (digits + ord("0")).astype(np.uint8).reshape(-1), 6 * np.arange(count, dtype=np.int32)
    hashes = np.arange(1, count + 1, dtype=np.uint64)
    builder = VocabularyBuilder()
    for _ in ("new", "known"):
        assert np.array_equal(builder.add(data, start, start + 6, hashes), np.arange(count))
    vocabulary, ids = builder.finish(count, 2)
    assert np.array_equal(vocabulary.ids(hashes), ids) and np.array_equal(ids, np.arange(count) + SPECIAL)
    assert vocabulary.words.row(SPECIAL + 123_456) == b"123456"


def test_a_file_gives_the_model_back(tmp_path):
    model = trained([["a", "b"], ["a", "c"]], 3)
    model.save(UPath(tmp_path / "m"))
    again = NGram.open(UPath(tmp_path / "m"))
    assert same(model, again) and again.metadata == model.metadata
    ids = model.stream(batch("a b c")).ids
    np.testing.assert_array_equal(model.score(ids), again.score(ids))


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-1], lambda b: b"x" + b, lambda b: b[:20]])
def test_a_damaged_file_is_one_line(tmp_path, damage):
    trained([["a", "b"]], 2).save(UPath(tmp_path / "m"))
    (tmp_path / "m").write_bytes(damage((tmp_path / "m").read_bytes()))
    with pytest.raises(InputError, match="gristmill ngram train"):
        NGram.open(UPath(tmp_path / "m"))


@given(lines, st.integers(1, 5), st.booleans())
@example([["a"]], 5, False)  # no n-grams of the two highest orders
def test_arpa_gives_the_model_back(text_lines, order, quantize):
    model = trained(text_lines, order, quantize=quantize)
    file = io.BytesIO()
    write_arpa(model, file)
    again = read_arpa(io.StringIO(file.getvalue().decode()), "test.arpa")
    ids = model.stream(batch("a b c d e", "e a\nzebra b b", *(" ".join(words) for words in text_lines))).ids
    known = [model.vocabulary.words.row(i).decode() for i in ids]
    other = np.array([ids_of(again)[word] for word in known], np.uint32)
    np.testing.assert_allclose(model.score(ids), again.score(other), atol=1e-5)


def test_eight_bits_change_little():
    words = [f"w{i * i % 97}" for i in range(4000)]
    text_lines = [words[i : i + 9] for i in range(0, 4000, 9)]
    exact, coarse = (trained(text_lines, 4, quantize=quantize) for quantize in (False, True))
    ids = exact.stream(batch(" ".join(words))).ids
    assert abs(exact.score(ids).mean() - coarse.score(ids).mean()) < 0.01
    assert coarse.cells.nbytes * 2 == exact.cells.nbytes


def test_kenlm_reads_our_arpa(tmp_path):
    kenlm = pytest.importorskip("kenlm")
    words = [f"w{i * i % 31}" for i in range(3000)]
    model = trained([words[i : i + 11] for i in range(0, 3000, 11)], 5)
    with open(tmp_path / "m.arpa", "wb") as file:
        write_arpa(model, file)
    theirs = kenlm.Model(str(tmp_path / "m.arpa"))
    for begin in range(0, 2900, 13):
        sentence = " ".join([*words[begin : begin + 7], "zebra", *words[begin + 50 : begin + 60]])
        assert model.score(model.stream(batch(sentence)).ids).sum() == pytest.approx(theirs.score(sentence), abs=1e-4)
