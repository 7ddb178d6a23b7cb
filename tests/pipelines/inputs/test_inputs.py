"""Which files a path names, and what they are called."""

import logging

import fsspec
import pytest
from ingesting import write

from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.input_tables import check_paths
from gristmill.pipelines.inputs.inputs import InputSettings, find_files, source_of


@pytest.fixture
def raw(tmp_path):
    write(tmp_path / "raw", README__md=b"x", a__jsonl=b"x", picture__png=b"x", manifest__json=b"x", __hidden__txt=b"x")
    write(tmp_path / "raw" / "wiki", b__jsonl__gz=b"x", c__warc__wet__gz=b"x")
    write(tmp_path / "raw" / "crawl" / "2023", d__PARQUET=b"x", e__tsv__zst=b"x")
    write(tmp_path / "raw" / "wiki" / ".git", f__txt=b"x")
    return tmp_path / "raw"


def names(*paths, **settings):
    return [file.name for file in find_files(InputSettings(paths=[str(path) for path in paths], **settings))]


def test_a_folder_is_read_recursively(raw, caplog):
    with caplog.at_level(logging.WARNING):
        files = find_files(InputSettings(paths=[str(raw)]))
    kinds = {file.name: (file.format, file.compression) for file in files}
    assert kinds == {
        "a.jsonl": ("jsonl", None),
        "crawl/2023/d.PARQUET": ("parquet", None),
        "crawl/2023/e.tsv.zst": ("tsv", "zst"),
        "wiki/b.jsonl.gz": ("jsonl", "gz"),
        "wiki/c.warc.wet.gz": ("warc", "gz"),
    }
    ignored, unknown = caplog.messages
    assert ignored.endswith("ignored 2 (describe a dataset; to read one, name it): README.md, manifest.json")
    assert unknown == f"{raw}: ignored 1 (no known format): picture.png"


def test_patterns_and_several_paths_are_named_from_their_common_folder(raw):
    assert names(raw / "wiki" / "b.jsonl.gz") == ["b.jsonl.gz"]
    assert names(raw / "*" / "*.gz") == ["wiki/b.jsonl.gz", "wiki/c.warc.wet.gz"]
    assert names(raw / "**" / "*.zst") == ["crawl/2023/e.tsv.zst"]
    assert names(raw / "wiki", raw / "crawl") == names(raw / "crawl", raw / "wiki", raw / "wiki" / "b.jsonl.gz")
    assert names(raw / "wiki", raw / "crawl")[0] == "crawl/2023/d.PARQUET"
    assert names(raw / "wiki", raw / "wiki" / "b.jsonl.gz") == ["b.jsonl.gz", "c.warc.wet.gz"]


def test_a_format_given_reads_all_files_as_that(raw):
    assert "picture.png" in names(raw, format="text")
    assert {file.format for file in find_files(InputSettings(paths=[str(raw)], format="text"))} == {"text"}


@pytest.mark.parametrize("name", ["x[1].jsonl", "x*.jsonl"])
def test_a_name_with_wild_cards_that_is_there_is_itself(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    (tmp_path / "x1.jsonl").write_bytes(b"x")
    assert names(tmp_path / name) == [name]


def test_urls_of_fsspec_are_read(tmp_path, raw):
    memory = fsspec.filesystem("memory")
    memory.pipe("/corpus/wiki/a.jsonl", b"x")
    assert names("memory://corpus") == ["wiki/a.jsonl"]
    assert names("memory://corpus/*/*.jsonl") == ["wiki/a.jsonl"]
    assert names(f"file://{raw}/wiki") == ["b.jsonl.gz", "c.warc.wet.gz"]
    memory.rm("/corpus", recursive=True)


def test_the_source_is_the_top_folder():
    assert [source_of(name) for name in ("a.jsonl", "wiki/a.jsonl", "wiki/2023/a.jsonl")] == ["input", "wiki", "wiki"]


def test_an_input_without_files_says_where_to_name_them():
    with pytest.raises(RecipeError, match="name files by --input, or by paths under"):
        check_paths([InputSettings()], "work")
    with pytest.raises(RecipeError, match="has no paths; name its files there"):
        check_paths([InputSettings(paths=["a"]), InputSettings()], "work")
