import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.contamination import Contamination, Item
from pipelines.ragged import Ragged
from tests.reference import contamination as reference

texts = st.lists(st.sampled_from(["a", "B", "c!", "d", "é", "12", "-"]), max_size=20).map(" ".join)


def held(texts, questions, settings):
    index = settings.index([Item("quiz", str(i), question) for i, question in enumerate(questions)])
    found = settings.find(index.measure(Ragged.from_strings(texts)), index)
    return {(row, item): coverage for row, item, coverage in found.iter_rows()}, index


@given(
    st.lists(texts, max_size=8),
    st.lists(texts, min_size=1, max_size=5),
    st.integers(2, 4),
    st.integers(1, 4),
    st.sampled_from([0.3, 0.61, 1.0]),
    st.sampled_from([0.01, 0.6]),
)
def test_items_are_found_as_by_the_reference(texts, questions, ngram, min_words, threshold, max_documents):
    settings = Contamination(ngram=ngram, min_words=min_words, threshold=threshold, max_documents=max_documents)
    fast, _ = held(texts, questions, settings)
    slow = reference.held(texts, questions, ngram, min_words, threshold, max_documents)
    close = {key for key in fast.keys() ^ slow.keys() if abs((fast | slow)[key] - threshold) > 1e-9}
    assert not close  # sums of weights may round differently
    assert all(fast[key] == pytest.approx(slow[key]) for key in fast.keys() & slow.keys())


QUESTION = "How many eggs does Janet sell at the farmers' market every day, if three are eaten for breakfast?"
FILLER = "Nothing to see here but some words of no great interest to any benchmark at all. " * 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{FILLER}{QUESTION}\n{FILLER}", True),
        (QUESTION.upper().replace(" ", "\n").replace(",", ""), True),
        (QUESTION[: len(QUESTION) * 2 // 3], True),  # a part of it is enough
        ("How many eggs does Janet sell? " + FILLER, False),  # one gram is not
        (FILLER, False),
        ("", False),
    ],
)
def test_what_counts_as_holding_a_question(text, found):
    assert bool(held([text, FILLER, FILLER], [QUESTION], Contamination())[0]) is found


def test_what_many_documents_share_proves_little():
    phrase = "which of the following is not a good example of the kind"
    items = [f"{phrase} of bird that sings", f"{phrase} of fish"]
    texts = [f"{i} {phrase} {i}" for i in range(20)] + [items[1]]
    assert set(held(texts, items, Contamination())[0]) == {(20, 1)}


@pytest.mark.parametrize(("copies", "found"), [(1, True), (2, True), (3, False)])
def test_a_short_question_must_be_rare(copies, found):
    texts = ["Well, what are histones? " + FILLER] * copies + [FILLER] * 30
    assert bool(held(texts, ["What are histones?"], Contamination())[0]) is found


def test_questions_too_short_to_tell_are_named():
    fast, index = held(["question", "explain why"], ["question", "Explain why.", QUESTION], Contamination())
    assert not fast and index.short.tolist() == [0, 1]
