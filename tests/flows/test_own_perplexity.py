"""Perplexity by models of the run's own documents: shuffled text goes, whatever the order of the documents."""

import numpy as np
import polars as pl
import pytest

from benchmarks.quality import Labelled, judge_corpus
from filters.measure import LANGUAGE, SURE_LABEL
from flows.own_perplexity import OwnPerplexity
from flows.recipe import parse_recipe
from pipelines.errors import RecipeError

SUBJECTS = ["the miller", "a farmer", "the old baker", "my neighbour", "the carter"]
VERBS = ["grinds the yellow corn", "sells the fine flour", "carries the heavy sacks", "buys a small loaf"]
PLACES = ["in the town", "near the river", "behind the mill", "before the evening comes"]


def documents(seed, shuffled=False):
    chance, texts = np.random.default_rng(seed), []
    for _ in range(300):
        words = " and ".join(" ".join(chance.choice(part) for part in (SUBJECTS, VERBS, PLACES)) for _ in range(8))
        texts.append(" ".join(chance.permutation(words.split())) if shuffled else words)
    return texts


@pytest.fixture(scope="module")
def rows():
    texts = [*documents(1), *documents(2, shuffled=True)[:20], "too short"]
    return [{"id": str(i), "text": text} for i, text in enumerate(texts)]


def judged(rows, **settings):
    step = OwnPerplexity(**{"min_bytes": 1000, **settings})
    broken = [[] for _ in rows]
    frames = {LANGUAGE: pl.DataFrame({SURE_LABEL: ["en"] * len(rows)})}
    scores = judge_corpus(step, "own", Labelled(rows, frames, broken), broken)
    return {row["id"]: rules for row, rules in zip(rows, broken, strict=True)}, scores


def test_shuffled_text_goes_and_no_other(rows):
    broken, scores = judged(rows)
    assert [id for id, rules in broken.items() if rules] == [str(i) for i in range(300, 320)]
    assert broken["300"] == ["own.no_gain"] and scores["perplexity"].null_count() == 0


def test_the_order_of_documents_changes_nothing(rows):
    assert judged(rows)[0] == judged(rows[::-1])[0]


def test_percentiles_cut_on_both_sides(rows):
    broken, _ = judged(rows, min_gain=None, min_percentile=10, max_percentile=90)
    found = [rules for rules in broken.values() if rules]
    assert 50 < len(found) < 70 and {rule for rules in found for rule in rules} == {
        "own.too_predictable",
        "own.too_surprising",
    }


def test_too_little_text_judges_nothing(rows):
    assert not any(judged(rows, min_bytes=10**9)[0].values())


def test_percentiles_that_cross_are_refused():
    with pytest.raises(RecipeError, match=r"min_percentile 60\.0 is not below"):
        parse_recipe({"steps": {"own_perplexity": {"min_percentile": 60.0, "max_percentile": 30.0}}}, "test")
