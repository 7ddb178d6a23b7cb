"""Folders by value: safe names that tell the value, and every row in the folder of its value."""

from urllib.parse import unquote

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.storage.partitions import LONGEST, NULL, partition_name, split_table

values = st.none() | st.text(max_size=5) | st.sampled_from(["a", "b", "../..", NULL, "ü" * 100])


@given(st.text(), st.text(max_size=300))
@example("language", "x" * LONGEST)
@example("language", "x" * (LONGEST + 1))
@example("language", "é" * 30)
@example("language", "é" * 31)
def test_a_name_is_one_folder_and_tells_a_short_value(column, value):
    name = partition_name(column[:10], value)
    encoded = name.partition("=")[2]
    assert name.isascii() and "/" not in name and name not in (".", "..") and len(encoded) <= LONGEST
    if len(value.encode()) * 3 <= LONGEST:
        assert unquote(encoded) == value


def test_long_values_of_one_beginning_have_folders_of_their_own():
    names = {partition_name("source", "x" * 200 + end) for end in "abc"} | {
        partition_name("s", "é" * n) for n in (60, 61)
    }
    assert len(names) == 5


@given(st.lists(values, max_size=30))
def test_every_row_lies_in_the_folder_of_its_value_in_order(column):
    table = pa.table({"row": range(len(column)), "kind": pa.array(column, pa.large_string())})
    found = [*split_table(table, "kind")]
    assert [folder for folder, _ in found] == sorted({partition_name("kind", value) for value in column})
    seen = [(row["row"], row["kind"]) for _, rows in found for row in rows.to_pylist()]
    assert sorted(seen) == [*enumerate(column)] and all(rows.num_rows for _, rows in found)
    for folder, rows in found:
        assert {partition_name("kind", value) for value in rows["kind"].to_pylist()} == {folder}
        assert (
            rows["row"].to_pylist() == sorted(rows["row"].to_pylist()) and rows.schema.field("kind").type == pa.string()
        )


def test_too_many_values_are_one_line():
    with pytest.raises(RecipeError, match=r"split_by: 'url' has 1,001 values in one shard; expected at most 1,000"):
        list(split_table(pa.table({"url": [str(i) for i in range(1_001)]}), "url"))
    assert len(list(split_table(pa.table({"url": [str(i) for i in range(1_000)]}), "url"))) == 1_000
