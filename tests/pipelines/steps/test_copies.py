"""Counts of copies: a document stands for itself and for every link that ends at it."""

import pyarrow as pa
from upath import UPath

from gristmill.pipelines.schema import COPIES, DOCUMENT, DOCUMENTS, LINK, LINKS
from gristmill.pipelines.steps.copies import count_copies
from gristmill.pipelines.steps.step import Output
from gristmill.pipelines.storage.shards import read_shard, write_shard


def counts(folder, shards, links):
    """Return {id: (cluster size, sources)} for shards of (id, source) and links {id: (kept id, in an index)}."""
    for part, rows in shards.items():
        table = pa.table([[id for id, _ in rows], ["t"] * len(rows), [source for _, source in rows]], DOCUMENT.names)
        write_shard(folder / DOCUMENTS / f"{part}.parquet", [table.cast(DOCUMENT)], DOCUMENT)
        named = [(row, *links[id]) for row, (id, _) in enumerate(rows) if id in links]
        table = pa.Table.from_pylist([dict(zip(LINK.names, each, strict=True)) for each in named], LINK)
        write_shard(folder / LINKS / f"{part}.parquet", [table], LINK)
    outputs = tuple(Output(folder / COPIES, part) for part in shards)
    wrote = count_copies(folder / DOCUMENTS, folder / LINKS, list(shards), outputs)
    assert [each.counts["documents"] for each in wrote] == [len(rows) for rows in shards.values()]
    found = {}
    for output in outputs:
        rows = read_shard(output.path).to_pylist()
        found |= {id: tuple(row.values()) for (id, _), row in zip(shards[output.name], rows, strict=True)}
    return found


def test_links_count_for_the_document_at_their_end(tmp_path):
    shards = {"p": [("a", "web"), ("b", "web"), ("c", "books")], "q": [("d", "books"), ("e", None)], "none": []}
    links = {"b": ("a", False), "c": ("a", False), "d": ("a", False), "e": ("x", True)}
    expected = {"a": (4, ["books", "web"])} | dict.fromkeys("bcde", (1, []))
    assert counts(UPath(tmp_path), shards, links) == expected


def test_a_link_into_an_index_counts_for_no_document_of_the_same_id(tmp_path):
    assert counts(UPath(tmp_path), {"p": [("a", "s"), ("b", "t")]}, {"b": ("a", True)}) == dict.fromkeys("ab", (1, []))


def test_a_copy_without_a_source_counts(tmp_path):
    assert counts(UPath(tmp_path), {"p": [("a", "s"), ("b", None)]}, {"b": ("a", False)})["a"] == (2, [])
