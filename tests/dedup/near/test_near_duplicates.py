import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from corpora import PEAK_MB
from upath import UPath

from gristmill.dedup.near import candidates
from gristmill.dedup.near.near_duplicates import BUCKETS, Corpus, NearDuplicates, find_near_duplicates, write_buckets
from gristmill.filters.core.batch import Batch
from gristmill.pipelines.ragged import Ragged
from gristmill.pipelines.schema import DECISIONS, DOCUMENT, ID
from gristmill.pipelines.steps.corpus_step import DUPLICATE, decide_corpus
from gristmill.pipelines.steps.spans import spans_table
from gristmill.pipelines.steps.step import Output
from gristmill.pipelines.storage.shards import cut_groups, read_shard, write_shard
from tests.reference.shingles import shingles


def build(folder, rows, settings, shards=1, **columns):
    """Rows (id, text) or (id, text, source) as shards of documents and of measures -> part names."""
    parts = [f"part-{i:05}" for i in range(shards)]
    for i, part in enumerate(parts):
        some = slice(len(rows) * i // shards, len(rows) * (i + 1) // shards)
        mine = [(*row, "")[:3] for row in rows[some]]
        table = pa.table([list(column) for column in zip(*mine, strict=True)] or [[], [], []], DOCUMENT.names)
        table = table.cast(DOCUMENT)
        for name, values in columns.items():
            table = table.append_column(name, pa.array(values[some]))
        write_shard(folder / "documents" / f"{part}.parquet", cut_groups(table, 5000), table.schema)
        measured = settings.measure(Batch(Ragged.from_text(table["text"]))).to_arrow()
        write_shard(folder / "measures" / f"{part}.parquet", [measured], measured.schema)
    return parts


def everything(part, rows):
    return np.ones(rows, bool)


def near(folder, rows, settings=None, shards=1, keep_mask=everything, **columns):
    """What is found, by id: {removed: kept}, and the whole table."""
    settings, folder = settings or NearDuplicates(), UPath(folder)
    parts = build(folder, rows, settings, shards, **columns)
    corpus = Corpus(folder / "documents", folder / "measures", parts, keep_mask)
    found, counts = find_near_duplicates(settings, corpus, folder / "scratch")
    gone = found.filter(pl.col("duplicate_of").is_not_null())
    return dict(zip(gone[ID], gone["duplicate_of"], strict=True)), found, counts


def jaccard(a, b):
    a, b = shingles(a), shingles(b)
    return len(a & b) / len(a | b)


def prose(seed, words, vocabulary=3000):
    draw = random.Random(seed)
    return [f"w{draw.randrange(vocabulary)}" for _ in range(words)]


def edit_chain(length, words=1000, edits=10):
    """Each text differs from the one before in ``edits`` words, none next to another."""
    draw, text, chain = random.Random(7), prose(0, words), []
    for step in range(length):
        chain.append((f"{step:02}", " ".join(text)))
        text = list(text)
        for place in draw.sample(range(5, words - 5, 10), edits):
            text[place] = f"new{step}_{place}"
    return chain


def test_a_chain_of_edits_keeps_what_is_unlike_all_that_is_kept(tmp_path):
    chain = edit_chain(41)
    text = dict(chain)
    assert all(0.88 < jaccard(a, b) < 0.92 for (_, a), (_, b) in pairwise(chain))
    gone, found, _ = near(tmp_path, chain)
    kept = text.keys() - gone.keys()
    assert 9 <= len(kept) <= 14
    for removed, keeper in gone.items():
        assert keeper in kept and jaccard(text[removed], text[keeper]) >= 0.8
    assert all(jaccard(text[a], text[b]) < 0.8 for a in kept for b in kept if a < b)
    assert set(found["cluster"]) == {found[ID][0]} and set(found["cluster_size"]) == {41}


def test_tables_that_differ_in_their_numbers_stay(tmp_path):
    draw = random.Random(1)
    tables = ["\n".join(" | ".join(f"{draw.random():.3f}" for _ in range(6)) for _ in range(40)) for _ in range(10)]
    assert near(tmp_path, [(str(i), table) for i, table in enumerate(tables)])[0] == {}


def test_short_product_pages_of_one_template_stay(tmp_path):
    draw = random.Random(2)
    page = "Buy the {} now. Colour {}, weight {} g, price {} EUR, article {}. Free delivery from {} EUR on all orders."
    pages = [(f"{i:03}", page.format(*(draw.randrange(10**6) for _ in range(6)))) for i in range(200)]
    assert near(tmp_path, pages)[0] == {}


def test_long_pages_that_differ_in_one_word_collapse_to_one(tmp_path):
    body = prose(3, 500)
    pages = [(f"{i:03}", " ".join([*body[:250], f"product{i:03}", *body[250:]])) for i in range(200)]
    gone, _, counts = near(tmp_path, pages)
    assert gone == {f"{i:03}": "000" for i in range(1, 200)}
    assert counts["compared"] < 200 * 21


def test_copies_in_one_bucket_take_one_comparison_each(tmp_path):
    gone, found, counts = near(tmp_path, [(f"{i:05}", "the same few words here") for i in range(20_000)])
    assert len(gone) == 19_999 == counts["compared"] and set(gone.values()) == {"00000"}
    assert set(found["cluster_size"]) == {20_000}


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, "long"),
        ({"source_priority": ["books"]}, "first"),
        ({"quality_column": "score"}, "best"),
        ({"quality_column": "score", "source_priority": ["books"]}, "first"),
    ],
)
def test_the_order_is_source_then_quality_then_length_then_id(tmp_path, settings, kept):
    text = " ".join(prose(4, 200))
    rows = [("a", text, "web"), ("best", text, "web"), ("first", text, "books"), ("long", text + " end", "web")]
    gone, _, _ = near(tmp_path, rows, NearDuplicates(**settings), score=[1.0, 2.0, None, 1.0])
    assert gone == dict.fromkeys({"a", "best", "first", "long"} - {kept}, kept)


def test_of_equals_the_smallest_id_stays(tmp_path):
    text = " ".join(prose(4, 200))
    assert near(tmp_path, [("b", text), ("a", text), ("c", text)])[0] == {"b": "a", "c": "a"}


@pytest.mark.parametrize(
    ("left", "right", "duplicate"),
    [
        ("Hello, world", "hello world!", True),  # very short: equal after normalizing
        ("hello world", "hello there world", False),
        ("", "", False),  # blank documents are nobody's duplicates
        ("---", "---", False),
        ("東京都は日本の首都です。" * 3, "東京都は日本の首都です。" * 3 + "。", True),
    ],
)
def test_short_documents(tmp_path, left, right, duplicate):
    assert bool(near(tmp_path, [("a", left), ("b", right)])[0]) is duplicate


def test_with_all_of_a_group_the_kept_document_goes_as_its_own_duplicate(tmp_path):
    """Of a chain, a document that is like a copy alone stays; the values are those of the most similar copy."""
    chain = edit_chain(6)
    gone, found, _ = near(tmp_path / "copies", chain)
    all_gone, all_found, _ = near(tmp_path / "all", chain, NearDuplicates(drop="all"))
    kept = set(gone.values())
    assert kept and all_gone == gone | {id: id for id in kept}
    assert set(dict(chain)) - set(all_gone) == set(dict(chain)) - set(gone) - kept
    for id in kept:
        most = found.filter(duplicate_of=id)["similarity"].max()
        assert all_found.filter(id=id).row(0, named=True)["similarity"] == most
    columns = [ID, "cluster", "cluster_size"]
    assert all_found.select(columns).equals(found.select(columns))


def messy_rows():
    """Families of near-duplicates around the threshold, with names that say nothing."""
    draw, rows = random.Random(5), []
    for family in range(40):
        words = prose(family, draw.randrange(20, 400))
        for _ in range(draw.randrange(1, 9)):
            copy = [w if draw.random() > 0.01 * draw.randrange(3) else "x" for w in words]
            rows.append((f"{draw.getrandbits(40):x}", " ".join(copy), draw.choice(["web", "books"])))
    return rows


def test_shards_order_and_partitions_change_nothing(tmp_path, monkeypatch):
    rows = messy_rows()
    gone, found, _ = near(tmp_path / "one", rows)
    text = {id: text for id, text, _ in rows}
    assert len(gone) > 30
    for removed, keeper in gone.items():
        assert keeper not in gone and jaccard(text[removed], text[keeper]) >= 0.8
    columns = [ID, "cluster", "cluster_size", "duplicate_of", "similarity", "mark_similarity", "containment"]
    monkeypatch.setattr(candidates, "BAND_ROW_BYTES", 1 << 18)  # as if memory held few rows: many partitions
    for shards in (1, 3, 7):
        random.Random(shards).shuffle(rows)
        again = near(tmp_path / str(shards), rows, NearDuplicates(memory_mb=64), shards)[1]
        assert shards > 1 or again[ID].equals(found[ID])  # a shard is in keep order
        assert again.select(columns).sort(ID).equals(found.select(columns).sort(ID))


def test_similarity_and_containment_are_the_true_ones(tmp_path):
    words = prose(6, 300)
    whole, part = " ".join(words), " ".join(words[:280])
    _, found, _ = near(tmp_path, [("whole", whole), ("part", part)])
    row = found.filter(id="part").row(0, named=True)
    assert row["duplicate_of"] == "whole" and row["containment"] == 1.0
    assert row["similarity"] == jaccard(whole, part)


def test_documents_removed_before_keep_nobody_out(tmp_path):
    text = " ".join(prose(4, 200))
    rows = [("a", text + " longest"), ("b", text + " end"), ("c", text)]
    gone, _, _ = near(tmp_path, rows, keep_mask=lambda part, rows: np.array([False, True, True]))
    assert gone == {"c": "b"}


def test_decisions_name_rule_value_and_threshold(tmp_path):
    folder, settings = UPath(tmp_path), NearDuplicates()
    words = prose(4, 200)
    rows = [("a", " ".join(words)), ("other", "nothing like it at all in the least"), ("b", " ".join(words[:-10]))]
    parts = build(folder, rows, settings, shards=2)
    outputs = [Output(folder / "decisions", part, kind=DECISIONS) for part in parts]
    corpus = Corpus(folder / "documents", folder / "measures", parts, lambda _, rows: np.ones(rows, bool))
    write_buckets(settings, corpus, (Output(corpus.stage_folder / BUCKETS, BUCKETS),))
    wrote = decide_corpus(settings, corpus, outputs)
    assert [w.counts for w in wrote] == [{"documents": 1, "would_remove": 0}, {"documents": 2, "would_remove": 1}]
    rows = read_shard(outputs[1].path).to_pylist()
    similarity = 186 / 196
    assert rows[0] == {ID: "other", "violations": []} | dict.fromkeys(DUPLICATE)
    broken = [{"rule": "near_duplicate", "value": similarity, "threshold": 0.8}]
    named = {"duplicate_of": "a", "in_index": False, "similarity": similarity, "mark_similarity": None}
    assert rows[1] == {ID: "b", "violations": broken, **named}
    assert not (tmp_path / "scratch").exists()


def test_text_is_compared_as_the_steps_before_left_it(tmp_path):
    """Two pages with one menu, which an earlier step cuts: alike with it, not without."""
    menu, bodies = " ".join(prose(8, 400)), [" ".join(prose(seed, 30)) for seed in (9, 10)]
    folder, settings = UPath(tmp_path), NearDuplicates()
    rows = [(str(i), f"{menu} {body}") for i, body in enumerate(bodies)]
    assert near(tmp_path / "whole", rows)[0]
    parts = build(folder, [(id, text.removeprefix(menu)) for id, text in rows], settings)
    build(folder / "raw", rows, settings)
    n = len(rows)
    spans = spans_table(range(n), [0] * n, [len(menu)] * n, ["menu"] * n)
    write_shard(folder / "spans" / f"{parts[0]}.parquet", [spans], spans.schema)
    corpus = Corpus(folder / "raw" / "documents", folder / "raw" / "measures", parts, everything, (folder / "spans",))
    found, counts = find_near_duplicates(settings, corpus, tmp_path / "scratch")
    assert counts["candidates"] == 2 and found.is_empty()  # whole texts were measured, cut texts compared


BIG = (
    """
import sys, numpy as np
from tests.dedup.near.test_near_duplicates import near, prose
from gristmill.dedup.near.near_duplicates import NearDuplicates
page = " ".join(prose(11, 8000, 10**6)) + "\\n"
gone, _, _ = near(sys.argv[1], [("big", page * 1000), ("small", page)], NearDuplicates(memory_mb=64))
assert gone == {"small": "big"}, gone
"""
    + f"print(len(page) * 1000 >> 20, {PEAK_MB})\n"
)


@pytest.mark.slow
def test_a_document_that_repeats_another_a_thousand_times_fits_the_memory(tmp_path):
    command, root = [sys.executable, "-c", BIG, str(tmp_path)], Path(__file__).parents[3]
    path = os.environ | {"PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    ran = subprocess.run(command, cwd=root, env=path, capture_output=True, text=True, check=True)
    megabytes, peak = map(int, ran.stdout.split())
    assert megabytes >= 50 and peak < 1000
