"""Exports of clean documents, read back by the libraries that they are for."""

import json

import datasets
import polars as pl
import pytest
import zstandard
from corpora import documents, tree, write_jsonl

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.engines import engine
from gristmill.flows.publish.export import ExportSettings, export_corpus
from gristmill.flows.runs.verify import verify
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.ingest.ingest import InputSettings, read_documents
from gristmill.pipelines.steps.step import run_serial
from gristmill.pipelines.storage.files import to_path

DATASETS = ExportSettings(format="datasets", license="cc-by-4.0")


def run(raw, work, **output):
    inputs = {"paths": [str(raw)], "work_unit_bytes": 20_000}
    clean(parse_recipe({"name": "mill", "input": inputs, "steps": {"exact": {}}, "output": output}, "test"), work)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    rows = [
        row | {"meta": {"n": i, "deep": [{"a": None}]} if i % 2 else "no object"}
        for i, row in enumerate(documents(120))
    ]
    return write_jsonl(tmp_path_factory.mktemp("raw") / "raw.jsonl", rows)


@pytest.fixture(scope="module")
def work(raw, tmp_path_factory):
    work = to_path(tmp_path_factory.mktemp("run") / "work")
    run(raw, work, split_by="source")
    return work


def lines(path):
    with zstandard.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def rows_of(work):
    return pl.concat([pl.read_parquet(path, hive_partitioning=False) for path in (work / "clean").rglob("*.parquet")])


def test_json_lines_hold_all_columns_of_all_clean_documents(raw, work, tmp_path):
    counts = export_corpus(work, to_path(tmp_path / "jsonl"))
    found = {row["id"]: row for path in (tmp_path / "jsonl").rglob("*.jsonl.zst") for row in lines(path)}
    given = {row["id"]: row for row in map(json.loads, raw.read_text("utf-8").splitlines())}
    assert {*found} == {*rows_of(work)["id"]} and counts["documents"] == len(found)
    assert all(row == given[id] for id, row in found.items())
    again = list(read_documents([str(tmp_path / "jsonl")], InputSettings()))
    assert sorted(id for table in again for id in table["id"].to_pylist()) == sorted(found)
    assert (tmp_path / "jsonl" / "source=crawl-0").is_dir() and not verify(to_path(tmp_path / "jsonl")).problems


@pytest.mark.parametrize("format", ["jsonl.zst", "datasets"])
def test_any_number_of_workers_writes_the_same_and_finished_files_stay(work, tmp_path, format):
    settings = ExportSettings(format=format)
    export_corpus(work, to_path(tmp_path / "one"), settings)
    with engine("processes", 2) as two:
        export_corpus(work, to_path(tmp_path / "two"), settings, two)
    assert tree(tmp_path / "one", ".") == tree(tmp_path / "two", ".")

    def none(jobs):
        assert not list(jobs)
        return iter(())

    export_corpus(work, to_path(tmp_path / "one"), settings, none)


def test_an_export_that_was_stopped_continues(work, tmp_path):
    def stopped(jobs):
        yield from [next(run_serial(jobs))]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_corpus(work, to_path(tmp_path / "out"), engine=stopped)
    ran = []

    def noted(jobs):
        ran.extend(jobs)
        return run_serial(jobs)

    export_corpus(work, to_path(tmp_path / "out"), engine=noted)
    export_corpus(work, to_path(tmp_path / "whole"))
    assert tree(tmp_path / "out", ".") == tree(tmp_path / "whole", ".")
    assert len(ran) == len([*(tmp_path / "whole").rglob("*.zst")]) - 1


def test_another_run_replaces_the_files(raw, work, tmp_path):
    export_corpus(work, to_path(tmp_path / "out"), DATASETS)
    run(raw, to_path(tmp_path / "flat"))
    export_corpus(to_path(tmp_path / "flat"), to_path(tmp_path / "out"), DATASETS)
    shards = {path.name: path.read_bytes() for path in (tmp_path / "flat" / "clean").glob("*.parquet")}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "data").rglob("*.parquet")} == shards
    assert not [path for path in (tmp_path / "out" / "data").iterdir() if path.is_dir()]


def test_datasets_loads_the_folder_whole_and_by_value(work, tmp_path):
    folder = tmp_path / "dataset"
    export_corpus(work, to_path(folder), DATASETS)
    whole = datasets.load_dataset(str(folder), split="train", cache_dir=str(tmp_path / "cache"))
    assert sorted(whole["id"][:]) == sorted(rows_of(work)["id"])
    one = datasets.load_dataset(str(folder), "crawl-1", split="train", cache_dir=str(tmp_path / "cache"))
    assert {*one["source"]} == {"crawl-1"} and 0 < len(one) < len(whole)
    assert not verify(to_path(folder)).problems and "license: cc-by-4.0" in (folder / "README.md").read_text("utf-8")


def test_folders_of_others_stay(work, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for format in ("jsonl.zst", "datasets"):
        with pytest.raises(WorkError, match=r"holds files that are not Gristmill's"):
            export_corpus(work, to_path(tmp_path), ExportSettings(format=format))
    with pytest.raises(WorkError, match=r"clean holds something else than an export of format jsonl.zst"):
        export_corpus(work, work / "clean")
    export_corpus(work, to_path(tmp_path / "out"), DATASETS)
    with pytest.raises(WorkError, match=r"out holds something else"):
        export_corpus(work, to_path(tmp_path / "out"))
    assert (tmp_path / "notes.txt").read_text() == "mine"
