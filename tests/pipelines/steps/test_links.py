"""Links of duplicates: what is named is kept, whatever the steps removed after."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.pipelines.schema import LINKS
from gristmill.pipelines.steps.decisions import write_decisions
from gristmill.pipelines.steps.links import link_duplicates
from gristmill.pipelines.steps.step import Output
from gristmill.pipelines.storage.shards import read_shard

PARTS = ("p", "q")


def links(folder, ids, *steps):
    """Return {id: id of the kept document} of ids over two shards; a step is {removed id: (neighbor, in an index)}.

    Without a neighbor, a rule removed the document.
    """
    folder = UPath(folder)
    shards = dict(zip(PARTS, (ids[::2], ids[1::2]), strict=True))
    folders = [folder / str(k) for k in range(len(steps))]
    for path, step in zip(folders, steps, strict=True):
        for part, mine in shards.items():
            found = [step.get(id, (None, None)) for id in mine]
            broken = [[{"rule": "r", "value": 1.0, "threshold": 1.0}] if id in step else [] for id in mine]
            kind = pl.List(pl.Struct({"rule": pl.String, "value": pl.Float64, "threshold": pl.Float64}))
            columns = {"violations": pl.Series(broken, dtype=kind)}
            columns["duplicate_of"] = pl.Series([name for name, _ in found], dtype=pl.String)
            columns["in_index"] = pl.Series([index for _, index in found], dtype=pl.Boolean)
            named = [column.alias(name) for name, column in columns.items()]
            write_decisions(path / f"{part}.parquet", pl.Series(mine, dtype=pl.String).to_arrow(), *named)
    outputs = tuple(Output(folder / LINKS, part) for part in PARTS)
    wrote = link_duplicates(folders, folders, list(PARTS), outputs)
    tables = {output.name: read_shard(output.path).to_pylist() for output in outputs}
    assert [each.counts["links"] for each in wrote] == [len(table) for table in tables.values()]
    return {shards[part][row["row"]]: row["duplicate_of"] for part, table in tables.items() for row in table}


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([{}], {}),
        ([{"b": ("a", False)}], {"b": "a"}),
        ([{"b": ("a", False)}, {"a": ("c", False)}], {"b": "c", "a": "c"}),
        ([{"c": ("b", False)}, {"b": ("a", False)}, {"a": ("d", False)}], dict.fromkeys("abc", "d")),
        ([{"b": ("a", False)}, {"a": (None, None)}], {}),  # a rule removed the one kept
        ([{"b": ("a", False)}, {"a": ("c", False)}, {"c": (None, None)}], {}),
        ([{"b": ("a", False)}, {"a": ("c", False), "d": (None, None)}], {"b": "c", "a": "c"}),
        ([{"b": ("a", True)}, {"a": (None, None)}], {"b": "a"}),  # of an index that has the same id
        ([{"b": ("a", True)}, {"a": ("c", False)}], {"b": "a", "a": "c"}),
        ([{"b": ("a", False)}, {"a": ("c", True)}, {"c": (None, None)}], {"b": "c", "a": "c"}),
        ([{"b": ("x", True)}], {"b": "x"}),
        ([{"b": ("a", False), "a": ("a", False)}], {}),  # its own neighbor: the group went whole
        ([{"c": ("b", False)}, {"b": ("a", False), "a": ("a", False)}], {}),
        ([{"b": ("a", True), "a": ("a", True)}], {"b": "a", "a": "a"}),  # a copy of an index's document of its id
    ],
)
def test_a_link_ends_at_a_document_that_is_kept(tmp_path, steps, expected):
    assert links(tmp_path, list("abcd"), *steps) == expected


@given(st.lists(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), max_size=5), max_size=4))
def test_links_answer_as_a_walk_over_the_steps(tmp_path_factory, drawn):
    kept, steps = set(range(10)), [{}]
    for step in drawn:  # each removes documents that are kept, for ones that it keeps, or by a rule
        gone, alive = {}, set(kept)
        for document, other, ruled in step:
            named = {name for name, _ in gone.values()}
            if document != other and {document, other} <= alive and str(document) not in named:
                gone[str(document)] = (None, None) if ruled else (str(other), False)
                alive.discard(document)
        kept = alive
        steps.append(gone)
    every = {document: named for step in steps for document, (named, _) in step.items()}

    def end(document):
        return end(every[document]) if every.get(document) else None if document in every else document

    expected = {document: end(document) for document, named in every.items() if named}
    expected = {document: name for document, name in expected.items() if name}
    assert links(tmp_path_factory.mktemp("w"), [str(i) for i in range(10)], *steps) == expected
    assert set(expected.values()) <= set(map(str, kept))
