import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.storage import shards
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.shards import (
    cut_groups,
    group_rows,
    groups_of,
    read_batches,
    read_rows,
    read_shard,
    write_shard,
)


def documents(texts):
    return pa.table([[str(i) for i in range(len(texts))], texts, ["test"] * len(texts)], DOCUMENT.names).cast(DOCUMENT)


@given(st.lists(st.text(max_size=9), max_size=20), st.integers(1, 20))
def test_row_groups_hold_so_many_bytes_or_one_document(texts, group_bytes):
    groups = [group["text"].to_pylist() for group in cut_groups(documents(texts), group_bytes)]
    assert [text for group in groups for text in group] == texts
    sizes = [sum(len(text.encode()) for text in group) for group in groups]
    assert all(size <= group_bytes or len(group) == 1 for size, group in zip(sizes, groups, strict=True))
    for size, after in zip(sizes, groups[1:], strict=False):  # and none could have taken the next document too
        assert size + len(after[0].encode()) > group_bytes


def test_a_shard_reads_back_in_its_row_groups(tmp_path):
    path, table = to_path(tmp_path / "a" / "part.parquet"), documents(["one", "two", "three"])
    assert write_shard(path, [table[:2], table[2:]], DOCUMENT) == 3
    assert [batch["text"].to_pylist() for batch in read_batches(path, ["text"])] == [["one", "two"], ["three"]]


@given(st.lists(st.integers(0, 3), max_size=4), st.data())
def test_rows_are_read_out_of_their_row_groups(tmp_path_factory, sizes, data):
    path = to_path(tmp_path_factory.mktemp("rows") / "part.parquet")
    table = documents([str(i) for i in range(sum(sizes))])
    ends = np.cumsum([0, *sizes])
    write_shard(path, [table[a:b] for a, b in itertools.pairwise(ends.tolist())], DOCUMENT)
    assert group_rows(path) == sizes
    rows = np.array(sorted(data.draw(st.sets(st.sampled_from(range(len(table)))) if len(table) else st.just(()))), int)
    assert read_rows(path, rows).equals(table.take(rows))
    assert read_rows(path, rows, ["text"])["text"].to_pylist() == [str(row) for row in rows]


def test_a_shard_without_rows_keeps_its_columns(tmp_path):
    path = to_path(tmp_path / "part.parquet")
    assert write_shard(path, [], DOCUMENT) == 0
    assert read_shard(path).schema.names == DOCUMENT.names


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path, table = to_path(tmp_path / "part.parquet"), documents(["one"])
    write_shard(path, [table], DOCUMENT)
    before = path.read_bytes()

    def broken():
        yield documents(["two"])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_shard(path, broken(), DOCUMENT)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["part.parquet"]


def test_a_damaged_shard_is_named(tmp_path):
    path = to_path(tmp_path / "part.parquet")
    path.write_bytes(b"PAR1 not a shard")
    with pytest.raises(WorkError, match=r"part\.parquet is damaged"):
        list(read_batches(path))


def test_a_place_that_cannot_be_written_is_an_error_of_one_line(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(WorkError, match=r"cannot write .*part\.parquet"):
        write_shard(to_path(tmp_path / "file" / "part.parquet"), [], DOCUMENT)


@given(st.lists(st.integers(0, 5), max_size=6), st.data())
def test_rows_are_found_in_their_row_groups(sizes, data):
    every = [(group, sum(sizes[:group]), row) for group, size in enumerate(sizes) for row in range(size)]
    wanted = sorted(data.draw(st.sets(st.integers(0, len(every) - 1)))) if every else []
    found = list(groups_of(sizes, np.array(wanted, np.int64)))
    assert [(group, first, row) for group, first, rows in found for row in rows] == [every[row] for row in wanted]
    assert all(rows.size for _, _, rows in found)


@pytest.mark.parametrize(("rows", "sizes"), [(3, [3]), (4, [3, 1]), (7, [3, 3, 1])])
def test_row_groups_hold_so_many_rows(monkeypatch, rows, sizes):
    monkeypatch.setattr(shards, "GROUP_ROWS", 3)
    assert [group.num_rows for group in cut_groups(documents([""] * rows))] == sizes
