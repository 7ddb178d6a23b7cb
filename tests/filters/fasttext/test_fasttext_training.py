"""Training fastText models: as the plain twin, as fastText itself, the same bytes each time."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import fasttext_training as reference
from upath import UPath

from gristmill.filters.fasttext.dictionary import Subwords, number_documents
from gristmill.filters.fasttext.format import read_fasttext, write_fasttext
from gristmill.filters.fasttext.predict import FastTextPredictor
from gristmill.filters.fasttext.train import FastTextSettings, _max_rows, exponential, sgd, train
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.settings import read_settings

LABELS = ["__label__hq", "__label__lq"]
WORD = st.sampled_from(["mill", "corn", "the", "字字", "été", "e\u0301", "😀", "</s>", "__label__hq", "<"])
TEXT = st.lists(WORD | st.text(max_size=4), max_size=9).map(" ".join) | st.text(max_size=12)
KINDS = [
    FastTextSettings(dim=3, epochs=3, word_ngrams=1, buckets=50),
    FastTextSettings(dim=4, epochs=2, word_ngrams=2, buckets=50, learning_rate=0.5),
    FastTextSettings(dim=2, epochs=2, word_ngrams=3, buckets=30, min_n=1, max_n=3, min_count=2),
    FastTextSettings(dim=5, epochs=4, word_ngrams=1, buckets=40, min_n=2, max_n=4, max_words=3),
]


def numbered(texts, kind):
    subwords = Subwords(kind.min_n, kind.max_n, kind.buckets)
    return number_documents([Ragged.from_strings(texts)], kind.min_count, kind.max_words, subwords)


def names(words):
    return {words.row(i).decode(): i for i in range(words.rows)}


@settings(max_examples=40)
@pytest.mark.parametrize("kind", KINDS)
@given(texts=st.lists(TEXT, min_size=1, max_size=12), data=st.data())
def test_training_is_that_of_the_twin(kind, texts, data):
    targets = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(texts), max_size=len(texts))))
    tokens, words, counts = numbered(texts, kind)
    expected = reference.count(texts)
    assert {name: counts[i] for name, i in names(words).items()}.items() <= expected.items()
    assert counts.tolist() == sorted(counts, reverse=True) and words.rows <= kind.max_words
    matrix = np.random.default_rng(0).uniform(-1, 1, (words.rows + kind.rows, kind.dim)).astype(np.float32)
    output = np.zeros((3, kind.dim), np.float32)
    twin = reference.train(texts, targets, 3, names(words), matrix.copy(), kind)
    sgd(tokens, targets, matrix, output, words.rows, kind)
    np.testing.assert_allclose(matrix, twin[0], atol=2e-5)
    np.testing.assert_allclose(output, twin[1], atol=2e-5)


def test_there_is_room_for_all_rows_of_the_largest_document():
    words, subwords = np.array([0, 0, 1, 1]), np.array([0, 3, 7])  # three n-grams in the first word, four in the other
    assert _max_rows(np.array([0, 3, 3, 4]), words, subwords, 2) == 3 * 2 + 3 + 3 + 4


def prose(seed, count=60):
    """Texts whose words have all different counts, so that both number them alike."""
    chance = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(30)]
    likely = np.arange(1, 31) ** 1.5
    return [" ".join(chance.choice(words, 20, p=likely / likely.sum())) for _ in range(count)]


THEIRS = """
import sys, json, fasttext, numpy
made = fasttext.train_supervised(**json.loads(sys.argv[1]))
read = {"words": made.words, "labels": made.labels}
numpy.savez(sys.argv[2], input=made.get_input_matrix(), output=made.get_output_matrix(), **read)
"""


def theirs(folder, **options):
    """What fastText trains, in a process of its own.

    Single-threaded, it fills a tenth of its matrix; the rest is zeros only where the system gives fresh memory.
    """
    command = [sys.executable, "-c", THEIRS, json.dumps(options), str(folder / "theirs.npz")]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(np.load(folder / "theirs.npz"))


@pytest.mark.parametrize("extra", [{}, {"min_n": 2, "max_n": 4}, {"word_ngrams": 3}])
def test_fasttext_trains_the_same_model_from_the_same_start(tmp_path, extra):
    pytest.importorskip("fasttext")
    texts = prose(1)
    targets = np.array([i % 2 for i in range(len(texts))])
    lines = [f"{LABELS[target]} {text}\n" for target, text in zip(targets, texts, strict=True)]
    (tmp_path / "train.txt").write_text("".join(lines))
    kind = FastTextSettings(
        **{"dim": 10, "epochs": 5, "word_ngrams": 2, "buckets": 10**6, "learning_rate": 0.3, **extra}
    )
    names_of_ours = {"dim": "dim", "epochs": "epoch", "word_ngrams": "wordNgrams", "buckets": "bucket"}
    names_of_ours |= {"min_n": "minn", "max_n": "maxn"}
    options = {name: getattr(kind, ours) for ours, name in names_of_ours.items()} | {"thread": 1, "verbose": 0}
    start, done = (theirs(tmp_path, input=str(tmp_path / "train.txt"), lr=lr, **options) for lr in (1e-12, 0.3))
    tokens, words, _ = numbered(texts, kind)
    order = [names(words)[name] for name in start["words"]]  # of equal counts, theirs may come in another order
    matrix = start["input"].copy()
    matrix[order] = start["input"][: words.rows]
    turned = [LABELS.index(label) for label in start["labels"]]
    output = np.zeros((2, kind.dim), np.float32)
    sgd(tokens, targets, matrix, output, words.rows, kind)
    np.testing.assert_allclose(matrix[order], done["input"][: words.rows], atol=1e-5)
    np.testing.assert_allclose(matrix[words.rows :], done["input"][words.rows :], atol=1e-5)
    np.testing.assert_allclose(output[turned], done["output"], atol=1e-5)


@pytest.fixture(scope="module")
def trained():
    texts = ["the mill grinds corn", "win cash now", "corn and flour of the mill", "cash prize now win", ""] * 20
    targets = np.array([0, 1, 0, 1, 1] * 20)
    return train([Ragged.from_strings(texts)], targets, LABELS, FastTextSettings(buckets=1000, epochs=20))


def test_fasttext_reads_the_file_and_says_the_same(trained, tmp_path):
    fasttext = pytest.importorskip("fasttext")
    write_fasttext(UPath(tmp_path / "m.bin"), *trained)
    theirs, ours = fasttext.load_model(str(tmp_path / "m.bin")), read_fasttext(tmp_path / "m.bin")
    texts = ["the mill", "cash now", "something else", "mill cash"]
    for label in LABELS:
        found = FastTextPredictor(ours).probability(Ragged.from_strings(texts), label)
        expected = [dict((b, a) for a, b in theirs.f.predict(t + "\n", 2, 0.0, "strict"))[label] for t in texts]
        np.testing.assert_allclose(found, np.minimum(expected, 1), atol=2e-5)
    good = FastTextPredictor(ours).probability(Ragged.from_strings(texts), LABELS[0])
    assert good[0] > 0.9 and good[1] < 0.1
    assert np.array_equal(ours.input, trained.model.input) and ours.label_counts.tolist() == [40, 60]


def test_batches_change_nothing_and_neither_does_a_second_run(trained, tmp_path):
    texts = ["the mill grinds corn", "win cash now", "", "corn"] * 9
    targets = np.array([0, 1, 1, 0] * 9)
    for name, parts in {"one": [texts], "many": [texts[:1], texts[1:7], [], texts[7:]], "again": [texts]}.items():
        batches = [Ragged.from_strings(part) for part in parts]
        write_fasttext(UPath(tmp_path / name), *train(batches, targets, LABELS, FastTextSettings(buckets=100)))
    one, many, again = ((tmp_path / name).read_bytes() for name in ("one", "many", "again"))
    assert one == many == again


@given(st.floats(-600, 600))
def test_the_exponential_is_as_good_as_the_librarys(x):
    assert exponential(x) == pytest.approx(math.exp(x), rel=1e-15 * max(8, abs(x)))


def test_no_word_to_train_on_is_an_input_error():
    with pytest.raises(InputError, match="no words to train a classifier on"):
        train([Ragged.from_strings(["", " \n"])], np.array([0, 1]), LABELS, FastTextSettings(buckets=10))


@pytest.mark.parametrize("subwords", [{"min_n": 3}, {"min_n": 4, "max_n": 3}])
def test_impossible_subwords_are_refused(subwords):
    with pytest.raises(RecipeError, match="expected 1 <= min_n <= max_n"):
        read_settings(FastTextSettings, subwords, "test")
