import gzip
import random
import subprocess
import sys

import polars as pl
import pytest
from corpora import PEAK_MB, write_jsonl
from upath import UPath

from gristmill.pipelines.errors import InputError, RecipeError, WorkError
from gristmill.pipelines.storage.histogram import histogram
from gristmill.pipelines.storage.inspect import document, only, open_table, overview, sample, where

ROWS = pl.DataFrame(
    {
        "id": ["a", "b", "c", "d"],
        "text": ["short", "", "é" * 300, None],
        "source": ["x", "x", "y", None],
        "gopher.words": [1, 0, 30, 4],
        "violations": [
            [{"rule": "few", "value": 1.0}],
            [{"rule": "few", "value": 0.0}, {"rule": "dup", "value": 1.0}],
            [],
            None,
        ],
    }
)


def table(frame=ROWS, folder=None, parts=1):
    for i, part in enumerate([*frame.iter_slices(-(-len(frame) // parts) or 1)] or [frame]):
        part.write_parquet(folder / f"part-{i:05}.parquet", row_group_size=2)
    return open_table(UPath(folder))


@pytest.fixture
def shards(tmp_path):
    return table(folder=tmp_path, parts=2)


def test_overview_counts_rows_bytes_nulls_and_groups(shards, tmp_path):
    found = overview(shards, only(shards, []))
    assert (found["files"], found["rows"], found["text_bytes"]) == (2, 4, 605)
    assert found["file_bytes"] == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert {c["name"]: c["nulls"] for c in found["columns"]} == dict.fromkeys(ROWS.columns, 0) | {
        "text": 1,
        "source": 1,
        "violations": 1,
    }
    assert found["columns"][-1]["type"] == "list[struct{rule, value}]"
    assert found["text_characters"] == {
        "p0": 0, "p1": 0, "p5": 0, "p25": 5, "p50": 5, "p75": 300, "p95": 300, "p99": 300, "p100": 300
    }  # fmt: skip
    assert found["row_groups"]["count"] == 2 and found["row_groups"]["rows"] == [2, 2]


@pytest.mark.parametrize(
    ("expression", "ids"),
    [
        ("len(text) < 200 and source == 'x'", "ab"),
        ("LEN (text) = 300", "c"),
        ("octet_length(text) = 600", "c"),
        ("gopher.words > 3", "cd"),
        ('"gopher.words" > 3', "cd"),
        ("gopher.words > avg(gopher.words)", "c"),  # of the whole folder
        ("source != 'gopher.words'", "abc"),
        ("text like 'sh%'", "a"),
        ("text is null", "d"),
        ("array_length(violations) > 1", "b"),
    ],
)
def test_where_keeps_the_rows_for_which_it_holds(shards, expression, ids):
    assert "".join(where(shards, expression).rows.collect()["id"]) == ids


@pytest.mark.parametrize(
    "expression",
    ["nope > 1", "len(text", "", "*", "text", "text + 1 > 2", "text > 3", "select 1", "id = 'a'; drop", "1", "len()"],
)
def test_a_condition_that_is_none_is_one_clear_line(shards, expression):
    with pytest.raises(RecipeError) as caught:
        where(shards, expression)
    assert str(caught.value).startswith(f"--where {expression!r}: ") and "\n" not in str(caught.value)


def test_a_sample_depends_on_ids_alone(tmp_path):
    ids = [f"d{i}" for i in range(100)]
    tables = []
    for name, parts in (("one", 1), ("seven", 7)):
        (tmp_path / name).mkdir()
        random.Random(name).shuffle(ids)
        tables.append(table(pl.DataFrame({"id": ids}), tmp_path / name, parts))
    drawn = [{row["id"] for row in sample(table, 10, ["id"])} for table in tables]
    assert drawn[0] == drawn[1] and len(drawn[0]) == 10
    assert {row["id"] for row in sample(tables[0], 5, ["id"])} < drawn[0]
    assert len(sample(tables[0], 1000, ["id"])) == 100


def test_a_table_without_ids_is_sampled_by_row(tmp_path):
    spans = table(pl.DataFrame({"offset": range(50)}), tmp_path)
    drawn = sample(spans, 5, ["offset"])
    assert drawn == sample(spans, 5, ["offset"]) and len(drawn) == 5
    with pytest.raises(RecipeError, match="no column 'id'"):
        document(spans, "a", ["offset"])


def test_a_document_is_found_by_id_or_missed_clearly(shards):
    assert document(shards, "c", ["text", "source"]) == {"text": "é" * 300, "source": "y"}
    with pytest.raises(WorkError, match="no row with id 'z'"):
        document(shards, "z", ["text"])


def test_columns_that_are_not_there_are_named_with_the_nearest(shards):
    assert only(shards, ["text"]) == ["text"]
    with pytest.raises(RecipeError, match="did you mean 'source'"):
        only(shards, ["sorce"])
    for column in ("gopher.word", "violations.nope", "text.length"):
        with pytest.raises(RecipeError, match=f"no column '{column}'"):
            histogram(shards, column)


def bars(column, values, folder):
    found = histogram(table(pl.DataFrame({column: values}, strict=False), folder), column)
    assert (
        sum(bar["rows"] for bar in found["bars"]) + found["others"] + found["missing"] == found["rows"] == len(values)
    )
    return found


def test_few_whole_numbers_are_counted_one_by_one(tmp_path):
    found = bars("n", [3, 3, 6, None], tmp_path)
    assert [(bar["value"], bar["rows"]) for bar in found["bars"]] == [(3, 2), (4, 0), (5, 0), (6, 1)]
    assert found["missing"] == 1


def test_numbers_fall_in_ranges_and_outliers_beside_them(tmp_path):
    values = [*range(1000), 10**9]
    found = bars("n", values, tmp_path)
    for bar in found["bars"][:-1]:
        assert bar["rows"] == sum(bar["from"] <= value < bar["to"] for value in values)
    assert found["bars"][-1]["to"] == 10**9 and found["bars"][-1]["rows"] <= 11
    assert max(bar["rows"] for bar in found["bars"][1:-1]) < 60


def test_values_of_many_sizes_fall_in_ranges_that_grow(tmp_path):
    found = bars("n", [2.0**i for i in range(40)], tmp_path)
    inner = found["bars"][1:-1]
    ratios = [bar["to"] / bar["from"] for bar in inner]
    assert max(ratios) == pytest.approx(min(ratios)) and min(ratios) > 2


@pytest.mark.parametrize("values", [[1.5], [float("nan"), float("inf"), None, 1.5, 1.5]])
def test_one_value_is_one_bar_and_what_is_no_number_is_missing(tmp_path, values):
    found = bars("n", values, tmp_path)
    assert [bar["rows"] for bar in found["bars"]] == [values.count(1.5)]


@pytest.mark.parametrize("values", [[], [None, None]])
def test_no_values_are_no_bars(tmp_path, values):
    columns = {"n": pl.Series(values, dtype=pl.Float64), "s": pl.Series(values, dtype=pl.String)}
    shards = table(pl.DataFrame(columns), tmp_path)
    assert histogram(shards, "n")["bars"] == histogram(shards, "s")["bars"] == []
    assert histogram(shards, "n")["missing"] == histogram(shards, "s")["missing"] == len(values)


def test_strings_are_counted_by_value_most_first(tmp_path):
    found = bars("s", ["b", "a", "c", "c", None, *(f"z{i}" for i in range(40))], tmp_path)
    assert [bar["value"] for bar in found["bars"][:4]] == ["c", "a", "b", "z0"]
    assert (len(found["bars"]), found["others"], found["missing"]) == (20, 23, 1)


def test_strings_of_many_values_are_counted_by_length(tmp_path):
    found = bars("s", [f"{i:06}" for i in range(12_000)], tmp_path)
    assert (found["of"], found["bars"]) == ("characters", [{"value": 6, "rows": 12_000}])


def test_long_strings_are_counted_by_length_however_few(tmp_path):
    assert bars("s", ["x" * 201, ""], tmp_path)["of"] == "characters"
    assert bars("s", ["x" * 200, ""], tmp_path)["of"] == "value"


def test_lists_are_counted_by_length_and_their_fields_by_value(shards):
    found = histogram(shards, "violations")
    assert (found["of"], found["missing"]) == ("items", 1)
    assert [bar["rows"] for bar in found["bars"]] == [1, 1, 1]
    assert histogram(shards, "violations.rule")["bars"] == [{"value": "few", "rows": 2}, {"value": "dup", "rows": 1}]
    assert histogram(shards, "gopher.words")["column"] == "gopher.words"


def test_a_column_of_lines_may_begin_late_or_become_wider(tmp_path):
    path, rows = tmp_path / "rows.jsonl", [{"n": 1}] * 1000 + [{"n": 1.5, "late": "yes"}]
    write_jsonl(path, rows)
    assert open_table(UPath(path)).rows.collect().row(-1) == (1.5, "yes")


@pytest.mark.parametrize("packed", [False, True])
def test_json_lines_are_a_table_too(tmp_path, packed):
    lines = b'{"file": "a.jsonl", "position": 3, "reason": "no text"}\n{"file": "b", "position": 9, "reason": "bad"}\n'
    path = tmp_path / ("rejects.jsonl.gz" if packed else "rejects.jsonl")
    path.write_bytes(gzip.compress(lines) if packed else lines)
    rejects = open_table(UPath(tmp_path))
    assert overview(rejects, ["reason"])["rows"] == 2
    assert overview(rejects, ["reason"])["row_groups"] == {"count": 0}
    assert [row["file"] for row in sample(where(rejects, "position > 5"), 3, ["file"])] == ["b"]


def test_what_holds_no_table_is_an_input_error(tmp_path):
    (tmp_path / "work" / "clean").mkdir(parents=True)
    for path, message in (("nope", "does not exist"), ("work", "one of its folders: clean"), ("work/clean", "neither")):
        with pytest.raises(InputError, match=message):
            open_table(UPath(tmp_path / path))


@pytest.mark.parametrize("cut", [0, 4, 200])
def test_a_damaged_shard_is_named(tmp_path, cut):
    whole = tmp_path / "whole.parquet"
    ROWS.write_parquet(whole)
    (tmp_path / "cut.parquet").write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(WorkError, match=r"cut\.parquet cannot be read"):
        open_table(UPath(tmp_path / "cut.parquet"))


def test_shards_of_two_schemas_are_named(tmp_path):
    pl.DataFrame({"id": ["a"]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"id": [1]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(WorkError, match="cannot be read"):
        overview(open_table(UPath(tmp_path)), ["id"])


CHILD = (
    """
import sys
from upath import UPath
from gristmill.pipelines.storage.histogram import histogram
from gristmill.pipelines.storage.inspect import open_table, overview, sample, where
shards = open_table(UPath(sys.argv[1]))
overview(shards, ["id", "text"]), histogram(shards, "text"), sample(where(shards, "len(text) > 3"), 2, ["text"])
"""
    + f"print({PEAK_MB})\n"
)


def test_memory_does_not_grow_with_the_folder(tmp_path):
    group = pl.DataFrame({"id": [f"d{i}" for i in range(2000)], "text": [f"{i} " * 800 for i in range(2000)]})
    peaks = []
    for shards in (8, 80):  # 70 and 700 MB of text
        folder = tmp_path / f"{shards}"
        folder.mkdir()
        group.write_parquet(folder / "0.parquet", row_group_size=2000)
        for i in range(1, shards):
            (folder / f"{i}.parquet").symlink_to(folder / "0.parquet")
        child = subprocess.run([sys.executable, "-c", CHILD, str(folder)], capture_output=True, text=True, check=True)
        peaks.append(int(child.stdout))
    assert peaks[1] < peaks[0] + 150, peaks  # MiB


def test_rows_without_ids_are_drawn_whatever_their_columns_are_called(tmp_path):
    shards = table(pl.DataFrame({"n": [1, 2], "\0\0": [3, 4]}), tmp_path)
    assert sample(shards, 2, ["n", "\0\0"]) == [{"n": 1, "\0\0": 3}, {"n": 2, "\0\0": 4}]
