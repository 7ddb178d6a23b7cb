import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from corpora import write_jsonl
from hypothesis import given
from hypothesis import strategies as st

from gristmill.dedup.contamination.eval_sets import Item
from gristmill.dedup.contamination.ngram_index import EvalNgramIndex
from gristmill.dedup.contamination.spans import covered_spans, word_places
from gristmill.dedup.contamination.step import ITEMS, Contamination
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.spans import rewrite
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.shards import cut_groups, write_shard
from tests.reference import contamination as reference

texts = st.lists(st.sampled_from(["q", "B", "c!", "w", "é", "12", "-", "字", "x東京", "คะ1"]), max_size=20).map(
    " ".join
)


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
KANJI = "一つの袋に小麦粉が七キロ入っています。粉屋は何袋を売りましたか。"
FILLER = "Nothing to see here but some words of no great interest to any benchmark at all. " * 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{FILLER}{QUESTION}\n{FILLER}", True),
        (QUESTION.upper().replace(" ", "\n").replace(",", ""), True),
        (QUESTION[: len(QUESTION) * 2 // 3], True),  # a part of it is enough
        ("How many eggs does Janet sell? " + FILLER, False),  # one gram is not
        (f"{FILLER}{KANJI}{FILLER}", True),  # no spaces around it, nor in it
        (KANJI.replace("七", "八"), True),
        (KANJI[:7], False),
        (FILLER, False),
        ("", False),
    ],
)
def test_what_counts_as_holding_a_question(text, found):
    assert bool(held([text, FILLER, FILLER], [QUESTION, KANJI], Contamination())[0]) is found


def test_what_many_documents_share_proves_little():
    phrase = "which of the following is not a good example of the kind"
    items = [f"{phrase} of bird that sings", f"{phrase} of fish"]
    texts = [f"{i} {phrase} {i}" for i in range(20)] + [items[1]]
    assert set(held(texts, items, Contamination())[0]) == {(20, 1)}


@pytest.mark.parametrize(("copies", "found"), [(1, True), (2, True), (3, False)])
def test_a_short_question_must_be_rare(copies, found):
    texts = ["Well, what are histones? " + FILLER] * copies + [FILLER] * 30
    assert bool(held(texts, ["What are histones?"], Contamination())[0]) is found


@pytest.mark.parametrize(
    ("question", "rest", "phrase"),
    [
        ("Economic growth is:", (), True),
        ("Economic growth is:", ("an increase in output",), True),
        ("What is your favorite color?", (), True),
        ("Breakfast is the most important meal of the day.", (), True),
        ("Breakfast is the most important meal of the very day.", (), False),  # ten words
        ("What is the cause of the world?", ("It is not known",), True),  # seven words
        ("What is the cause of the whole world?", ("It is not known",), False),
        ("What are histones?", (), False),
        ("Economic growth is 3", (), False),
        ("Le monde est grand", (), False),
    ],
)
def test_a_phrase_is_short_and_all_of_its_words_are_common(question, rest, phrase):
    assert EvalNgramIndex([Item("quiz", "1", question, rest)], 6, 3).phrase.tolist() == [phrase]


GROWTH = {"question": "Economic growth is:", "choices": ["an increase in total output", "Low"], "answer": "A"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"{FILLER} Economic growth is slow. {FILLER}", False),
        (f"{FILLER} Economic growth is: low. {FILLER}", False),  # a choice of one word proves nothing
        (f"{FILLER} Economic growth is:\nA. an increase in total output {FILLER}", True),
        (f"An increase in total output: {'word ' * 50} economic growth is", True),
        (f"An increase in total output: {'word ' * 51} economic growth is", False),
        (f"An increase in total output. {FILLER}", False),
    ],
)
def test_a_phrase_counts_with_an_answer_near_it(tmp_path, text, found):
    for action in ("drop", "cut"):
        settings = Contamination(against=[quiz(tmp_path, GROWTH)], action=action)
        (verdict,) = settings.decide(corpus_of(tmp_path / action, [text, FILLER], settings), tmp_path)
        assert verdict.reports["found"].height == found
        assert bool(len(verdict.spans)) is (found and action == "cut") or action == "drop"
        assert bool(verdict.decisions["violations"].to_list()[0]) is (found and action == "drop")


def test_a_phrase_without_answers_is_not_searched(tmp_path):
    settings = Contamination(against=[quiz(tmp_path, {"question": "What is your favorite color?"}, ITEM)])
    texts = ["So what is your favorite color? " + FILLER, QUESTION]
    (verdict,) = settings.decide(corpus_of(tmp_path, texts, settings), tmp_path)
    assert verdict.reports["items"]["searchable"].to_list() == [False, True]
    assert verdict.reports["found"]["id"].to_list() == ["d1"]


def test_questions_too_short_to_tell_are_named():
    fast, index = held(["question", "explain why"], ["question", "Explain why.", QUESTION], Contamination())
    assert not fast and index.short.tolist() == [0, 1]


def corpus_of(folder, texts, settings, shards=1, keep_mask=lambda part, rows: np.ones(rows, bool)):
    """Texts as shards of documents d0, d1, … and of measures."""
    folder, parts = to_path(folder), [f"part-{k}" for k in range(shards)]
    for k, part in enumerate(parts):
        some = range(len(texts) * k // shards, len(texts) * (k + 1) // shards)
        rows = [[f"d{i}" for i in some], [texts[i] for i in some], [""] * len(some)]
        table = pa.table(rows, DOCUMENT.names).cast(DOCUMENT)
        write_shard(folder / "documents" / f"{part}.parquet", cut_groups(table, 300), DOCUMENT)
        measured = settings.measure(Batch(Ragged.from_text(table[TEXT]))).to_arrow()
        write_shard(folder / "measures" / f"{part}.parquet", [measured], measured.schema)
    return Corpus(folder / "documents", folder / "measures", parts, keep_mask)


def quiz(folder, *items):
    return str(write_jsonl(folder / "quiz.jsonl", items))


ITEM = {"id": 7, "question": QUESTION, "choices": ["Nine eggs a day", "Ten"], "answer": "Three eggs are eaten, so ten."}


def test_what_is_found_is_listed_with_its_place(tmp_path):
    settings = Contamination(against=[quiz(tmp_path, ITEM, {"question": "Explain why."})])
    texts = [f"é {FILLER}", f"é {QUESTION}\n{FILLER}", FILLER + QUESTION.lower()]
    for shards in (1, 3):
        verdicts = list(settings.decide(corpus_of(tmp_path / str(shards), texts, settings, shards), tmp_path))
        found = pl.concat([verdict.reports["found"] for verdict in verdicts])
        assert found["id"].to_list() == ["d1", "d2"]
        for row in found.iter_rows(named=True):
            text = texts[int(row["id"][1:])].encode()
            assert text[row["offset"] :][: row["length"]].decode().lower() == QUESTION.lower()[:-1]
            assert (row["benchmark"], row["item"], row["coverage"]) == ("quiz", "7", pytest.approx(1))
        items = pl.concat([verdict.reports["items"] for verdict in verdicts])
        assert dict(items.schema) == ITEMS
        assert items.rows() == [
            ("quiz", "7", True, 2, pytest.approx(1), ["d1", "d2"]),
            ("quiz", "quiz:1", False, 0, None, []),
        ]
        broken = [rules for verdict in verdicts for rules in verdict.decisions["violations"].to_list()]
        assert [[(b["rule"], b["threshold"]) for b in rules] for rules in broken] == [[], *[[("quiz", 0.35)]] * 2]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"{FILLER}\n{QUESTION}\n{FILLER}", f"{FILLER}\n\n{FILLER}"),
        (f"{FILLER}\n{QUESTION}\nAnswer: {ITEM['answer']}\n{FILLER}", f"{FILLER}\n\n{FILLER}"),  # with its answer
        (f"{QUESTION} {FILLER} {QUESTION}", f" {FILLER} "),  # both copies
        ("Q: " + QUESTION.replace("farmers'", "local") + f" {FILLER}", f"Q:  {FILLER}"),  # the words between two parts
        (
            f"Every day, if three are eaten for lunch. {FILLER}{QUESTION}",
            f"Every day, if three are eaten for lunch. {FILLER}",
        ),
    ],
)
def test_an_item_is_cut_where_all_of_it_lies(tmp_path, text, left):
    settings = Contamination(against=[quiz(tmp_path, ITEM)], action="cut")
    (verdict,) = settings.decide(corpus_of(tmp_path, [text, FILLER], settings), tmp_path)
    assert rewrite(Ragged.from_strings([text, FILLER]), verdict.spans).to_text().to_pylist() == [left, FILLER]
    assert verdict.decisions["violations"].to_list() == [[], []]


def test_all_places_with_enough_of_an_item_are_cut(tmp_path):
    """Of the question's 18 words, two thirds are enough beside the whole, a third is not."""
    settings = Contamination(against=[quiz(tmp_path, ITEM)], action="cut")
    words = QUESTION.split()
    text = " ".join([QUESTION, FILLER, *words[:12], FILLER, *words[-6:], FILLER])
    (verdict,) = settings.decide(corpus_of(tmp_path, [text, FILLER], settings), tmp_path)
    (left, _) = rewrite(Ragged.from_strings([text, FILLER]), verdict.spans).to_text().to_pylist()
    assert left.split() == [*FILLER.split(), *FILLER.split(), *words[-6:], *FILLER.split()]


@pytest.mark.parametrize(("between", "runs"), [(0, 1), (1, 1), (2, 1), (3, 2)])
def test_a_run_bridges_a_gap_of_so_many_words(between, runs):
    text = "eins zwei drei " + "x " * between + "vier elf zehn"
    hashes, _, _ = word_places(np.frombuffer(text.encode(), np.uint8))
    index = EvalNgramIndex([Item("", "", "eins zwei drei"), Item("", "", "vier elf zehn")], 3, 1)
    first, last, weight = covered_spans(hashes, index.grams, np.array([0.25, 0.5]), 3, 2)
    assert (first.size, first[0], last[-1], weight.sum()) == (runs, 0, 5 + between, 0.75)


@pytest.mark.parametrize(("words", "rules"), [(9, ["words_left_too_low"]), (10, [])])
def test_of_a_cut_document_enough_must_be_left(tmp_path, words, rules):
    settings = Contamination(against=[quiz(tmp_path, ITEM)], action="cut")
    text = f"{QUESTION}\n\n{'word ' * words}"
    (verdict,) = settings.decide(corpus_of(tmp_path, [text], settings), tmp_path)
    assert [b["rule"] for b in verdict.decisions["violations"].to_list()[0]] == rules


def test_report_only_changes_nothing(tmp_path):
    settings = Contamination(against=[quiz(tmp_path, ITEM)], action="report")
    (verdict,) = settings.decide(corpus_of(tmp_path, [QUESTION], settings), tmp_path)
    assert not settings.rewrites and verdict.decisions["violations"].to_list() == [[]]
    assert verdict.reports["found"].height == 1


def test_documents_removed_before_are_not_looked_at(tmp_path):
    settings = Contamination(against=[quiz(tmp_path, ITEM)])
    corpus = corpus_of(tmp_path, [QUESTION, QUESTION], settings, keep_mask=lambda *_: np.array([False, True]))
    (verdict,) = settings.decide(corpus, tmp_path)
    assert verdict.reports["found"]["id"].to_list() == ["d1"]


def test_other_questions_are_measured_anew_and_other_thresholds_not(tmp_path):
    settings = Contamination(against=[quiz(tmp_path, ITEM)])
    before = settings.measured_settings()
    assert settings.model_copy(update={"threshold": 0.5}).measured_settings() == before
    quiz(tmp_path, ITEM, ITEM | {"id": 8})
    assert settings.measured_settings() != before


@given(texts)
def test_places_of_words_are_those_of_re(text):
    text = text.lower() + " ﬁn_1 ὀδός"
    data = np.frombuffer(text.encode(), np.uint8)
    hashes, starts, ends = word_places(data)
    assert [bytes(data[a:b]).decode() for a, b in zip(starts, ends, strict=True)] == reference.words(text)
    index = EvalNgramIndex([Item("", "", text)], 2, 1)
    assert index.of_item.data.size and covered_spans(hashes, index.grams, np.ones(index.grams.size), 2, 0)[
        0
    ].tolist() == [0]


@pytest.mark.parametrize("texts", [[], [""], ["no", "eins zwei drei", ""]])
def test_every_document_has_a_row_of_ngrams(texts):
    index = EvalNgramIndex([Item("", "", "eins zwei drei")], 3, 1)
    found = index.measure(Ragged.from_strings(texts))
    assert found.to_lists().to_pylist() == [[0] * ("zwei" in text) for text in texts]
