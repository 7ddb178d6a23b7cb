"""Counts are those of a dict, whatever the batches, the memory and the order of shards."""

import re
from collections import Counter as Plain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.ragged import Ragged
from gristmill.tokenizers_lab.count.word_counts import WordCounter, WordCounts, count_words, merge
from tests.reference import pretokenize as plain

ODD = st.sampled_from(
    ["", "\0", "\0\0", "漢字", "a\u0301", "\u2028", "\r", "👩‍👩‍👧", "a" * 15, "a" * 16, "a" * 999, "ab"]
)
LINES = re.compile(r"[^\r\n]*[\r\n]+|[^\r\n]+")
TEXTS = st.lists(st.one_of(st.text(), st.lists(ODD).map("".join)), max_size=6)


def as_dict(counts):
    words = [counts.words.row(row) for row in range(counts.words.rows)]
    assert words == sorted(words)
    return dict(zip(words, counts.counts.tolist(), strict=True))


@given(TEXTS, st.sampled_from(["gpt2", "cl100k", "whitespace", "none", "lines"]))
def test_counts_are_those_of_a_dict(texts, pretokenizer):
    texts = [text.encode("utf-8", "replace").decode() for text in texts]
    cut = {"none": lambda text: [text] if text else [], "lines": LINES.findall}.get(pretokenizer)
    if cut:
        expected = Plain(piece.encode() for text in texts for piece in cut(text))
    else:
        expected = Plain(piece for text in texts for piece in plain.pretokens(pretokenizer, text.encode()))
    assert as_dict(count_words([Ragged.from_strings([text]) for text in texts], pretokenizer)) == expected


@pytest.mark.parametrize("length", range(1, 20))
def test_words_of_every_length_are_told_apart(length):
    """Up to 15 bytes a word is its own key, also where fewer than 16 bytes follow; longer ones are hashed."""
    words = ["x" * length, "x" * (length - 1) + "y", "y" + "x" * (length - 1), "x" * (length + 1), "é" * length]
    for texts in (words, words * 2, [*words, "x" * 40], [" ".join(words)]):
        expected = Plain(word.encode() for text in texts for word in text.split())
        assert as_dict(count_words([Ragged.from_strings(texts)], "whitespace")) == expected


def many(n, begin=0):
    return Ragged.from_strings([f" w{i * i % 700_001} {'long' * 5}{i % 1000}" for i in range(begin, begin + n)])


def test_little_memory_gives_the_same_table():
    batches = [many(40_000, begin) for begin in (0, 40_000, 80_000)]
    counter = WordCounter("gpt2", memory_bytes=3 << 20)
    for batch in batches:
        counter.add(batch)
    assert len(counter.runs) > 1
    runs = [*counter.runs]
    assert as_dict(counter.finish()) == as_dict(count_words(batches, "gpt2"))
    assert not any(run.exists() for run in runs)


def test_the_order_of_shards_changes_nothing(tmp_path):
    parts = [count_words([many(500, begin)], "gpt2") for begin in (0, 300, 900)]
    for name, tables in (("a", parts), ("b", parts[::-1])):
        merge(tables).save(tmp_path / name, "gpt2")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    loaded, pretokenizer = WordCounts.load(tmp_path / "a")
    assert pretokenizer == "gpt2" and as_dict(loaded) == as_dict(merge(parts))


def test_a_damaged_table_is_said(tmp_path):
    count_words([many(500)], "gpt2").save(tmp_path / "t", "gpt2")
    whole = (tmp_path / "t").read_bytes()
    for cut in (0, 10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "t").write_bytes(whole[:cut])
        with pytest.raises(WorkError, match="count the corpus again"):
            WordCounts.load(tmp_path / "t")
    with pytest.raises(WorkError, match="count the corpus again"):
        WordCounts.load(tmp_path / "absent")
