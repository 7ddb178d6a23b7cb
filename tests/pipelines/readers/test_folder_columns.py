"""Columns in the names of folders, and tables in files that are compressed once more."""

import gzip

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
import zstandard
from ingesting import ingest

from gristmill.pipelines.inputs.folder_columns import folder_values

ROWS = pa.table({"text": ["one", "two"]})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("a.parquet", {}),
        ("lang=en.parquet", {}),
        ("lang/a.parquet", {}),
        ("=en/a.parquet", {}),
        ("lang=/a.parquet", {"lang": ""}),
        ("lang=en/a.parquet", {"lang": "en"}),
        ("x/lang=en/day=2024-01-02/a.parquet", {"lang": "en", "day": "2024-01-02"}),
        ("url=a%2Fb%3Dc/a=b=c/a.parquet", {"url": "a/b=c", "a": "b=c"}),
        ("lang=__HIVE_DEFAULT_PARTITION__/a.parquet", {"lang": None}),
    ],
)
def test_folders_name_columns(name, values):
    assert folder_values(name) == values


def test_a_dataset_in_folders_has_the_columns_that_pyarrow_reads(tmp_path):
    table = pa.table({"text": ["a", "b", "c"], "lang": ["en", "de", None], "topic": ["x y", "ü", "x y"]})
    pq.write_to_dataset(table, tmp_path / "in", partition_cols=["lang", "topic"])
    rows = ingest(tmp_path / "work", tmp_path / "in").rows
    assert sorted(((row["text"], row["lang"], row["topic"]) for row in rows), key=str) == sorted(
        zip(*table.to_pydict().values(), strict=True), key=str
    )


def test_a_column_of_the_file_is_kept_and_one_of_the_folder_may_be_the_source(tmp_path):
    for lang in ("en", "de"):
        (tmp_path / "in" / f"lang={lang}" / "site=mill").mkdir(parents=True)
    pq.write_table(ROWS.append_column("lang", pa.array(["fr", None])), tmp_path / "in/lang=en/site=mill/a.parquet")
    feather.write_feather(ROWS, tmp_path / "in/lang=de/site=mill/a.arrow")
    rows = ingest(tmp_path / "work", tmp_path / "in", source_column="site").rows
    assert [(row["text"], row["lang"], row["source"]) for row in rows] == [
        ("one", "de", "mill"),
        ("two", "de", "mill"),
        ("one", "fr", "mill"),
        ("two", None, "mill"),
    ]


@pytest.mark.parametrize("name", ["a.parquet.gz", "a.parquet.zst", "a.arrow.gz"])
def test_a_compressed_table_is_refused_in_a_line_that_says_so(tmp_path, name):
    plain = tmp_path / "plain"
    feather.write_feather(ROWS, plain) if ".arrow" in name else pq.write_table(ROWS, plain)
    (tmp_path / "in").mkdir()
    packed = (gzip if name.endswith(".gz") else zstandard).compress(plain.read_bytes())
    (tmp_path / "in" / name).write_bytes(packed)
    pq.write_table(ROWS, tmp_path / "in/b.parquet")
    made = ingest(tmp_path / "work", tmp_path / "in")
    (reject,) = made.rejects
    assert made.texts == ["one", "two"] and reject["lost_bytes"] == len(packed)
    format, packing = name.split(".")[1:]
    assert reject["reason"] == (
        f"compressed {format.capitalize()}: its columns are compressed, the file must not be; unpack it from {packing}"
    )
