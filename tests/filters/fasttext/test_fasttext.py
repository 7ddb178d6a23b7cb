import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.fasttext_model import LABELS, VOCABULARY, every_probability, predict, write_model

from gristmill.filters.fasttext.format import read_fasttext
from gristmill.filters.fasttext.predict import FastTextPredictor, huffman
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.ragged import Ragged

KINDS = [  # loss, min_n, max_n, word_ngrams, quantized
    (1, 2, 4, 1, True),  # as lid.176.ftz
    (3, 2, 5, 1, False),  # as GlotLID
    (3, 0, 0, 2, False),  # as text classifiers over words and their pairs
    (1, 1, 3, 3, False),
    (3, 3, 3, 2, True),
]
TOKEN = st.sampled_from([*VOCABULARY[1:], "house", "été\u0301", "字字", "é", "😀x", "_", "<", ">"]) | st.text(
    max_size=5
)
TEXT = st.lists(TOKEN, max_size=12).map(" ".join) | st.text()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fasttext")
    keys = "loss", "min_n", "max_n", "word_ngrams", "quantized"
    paths = [
        write_model(folder / f"{seed}.bin", seed=seed, **dict(zip(keys, kind, strict=True)))
        for seed, kind in enumerate(KINDS)
    ]
    return [Written(path) for path in paths]


class Written:
    """A model and its file, with a short name: Hypothesis prints what it is given."""

    def __init__(self, path):
        self.path, self.model = path, read_fasttext(path)


@pytest.mark.parametrize("kind", range(len(KINDS)))
@given(texts=st.lists(TEXT, max_size=6))
def test_equals_its_plain_twin(models, kind, texts):
    model = models[kind].model
    labels, probabilities = FastTextPredictor(model).predict(Ragged.from_strings(texts))
    for text, label, probability in zip(texts, labels, probabilities, strict=True):
        expected, expected_probability = predict(model, text)
        assert (label, probability) == (expected, pytest.approx(expected_probability, abs=2e-5))


@pytest.mark.parametrize("kind", range(len(KINDS)))
@given(text=TEXT.filter(lambda text: "</s>" not in text and "__label__" not in text))
def test_equals_fasttext_itself(models, kind, text):
    fasttext = pytest.importorskip("fasttext")
    path, model = models[kind].path, models[kind].model
    labels, probabilities = FastTextPredictor(model).predict(Ragged.from_strings([text]))
    found = fasttext.load_model(str(path)).f.predict(text.replace("\n", " ") + "\n", 1, 0.0, "strict")
    if labels[0] >= 0:
        (probability, label), *_ = found
        assert (model.labels[labels[0]], probabilities[0]) == (label, pytest.approx(min(probability, 1.0), abs=2e-5))


def test_an_invalid_byte_is_a_byte_like_others(models):
    labels, probabilities = FastTextPredictor(models[0].model).predict(
        Ragged.from_strings([b"\xff\x80 \xc3", b"a\xe5\xad"])
    )
    assert labels.min() >= -1
    assert np.isfinite(probabilities).all()


def test_marks_of_fasttext_are_words_in_a_text(models):
    model = models[1].model
    texts = ["the house </s> der hund", "the house __label__de der hund", "the house der hund"]
    _, probabilities = FastTextPredictor(model).predict(Ragged.from_strings(texts))
    assert len(set(probabilities)) == 3


def test_a_document_does_not_depend_on_its_neighbors(models):
    classifier = FastTextPredictor(models[0].model)
    texts = ["the house", "der ça 字", "", "x y z"] * 3
    alone = [classifier.predict(Ragged.from_strings([text]))[1][0] for text in texts]
    assert classifier.predict(Ragged.from_strings(texts))[1].tolist() == alone


def test_huffman_joins_the_rarest():
    assert huffman(np.array([10, 4, 3, 2])).tolist() == [[3, 2], [1, 4], [5, 0]]


def test_labels_are_read(models):
    assert models[0].model.labels == LABELS


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "values do not fit"),
        (lambda data: data[:60], "do not fit|no text"),
        (lambda data: b"PK\x03\x04" + data[4:], "wrong magic number"),
        (lambda data: b"", "empty"),
    ],
)
def test_a_damaged_file_is_an_input_error(models, tmp_path, damage, message):
    path = tmp_path / "damaged.bin"
    path.write_bytes(damage(models[0].path.read_bytes()))
    with pytest.raises(InputError, match=message):
        read_fasttext(path)


HEADER = {"magic": 0, "version": 4, "dim": 8, "word_ngrams": 28, "loss": 32, "model": 36, "buckets": 40, "min_n": 44}
HEADER |= {"max_n": 48, "words": 68, "labels": 72}
PRUNED = {"kept": 84, "table": 0, "row": 4}  # the last two after the dictionary


@pytest.mark.parametrize("number", [-1, 2**31 - 1])
@pytest.mark.parametrize(("kind", "field"), [(k, f) for k in (0, 1) for f in [*HEADER, "rows", *[*PRUNED] * (not k)]])
def test_a_number_that_no_model_has_is_an_input_error(models, tmp_path, kind, number, field):
    data = models[kind].path.read_bytes()
    table = 92 + sum(len(word.encode()) + 10 for word in [*VOCABULARY, *LABELS])
    rows = table + 2 + 8 * 32 if kind == 0 else table + 1  # of the input matrix: kind 0 is quantized and pruned
    at = {**HEADER, **PRUNED, "table": table, "row": table + 4, "rows": rows}[field]
    path = tmp_path / "damaged.bin"
    path.write_bytes(data[:at] + int(number).to_bytes(4, "little", signed=True) + data[at + 4 :])
    with pytest.raises(InputError, match=r"damaged\.bin is no fastText classifier: .*(expected|wrong|do not fit)"):
        FastTextPredictor(read_fasttext(path)).predict(Ragged.from_strings(["the house der ça"]))


@pytest.mark.parametrize("change", [{"buckets": 96}, {"buckets": 0}, {"max_n": 101}, {"word_ngrams": 101}, {"dim": 4}])
def test_a_matrix_that_is_too_small_for_its_header_is_an_input_error(models, tmp_path, change):
    (name, value), data = next(iter(change.items())), models[1].path.read_bytes()
    at = HEADER[name]
    (tmp_path / "damaged.bin").write_bytes(data[:at] + value.to_bytes(4, "little") + data[at + 4 :])
    if change == {"buckets": 96}:  # one row more than needed does no harm
        read_fasttext(tmp_path / "damaged.bin")
        return
    with pytest.raises(InputError, match=rf"{name}|shape of the matrices"):
        read_fasttext(tmp_path / "damaged.bin")


def test_counts_that_rise_give_no_tree(models, tmp_path):
    data = models[0].path.read_bytes()
    at = data.index(b"__label__de") + 12
    path = tmp_path / "damaged.bin"
    for count in (94, 10**15, -1, 2**63 - 1):
        path.write_bytes(data[:at] + count.to_bytes(8, "little", signed=True) + data[at + 8 :])
        with pytest.raises(InputError, match=r"counts of labels is .*expected falling"):
            read_fasttext(path)


def test_a_missing_file_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match=r"give the path of a \.bin"):
        read_fasttext(tmp_path / "none.bin")


def test_a_loss_without_probabilities_is_refused(tmp_path):
    path = write_model(tmp_path / "ova.bin", loss=4, min_n=0, max_n=0, word_ngrams=1, quantized=False, seed=1)
    with pytest.raises(InputError, match="one against all"):
        FastTextPredictor(read_fasttext(path))


@pytest.mark.parametrize("kind", range(len(KINDS)))
@given(text=TEXT)
def test_the_probability_of_a_label_is_that_of_the_twin(models, kind, text):
    model, rows = models[kind].model, Ragged.from_strings([text])
    expected = every_probability(model, text)
    for number, label in enumerate(LABELS):
        assert FastTextPredictor(model).probability(rows, label)[0] == pytest.approx(expected[number], abs=2e-5)
