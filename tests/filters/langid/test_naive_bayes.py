import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.filters.langid.naive_bayes import NaiveBayes
from gristmill.filters.langid.preprocess import sample_slices
from gristmill.pipelines.ragged import Ragged

WORDS = st.sampled_from(["the", "der", "la", "und", "est", "non", "的", "это", "και", "është", "şi", "ő", "xyz"])
TEXT = st.lists(WORDS | st.text(max_size=8), max_size=20).map(" ".join)


@pytest.fixture(scope="module")
def classifier():
    return NaiveBayes()


@pytest.fixture(scope="module")
def py3langid():
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@given(texts=st.lists(TEXT, max_size=5))
def test_equals_py3langid_itself(classifier, py3langid, texts):
    read = sample_slices(Ragged.from_strings(texts), None)
    labels, probabilities = classifier.predict(read)
    for row, (label, probability) in enumerate(zip(labels, probabilities, strict=True)):
        expected, expected_probability = py3langid.classify(read.row(row))
        if label < 0:  # no feature: there every label is as likely
            assert expected_probability < 0.02
        else:
            assert probability == pytest.approx(expected_probability, abs=2e-3)
            assert classifier.labels[label] == expected or probability < 0.5


def test_a_blank_document_has_no_language(classifier):
    labels, probabilities = classifier.predict(Ragged.from_strings(["", "\0"]))
    assert labels.tolist() == [-1, -1]
    assert probabilities.tolist() == [0, 0]


def test_invalid_bytes_do_no_harm(classifier):
    _, probabilities = classifier.predict(Ragged.from_strings([bytes(range(256)) * 3]))
    assert np.isfinite(probabilities).all()
