"""Spans that repeat are cut wherever they begin and end, and what is cut is whole somewhere else."""

import re
import tempfile
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from gristmill.dedup.substrings import exact_substrings as module
from gristmill.dedup.substrings.exact_substrings import Substrings, find_substrings
from gristmill.dedup.substrings.token_windows import tokens_of
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.spans import rewrite, spans_table
from gristmill.pipelines.storage.shards import cut_groups, read_shard, write_shard


class Batch:
    def __init__(self, text):
        self.text = text


def corpus_of(folder, texts, step, shards=1, keep_mask=lambda part, rows: np.ones(rows, bool)):
    folder, parts = UPath(folder), [f"part-{i}" for i in range(shards)]
    for i, part in enumerate(parts):
        some = range(len(texts) * i // shards, len(texts) * (i + 1) // shards)
        rows = [[f"{n:03}" for n in some], [texts[n] for n in some], [""] * len(some)]
        table = pa.table(rows, DOCUMENT.names).cast(DOCUMENT)
        write_shard(folder / "documents" / f"{part}.parquet", cut_groups(table, 100), DOCUMENT)
        measured = step.measure(Batch(Ragged.from_text(table[TEXT]))).to_arrow()
        write_shard(folder / "measures" / f"{part}.parquet", [measured], measured.schema)
    return Corpus(folder / "documents", folder / "measures", parts, keep_mask)


def cut(texts, step, shards=1, **changes):
    """The texts after cutting, the tokens left, and the spans found."""
    left, counts, found = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        corpus = corpus_of(folder, texts, step, shards, **changes)
        for part, spans, tokens in find_substrings(step, corpus, corpus.documents.parent / "scratch"):
            text = Ragged.from_text(read_shard(corpus.documents / f"{part}.parquet", [TEXT])[TEXT])
            places = (spans[name].to_numpy() for name in ("row", "offset", "length"))
            left += rewrite(text, spans_table(*places, [""] * spans.height)).to_text().to_pylist()
            counts += tokens.tolist()
            found += spans.rows(named=True)
    return left, counts, found


def tokens(text, unit="word"):
    return list(text) if unit == "character" else re.findall(r"[漢字か]|[^\s漢字か]+", text)


def expected(texts, length, unit):
    """The tokens that stay of each text, window by window."""
    cut_of, stay_of, seen = defaultdict(set), defaultdict(set), set()
    counts = Counter()
    windows = {}
    for n, text in enumerate(texts):
        words = tokens(text, unit)
        windows[n] = [tuple(words[i : i + length]) for i in range(len(words) - length + 1)]
        counts.update(windows[n])
    for n in sorted(range(len(texts)), key=lambda i: (-len(texts[i].encode()), i)):
        for i, window in enumerate(windows[n]):
            if counts[window] > 1:
                (cut_of if window in seen else stay_of)[n] |= set(range(i, i + length))
                seen.add(window)
    return [
        [word for i, word in enumerate(tokens(text, unit)) if i not in cut_of[n] - stay_of[n]]
        for n, text in enumerate(texts)
    ]


def windows_of(text, length):
    words = tokens(text)
    return [tuple(words[i : i + length]) for i in range(len(words) - length + 1)]


words = st.sampled_from(["a", "b", "c", "dd", "漢", "か字", "é"])
spaces = st.sampled_from([" ", " ", "\n", "\n\n", "  ", "\u3000", "\t"])
texts = st.lists(st.lists(st.tuples(words, spaces).map("".join), max_size=14).map("".join), max_size=6)


@settings(max_examples=60)
@given(texts, st.integers(2, 4), st.integers(1, 3), st.sampled_from([16, 1 << 24]))
def test_what_stays_is_what_the_plain_windows_say(texts, length, shards, room):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BYTES_PER_TEXT_BYTE", room)  # one partition, or many
        left, counts, found = cut(texts, Substrings(length=length, memory_mb=1), shards)
    stay = expected(texts, length, "word")
    assert [tokens(text) for text in left] == stay
    assert counts == [len(some) for some in stay]
    assert sum(span["tokens"] for span in found) == sum(len(tokens(text)) for text in texts) - sum(counts)


@settings(max_examples=40)
@given(st.lists(st.text("ab é漢\n", max_size=12), max_size=5), st.integers(2, 4))
def test_characters_are_tokens_too(texts, length):
    left, _, _ = cut(texts, Substrings(length=length, unit="character"))
    assert [list(text) for text in left] == expected(texts, length, "character")


@settings(max_examples=40)
@given(texts, st.integers(2, 4))
def test_what_is_cut_is_whole_somewhere_else(texts, length):
    left, _, found = cut(texts, Substrings(length=length))
    counts = Counter(window for text in texts for window in windows_of(text, length))
    stay = {window for text in left for window in windows_of(text, length)}
    assert {window for window, count in counts.items() if count > 1} <= stay
    for span in found:
        assert span["kept_in"] is not None and span["length"] > 0


def test_one_separator_stays():
    shared = "one two three four"
    texts = [
        f"{shared} and a longer end than others",
        f"front\n\n{shared} back",
        f"{shared} behind",
        f"before {shared}",
    ]
    left, _, found = cut(texts, Substrings(length=4))
    assert left == [texts[0], "front\n\nback", "behind", "before"]
    assert [(span["id"], span["kept_in"], span["tokens"]) for span in found] == [
        (f"00{i}", "000", 4) for i in (1, 2, 3)
    ]


@pytest.mark.parametrize("words", [4, 5, 6, 8, 9, 10, 11, 100])
def test_a_word_said_over_and_over_keeps_its_first(words):
    left, counts, _ = cut(["no " * words, "yes"], Substrings(length=5))
    assert left[0].split() == ["no"] * min(words, 5) and counts == [min(words, 5), 1]


@pytest.mark.parametrize("shared", [4, 5, 6, 8, 9, 10])
def test_a_span_is_cut_from_its_length_on(shared):
    common = " ".join(f"w{i}" for i in range(shared))
    texts = [f"the first of them has {common} and more words", f"then {common} it ends"]
    left, counts, found = cut(texts, Substrings(length=5))
    assert left == [texts[0], "then it ends" if shared >= 5 else texts[1]]
    assert counts[1] == 3 + shared * (shared < 5) and [span["tokens"] for span in found] == [shared] * (shared >= 5)


def test_documents_that_are_gone_keep_nothing():
    text = "one two three four"
    left, counts, _ = cut([f"{text} five", text], Substrings(length=4), keep_mask=lambda _, rows: np.arange(rows) > 0)
    assert left == [f"{text} five", text] and counts == [0, 4]


def test_marking_changes_nothing_and_tells_where(tmp_path):
    step = Substrings(length=4, action="report")
    corpus = corpus_of(tmp_path, ["one two three four five", "so: one two three four"], step)
    (verdict,) = step.decide(corpus, tmp_path / "scratch")
    assert verdict.spans is None and verdict.decisions["violations"].list.len().to_list() == [0, 0]
    assert verdict.reports["found"].rows() == [("001", 3, 19, 4, "000")] and not step.rewrites


@pytest.mark.parametrize(("min_tokens_left", "dropped"), [(0, []), (1, [1]), (2, [1, 2]), (3, [1, 2])])
def test_documents_with_too_few_tokens_left_are_dropped(tmp_path, min_tokens_left, dropped):
    step = Substrings(length=3, min_tokens_left=min_tokens_left)
    corpus = corpus_of(tmp_path, ["a b c d", "b c d", "x b c d", "y"], step)  # the last one is short, but not cut
    (verdict,) = step.decide(corpus, tmp_path / "scratch")
    rules = [[broken["rule"] for broken in row] for row in verdict.decisions["violations"].to_list()]
    assert rules == [["tokens_left_too_low"] * (i in dropped) for i in range(4)]


def test_tokens_lie_where_the_words_are():
    text = Ragged.from_strings(["", " ab\u3000c漢字d ", "\u2028", "é\0x"])
    offsets, start, end, hashes = tokens_of(text, "word")
    found = [text.data[a:b].tobytes().decode() for a, b in zip(start, end, strict=True)]
    assert found == ["ab", "c", "漢", "字", "d", "é\0x"] and offsets.tolist() == [0, 0, 5, 5, 6]
    assert len(set(hashes.tolist())) == 6


@pytest.mark.parametrize(("other", "grouped"), [((7, 1), 2), ((7, 2), 0), ((8, 1), 0), ((8, 2), 0)])
def test_windows_are_equal_where_both_hashes_are(other, grouped):
    windows = np.array([(7, 1, 0, 0), (*other, 1, 5)], module.WINDOW)
    offsets, rows = module._groups(windows)
    assert offsets.tolist() == ([0, 2] if grouped else [0]) and rows.size == grouped
