"""Stop words from documents, on both sides of their lines."""

import random

import numpy as np
import pytest

from gristmill.filters.core.batch import Batch
from gristmill.filters.rules.paper_thresholds import MAX_STOP_WORDS
from gristmill.filters.thresholds.stop_words import LEAST, WordShares
from gristmill.pipelines.ragged import Ragged


def found(*texts: str, batches: int = 1) -> list[str]:
    shares = WordShares()
    for part in np.array_split(np.array(texts, object), batches):
        batch = Batch(Ragged.from_strings(part.tolist()))
        shares.add(batch.text, batch.words, np.arange(len(part)))
    return shares.stop_words()


def filler(n: int, first: int = 0) -> str:
    return " ".join(f"w{i}x" for i in range(first, first + n))


@pytest.mark.parametrize(("others", "stops"), [(190, 10), (191, LEAST)])
def test_a_stop_word_has_one_in_two_hundred_words(others, stops):
    """Ten words, each once in 200 words and in 201."""
    words = [f"a{c}" for c in "bcdefghijk"]
    texts = [" ".join([*words, filler(others, 1000 * k)]) for k in range(50)]
    assert found(*texts) == sorted(words)[:stops]


def test_each_document_has_one_vote():
    long = " ".join(["menu"] * 900 + [filler(100)])
    texts = [f"the of and to in is it be {filler(60, 1000 * k)}" for k in range(1, 300)]
    assert "menu" not in found(long, *texts) and "the" in found(long, *texts)


def test_case_and_marks_do_not_count():
    texts = [f"The OF of .sh -- 12 字 {filler(20, 1000 * k)}" for k in range(40)]
    assert found(*texts)[:3] == ["of", "the", "字"]
    assert not {".sh", "--", "12", "OF"} & set(found(*texts))


def test_at_most_as_many_as_the_rule_counts():
    assert len(found(*[filler(100)] * 20)) == MAX_STOP_WORDS


def test_texts_without_words_have_none():
    assert found("", "...", "12") == [] == WordShares().stop_words()


def test_order_and_batches_change_nothing():
    rng = random.Random(3)
    texts = [
        " ".join(rng.choices(["a", "b", "c", "the", "of", *filler(40).split()], k=rng.randint(3, 70)))
        for _ in range(90)
    ]
    again = texts[:]
    rng.shuffle(again)
    assert found(*texts) == found(*again, batches=7)
