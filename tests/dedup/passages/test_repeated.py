import tempfile
from collections import Counter

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from gristmill.dedup.passages import repeated as module
from gristmill.dedup.passages.repeated import RepeatedPassages, find_repeats, in_full_slots
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.steps.spans import rewrite
from gristmill.pipelines.storage.shards import cut_groups, read_shard, write_shard
from tests.reference.passages import passages

lines = st.sampled_from(["alpha", "beta", "gamma delta", "epsilon", "x", "漢字", ""])
documents = st.lists(st.lists(lines, max_size=6).map("\n".join), max_size=6)


def corpus_of(folder, texts, repeats, shards=1, keep_mask=lambda part, rows: np.ones(rows, bool)):
    """Texts as shards of documents 000, 001, … and of measures."""
    folder, parts = UPath(folder), [f"part-{i}" for i in range(shards)]
    for i, part in enumerate(parts):
        some = range(len(texts) * i // shards, len(texts) * (i + 1) // shards)
        rows = [[f"{n:03}" for n in some], [texts[n] for n in some], [""] * len(some)]
        table = pa.table(rows, DOCUMENT.names).cast(DOCUMENT)
        write_shard(folder / "documents" / f"{part}.parquet", cut_groups(table), DOCUMENT)
        measured = repeats.measure(Batch(Ragged.from_text(table[TEXT]))).to_arrow()
        write_shard(folder / "measures" / f"{part}.parquet", [measured], measured.schema)
    return Corpus(folder / "documents", folder / "measures", parts, keep_mask)


def cut(folder, texts, repeats, *args, **kwargs):
    """The texts after cutting, the counts and what was found, in order."""
    left, counts, found, corpus = [], [], [], corpus_of(folder, texts, repeats, *args, **kwargs)
    for part, spans, count, cuts, _ in find_repeats(repeats, corpus, UPath(folder) / "scratch"):
        text = Ragged.from_text(read_shard(corpus.documents / f"{part}.parquet", [TEXT])[TEXT])
        left += rewrite(text, spans).to_text().to_pylist()
        counts.append(count)
        found.append(cuts)
    return left, pl.concat(counts), pl.concat(found)


def kept(texts, kind="line"):
    """The passages that stay, one document after the other in the order they are kept."""
    counts = Counter(passage for text in texts for passage in passages(text, kind))
    seen, stay = set(), {}
    for number in sorted(range(len(texts)), key=lambda i: (-len(texts[i].encode()), i)):
        stay[number] = []
        for passage in passages(texts[number], kind):
            if counts[passage] == 1 or passage not in seen:
                stay[number].append(passage)
            seen.add(passage)
    return [stay[i] for i in range(len(texts))]


@settings(max_examples=30)
@given(texts=documents, shards=st.integers(1, 3), partition_bytes=st.sampled_from([64, 1 << 24]))
def test_the_first_of_each_line_stays(tmp_path_factory, texts, shards, partition_bytes):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PASSAGE_BYTES", partition_bytes)
        repeats = RepeatedPassages(min_bytes=0, memory_mb=64)
        left, counts, found = cut(tmp_path_factory.mktemp("repeats"), texts, repeats, shards)
    assert [passages(text, "line") for text in left] == kept(texts)
    assert counts["passages_left"].to_list() == [len(passages(text, "line")) for text in left]
    words = [sum(2 if line == "漢字" else len(line.split()) for line in passages(text, "line")) for text in left]
    assert counts["words_left"].to_list() == words
    for id, offset, length, keeper, similarity in found.iter_rows():
        gone = passages(texts[int(id)].encode()[offset:][:length].decode(), "line")
        assert len(gone) == 1 and gone[0] in passages(left[int(keeper)], "line") and similarity == 1
    assert len(found) == (counts["passages"] - counts["passages_left"]).sum()


@settings(max_examples=30)
@given(documents, st.integers(1, 3), st.integers(0, 12))
def test_nothing_that_occurs_once_is_lost(texts, span, min_bytes):
    with tempfile.TemporaryDirectory() as folder:
        left, _, _ = cut(folder, texts, RepeatedPassages(window=span, min_bytes=min_bytes))
    counts = Counter(passage for text in texts for passage in passages(text, "line"))
    for before, after in zip(texts, left, strict=True):
        gone = Counter(passages(before, "line")) - Counter(passages(after, "line"))
        assert all(counts[passage] > 1 for passage in gone)
    assert {p for t in left for p in passages(t, "line")} == counts.keys()  # one copy of each stays somewhere


MENU = "Home | News | Sport | Contact | Imprint"


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("line", f"{MENU}\n\nunique text", "unique text"),
        ("line", f"unique text\n\n{MENU}", "unique text"),
        ("line", f"unique text\n\n{MENU}\n", "unique text\n"),
        ("line", f"one\n\n{MENU}\ntwo", "one\n\ntwo"),
        ("line", f"one\n{MENU}\n\ntwo", "one\n\ntwo"),
        ("line", f"one\n{MENU}\n{MENU}\ntwo", "one\ntwo"),
        ("line", MENU, ""),
        ("sentence", f"One. {MENU}. Two.", "One. Two."),
        ("sentence", f"One. {MENU}.\nTwo.", "One.\nTwo."),
        ("sentence", f"One.\n{MENU}. Two.", "One.\nTwo."),
        ("paragraph", f"one\n\n{MENU}\n{MENU}\n\ntwo", "one\n\ntwo"),
    ],
)
def test_white_space_is_kept_once(tmp_path, kind, text, expected):
    repeated = {"line": MENU, "sentence": f"{MENU}.", "paragraph": f"{MENU}\n{MENU}"}[kind]
    first = repeated + "\n\n" + "a longer document, which comes first " * 5
    left, _, _ = cut(tmp_path, [first, text], RepeatedPassages(unit=kind))
    assert left == [first, expected]


def test_a_short_repeat_alone_stays(tmp_path):
    texts = ['He sighed.\n"Yes."\nShe left, and that was all there was.', 'Night fell.\n"Yes."\nIt rained.']
    assert cut(tmp_path, texts, RepeatedPassages())[0] == texts


def test_documents_removed_before_hold_no_first_copy(tmp_path):
    texts = [f"{MENU}\nlongest text of them all, but gone", f"{MENU}\nsecond text", f"{MENU}\nthird"]
    left, _, _ = cut(tmp_path, texts, RepeatedPassages(), keep_mask=lambda part, rows: np.array([False, True, True]))
    assert left == [texts[0], texts[1], "third"]


def test_the_most_copied_passages_are_reported_with_their_text(tmp_path):
    texts = [f"{MENU}\n{'x' * n} is the text of document {n}\nyes" for n in range(5, 9)] + [f"{MENU}\n{MENU}\nyes"]
    texts += ["A notice on two pages only."] * 2
    for shards in (1, 3):
        folder, repeats = tmp_path / str(shards), RepeatedPassages(report_top=2)
        corpus = corpus_of(folder, texts, repeats, shards)
        top = pl.concat([verdict.reports["top"] for verdict in repeats.decide(corpus, folder / "scratch")])
        notice = "A notice on two pages only."
        assert top.rows() == [(MENU, 6, 5, len(MENU), "004"), (notice, 2, 2, len(notice), "005")]
    none = RepeatedPassages(report_top=0).decide(corpus, folder / "scratch")
    assert [verdict.reports["top"].height for verdict in none] == [0, 0, 0]


@pytest.mark.parametrize("size", [499, 500, 501])
def test_of_a_long_passage_the_beginning_is_reported(tmp_path, size):
    corpus = corpus_of(tmp_path, ["é" * size] * 2, RepeatedPassages())
    (verdict,) = RepeatedPassages().decide(corpus, tmp_path / "scratch")
    assert verdict.reports["top"].rows() == [("é" * min(size, 500), 2, 2, 2 * size, "000")]


@pytest.mark.parametrize(("min_bytes", "left"), [(38, "text"), (39, "text"), (40, f"{MENU}\ntext")])
def test_a_run_is_cut_from_min_bytes_on(tmp_path, min_bytes, left):
    """Its passages count together, the line break between them does not."""
    two = ("Home | News | Sport", "Contact us | Imprint")
    assert len(MENU) == sum(map(len, two)) == 39
    first = "\n".join([MENU, *two, "a longer document " * 5])
    repeats = RepeatedPassages(min_bytes=min_bytes)
    for n, text in enumerate((f"{MENU}\ntext", "\n".join([*two, "text"]))):
        found = cut(tmp_path / str(n), [first, text], repeats)[0]
        assert found == [first, "text" if left == "text" else text]
    corpus = corpus_of(tmp_path / "top", [first, f"{MENU}\ntext"], repeats)
    (verdict,) = repeats.decide(corpus, tmp_path / "scratch")
    assert verdict.reports["top"]["text"].to_list() == [MENU] * (left == "text")


@pytest.mark.parametrize(
    ("window", "text", "left"),
    [
        (1, "x\none\ntwo\ny\nfour\nz", "x\ny\nz"),
        (2, "x\none\ntwo\ny\nfour\nz", "x\ny\nfour\nz"),
        (3, "x\none\ntwo\ny\nfour\nz", "x\none\ntwo\ny\nfour\nz"),
        (2, "x\none\ntwo\nthree\ny", "x\ny"),
        (3, "x\none\ntwo\nthree\ny", "x\ny"),
        (4, "x\none\ntwo\nthree\ny", "x\none\ntwo\nthree\ny"),
        (2, "one\ntwo\none\ntwo", ""),
        (2, "two\none", "two\none"),
        (2, "one", "one"),
    ],
)
def test_a_window_of_passages_is_repeated_as_a_whole(tmp_path, window, text, left):
    first = "one\ntwo\nthree\nfour\nfive and more words than the others"
    found = cut(tmp_path, [first, text], RepeatedPassages(window=window, min_bytes=0))
    assert found[0] == [first, left]
    corpus = corpus_of(tmp_path / "top", [first, "one\ntwo"], RepeatedPassages(window=2, min_bytes=0))
    (verdict,) = RepeatedPassages(window=2, min_bytes=0).decide(corpus, tmp_path / "scratch")
    assert verdict.reports["top"].rows() == [("one\ntwo", 2, 2, 7, "000")]


@pytest.mark.parametrize(("words", "rules"), [(4, ["words_left_too_low"]), (5, [])])
def test_of_a_cut_document_enough_words_must_be_left(tmp_path, words, rules):
    step = RepeatedPassages(min_words_left=5, min_passages_left=0)
    texts = [f"{MENU}\n{'word ' * 20}", f"{MENU}\n{'other ' * words}", "short"]
    (verdict,) = step.decide(corpus_of(tmp_path, texts, step), tmp_path / "scratch")
    assert [[b["rule"] for b in broken] for broken in verdict.decisions["violations"].to_list()] == [[], rules, []]


@pytest.mark.parametrize(("lines", "rules"), [(1, ["passages_left_too_low"]), (2, [])])
def test_of_a_cut_document_enough_passages_must_be_left(tmp_path, lines, rules):
    step = RepeatedPassages(min_passages_left=2)
    texts = [f"{MENU}\n{'word ' * 20}\nand more", MENU + "".join(f"\nline {i}" for i in range(lines)), "short"]
    (verdict,) = step.decide(corpus_of(tmp_path, texts, step), tmp_path / "scratch")
    assert [[b["rule"] for b in broken] for broken in verdict.decisions["violations"].to_list()] == [[], rules, []]


@given(st.lists(st.integers(0, 40), max_size=300), st.integers(2, 5), st.integers(0, 58))
def test_no_hash_that_occurs_often_is_left_out(numbers, least, shift):
    """And none stays whose slot, its first bits, has too few."""
    hashes = np.array(numbers, np.uint64) << np.uint64(shift)
    full, counts = in_full_slots(hashes, least), Counter(hashes.tolist())
    assert all(full[[counts[hash] >= least for hash in hashes.tolist()]])
    bits = max(4 * hashes.size - 1, 3).bit_length()
    slots = Counter(hash >> (64 - bits) for hash in hashes.tolist())
    assert full.tolist() == [slots[hash >> (64 - bits)] >= least for hash in hashes.tolist()]


def test_a_slot_counts_to_255_and_keeps_what_occurs_more_often():
    hashes = np.repeat(np.array([1, 2**63], np.uint64), [300, 254])
    assert in_full_slots(hashes, 300).tolist() == [True] * 300 + [False] * 254


@given(
    st.lists(
        st.tuples(st.sampled_from(["one\ntwo", "", "three\n\nfour\n", "漢字\nx"]), st.sampled_from(["en", "code"]))
    )
)
@settings(max_examples=30, deadline=None)
def test_documents_in_skipped_languages_have_no_passages(rows):
    texts, languages = [text for text, _ in rows], np.array([language for _, language in rows], object)
    text = Ragged.from_strings(texts)
    every = RepeatedPassages(skip_languages=[]).measure(Batch(text, languages)).to_dicts()
    some = RepeatedPassages().measure(Batch(text, languages)).to_dicts()
    none = {"hash": [], "start": [], "length": [], "breaks": [], "words": []}
    assert some == [row | (none if language == "code" else {}) for row, language in zip(every, languages, strict=True)]


def test_measures_are_read_as_often_for_many_partitions_as_for_one(tmp_path, monkeypatch):
    """A partition for each 256 MB of passages: to read all measures for each would make time grow with the square."""
    reads: list[Counter] = []
    measured = Corpus.measured
    monkeypatch.setattr(Corpus, "measured", lambda *args: reads[-1].update([args[1]]) or measured(*args))
    for number, passage_bytes in enumerate((64, 64 << 20)):
        monkeypatch.setattr(module, "PASSAGE_BYTES", passage_bytes)
        reads.append(Counter())
        cut(tmp_path / str(number), ["a\nb\nc", "b\na", "c\nd"] * 3, RepeatedPassages(min_bytes=0, memory_mb=64), 3)
    assert reads[0] == reads[1]
