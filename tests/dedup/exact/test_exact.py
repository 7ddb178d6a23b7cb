import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.normalize import WHITE
from reference.normalize import normalize as slowly

from gristmill.dedup.exact import exact
from gristmill.dedup.exact.exact import Exact, find_duplicates
from gristmill.dedup.exact.normalize import hash_normalized, normalize, space_width
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.shards import write_shard

pieces = st.sampled_from(
    ["a", "B", " ", "\n", "\t", "\u3000", "\u2028", "\xa0", "\x85", "\u200b", "é", "字", "\x1f", "\u1680"]
)
words = st.lists(st.sampled_from(["mill", "a", "incomprehensible", "B", " ", "  ", "\n", "\x7f", "\x01", "é", "\xa0"]))
texts = (st.lists(pieces).map("".join) | words.map(" ".join) | st.text()).map(str.encode) | st.binary(max_size=20)


@given(texts, st.booleans())
def test_normalize_answers_as_the_reference(text, lowercase):
    data = np.frombuffer(text, np.uint8)
    buffer = np.empty(data.size, np.uint8)
    size = normalize(data, 0, data.size, lowercase, buffer)
    assert buffer[:size].tobytes() == slowly(text, lowercase)


ODD = [
    " ",
    "  ",
    "\n",
    " \n",
    "\x01",
    "\x1f",
    "\x7f",
    "é",
    "\xa0",
    "\x85",
    "a b",
    "a  b",
    "\u2028",
    "\u205f",
    "\u3000",
    "\u1680",
]


@pytest.mark.parametrize("odd", [*ODD, "Â", "\u2002\u2003", "字", "\u2020"])
def test_normalize_answers_as_the_reference_wherever_windows_of_64_bytes_begin(odd):
    for before in [*range(4), *range(56, 70)]:
        for lowercase in (False, True):
            text = ("X" * before + odd + "y" * (140 - before)).encode()
            data, buffer = np.frombuffer(text, np.uint8), np.empty(len(text) + 64, np.uint8)
            for end in (before, before + 1, before + len(odd.encode()), len(text)):  # may cut the character
                size = normalize(data, 0, end, lowercase, buffer)
                assert buffer[:size].tobytes() == slowly(text[:end], lowercase)


def test_each_character_up_to_the_kana_is_white_or_not():
    for code in range(0x3100):
        data = np.frombuffer(chr(code).encode(), np.uint8)
        assert space_width(data, 0, data.size) == data.size * bool(re.match(f"[{WHITE}]", chr(code))), hex(code)
        assert data.size == 1 or space_width(data, 0, data.size - 1) == 0  # the end of the text cuts it


@given(st.lists(texts, max_size=8), st.booleans())
def test_hashes_agree_exactly_where_the_normalized_texts_do(rows, lowercase):
    hashes = list(zip(*hash_normalized(*Ragged.from_strings(rows), lowercase), strict=True))
    same = [slowly(row, lowercase) for row in rows]
    assert [[a == b for a in hashes] for b in hashes] == [[a == b for a in same] for b in same]


def duplicates(tmp_path, shards, settings=None, keep_mask=None):
    """Shards {part: [(id, text, source)]} -> {id of the dropped: id of the one that stays}."""
    settings, documents, measures = settings or Exact(), to_path(tmp_path / "documents"), to_path(tmp_path / "measures")
    for part, rows in shards.items():
        table = pa.table(list(zip(*rows, strict=True)), DOCUMENT.names).cast(DOCUMENT)
        write_shard(documents / f"{part}.parquet", [table], DOCUMENT)
        measured = settings.measure(Batch(Ragged.from_text(table["text"]))).to_arrow()
        write_shard(measures / f"{part}.parquet", [measured], measured.schema)
    masks = {part: np.ones(len(rows), bool) for part, rows in shards.items()} | (keep_mask or {})
    corpus = Corpus(documents, measures, list(shards), lambda part, rows: masks[part])
    found = find_duplicates(settings, corpus, tmp_path / "scratch")
    ids = [row[0] for part in sorted(shards) for row in shards[part]]
    return {ids[number]: kept for number, kept, *_ in found.iter_rows()}


@pytest.mark.parametrize(
    ("rows", "settings", "dropped"),
    [
        ([("1", "a b", "x"), ("2", "a c", "x")], {}, {}),
        ([("2", "a b", "x"), ("1", "a b", "x"), ("3", "a b", "x")], {}, {"2": "1", "3": "1"}),  # the smallest id
        ([("1", "a b", "x"), ("2", " a\n\nb ", "x")], {}, {"1": "2"}),  # the longest text
        ([("1", "a b", "x"), ("2", "a b", "y")], {"source_priority": ["y"]}, {"1": "2"}),
        ([("1", "a  b", "x"), ("2", "a b", "y")], {"source_priority": ["y", "x"]}, {"1": "2"}),
        ([("1", "a b", "x"), ("2", "A B", "x")], {}, {}),
        ([("1", "a b", "x"), ("2", "A B", "x")], {"lowercase": True}, {"2": "1"}),
        ([("1", "", "x"), ("2", " \n", "x")], {}, {"1": "2"}),  # blank documents are alike
        ([("1", "a1", "x"), ("2", "a2", "x")], {}, {}),  # digits count
    ],
)
def test_of_equal_texts_the_first_by_priority_length_and_id_stays(tmp_path, rows, settings, dropped):
    assert duplicates(tmp_path, {"part-0": rows}, Exact(**settings)) == dropped


def test_what_an_earlier_step_removed_duplicates_nothing(tmp_path):
    rows = {"part-0": [("1", "same", "x"), ("2", "same", "x"), ("3", "same", "x")]}
    assert duplicates(tmp_path, rows, keep_mask={"part-0": np.array([False, True, True])}) == {"3": "2"}


documents = st.lists(st.tuples(st.sampled_from(["a", "a ", "b", "b\n", ""]), st.sampled_from("xy")), max_size=12)


@given(documents, st.randoms(use_true_random=False), st.integers(1, 3), st.integers(1, 12))
def test_neither_order_nor_shards_nor_partitions_matter(tmp_path_factory, rows, random, shards, partition_rows):
    rows = [(str(i), text, source) for i, (text, source) in enumerate(rows)]
    whole = duplicates(tmp_path_factory.mktemp("whole"), {"part-0": rows} if rows else {})
    random.shuffle(rows)
    cut = {f"part-{k}": rows[k::shards] for k in range(shards) if rows[k::shards]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "PARTITION_ROWS", partition_rows)
        assert duplicates(tmp_path_factory.mktemp("cut"), cut) == whole


def test_every_document_of_every_shard_is_judged(tmp_path):
    rows = {"p": [("1", "a", "x"), ("2", "b", "x")], "q": [("3", "a", "x")]}
    duplicates(tmp_path, rows)
    corpus = Corpus(
        *(to_path(tmp_path / n) for n in ("documents", "measures")), ["p", "q"], lambda p, n: np.ones(n, bool)
    )
    verdicts = {part: decisions.rows() for part, decisions, *_ in Exact().decide(corpus, tmp_path)}
    broken = [{"rule": "exact_duplicate", "value": 1.0, "threshold": 1.0}]
    assert verdicts == {"p": [(None, None, None, []), (None, None, None, [])], "q": [("1", False, 1.0, broken)]}


@pytest.mark.parametrize(
    ("drop", "gone"),
    [("copies", {"b": "a", "c": "a", "e": "d"}), ("all", {**dict.fromkeys("abc", "a"), "d": "d", "e": "d"})],
)
def test_the_copies_go_or_the_whole_group(tmp_path, drop, gone):
    rows = [
        ("a", "x y", ""),
        ("b", "x\ty", ""),
        ("c", "x\ny", ""),
        ("d", "z ", ""),
        ("e", " z", ""),
        ("f", "other", ""),
    ]
    for shards in ({"p": rows}, {"p": rows[::2], "q": rows[1::2]}):
        assert duplicates(tmp_path / str(len(shards)), shards, Exact(drop=drop)) == gone
