from itertools import groupby, product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gristmill.dedup.dataset.overlap import count_words, overlap, totals
from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.near.near_duplicates import NearDuplicates
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DOCUMENT, TEXT
from gristmill.pipelines.steps.corpus import Corpus
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.shards import write_shard
from tests.reference.normalize import normalize
from tests.reference.shingles import is_letter, shingles

TEXTS = ["one two", "one  two", "One TWO", "three", "three four five", "", "-"]


def everything(part, rows):
    return np.ones(rows, bool)


def measured(folder, rows, shards):
    """Rows (text, source) as a corpus with the measures of exact, and with those of near."""
    steps, parts = {"exact": Exact(), "near": NearDuplicates(memory_mb=64)}, [f"part-{k}" for k in range(shards)]
    for k, part in enumerate(parts):
        some = range(len(rows) * k // shards, len(rows) * (k + 1) // shards)
        columns = [[str(i) for i in some], [rows[i][0] for i in some], [rows[i][1] for i in some]]
        table = pa.table(columns, DOCUMENT.names).cast(DOCUMENT)
        write_shard(folder / "documents" / f"{part}.parquet", [table], DOCUMENT)
        for name, step in steps.items():
            frame = step.measure(Batch(Ragged.from_text(table[TEXT]))).to_arrow()
            write_shard(folder / name / f"{part}.parquet", [frame], frame.schema)
    return [Corpus(folder / "documents", folder / name, parts, everything) for name in steps], steps["near"]


def slowly(rows):
    """(kind, source, other) -> documents, bytes, words; here near is equal shingles."""
    alike = {
        "exact": lambda a, b: normalize(a.encode(), False) == normalize(b.encode(), False),
        "near": lambda a, b: shingles(a) == shingles(b) != set(),
    }
    told = {}
    for kind, source, other in product(alike, "xy", "xy"):
        held = [
            text
            for i, (text, mine) in enumerate(rows)
            if mine == source
            and any(its == other and i != j and alike[kind](text, copy) for j, (copy, its) in enumerate(rows))
        ]
        if held:
            words = sum(len(text.replace(",", " ").replace("!", " ").replace("-", " ").split()) for text in held)
            told[kind, source, other] = len(held), sum(map(len, held)), words
    return told


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(TEXTS), st.sampled_from("xy")), max_size=9), st.integers(1, 3))
@example([("", "x"), ("-", "x"), ("-", "y")], 1)  # a source of one byte
def test_what_pairs_share_is_what_the_reference_says(tmp_path_factory, rows, shards):
    folder = to_path(tmp_path_factory.mktemp("overlap"))
    (exact, near), step = measured(folder, rows, shards)
    shared = overlap(exact, near, step, folder / "scratch")
    assert {row[:3]: row[3:6] for row in shared.iter_rows()} == slowly(rows)
    sizes = {source: (documents, size) for source, documents, size in totals(exact).iter_rows()}
    assert sizes == {s: (len(m), sum(map(len, m))) for s in "xy" if (m := [t for t, o in rows if o == s])}
    for row in shared.iter_rows(named=True):
        assert row["share"] == pytest.approx(row["bytes"] / max(sizes[row["source"]][1], 1))


@given(st.lists(st.text(max_size=20), max_size=4))
def test_words_are_runs_of_letters(texts):
    texts.append("wort " * 3000)
    assert count_words(Ragged.from_strings(texts)).tolist() == [
        sum(letters for letters, _ in groupby(text, is_letter)) for text in texts
    ]
