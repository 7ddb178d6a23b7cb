"""A document's history; a run that was started again has no history until it ends."""

import shutil

import pytest
from corpora import documents, write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.runs.explain import explain, find_document
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.shards import read_shard, write_shard


def run(folder, rows):
    recipe = {"input": {"paths": [str(write_jsonl(folder / "raw.jsonl", rows))]}, "steps": {"gopher": {}}}
    clean(parse_recipe(recipe, "test"), UPath(folder / "work"))
    return UPath(folder / "work")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return run(tmp_path_factory.mktemp("explained"), list(documents(40)))


def test_a_document_is_found_by_its_id(work):
    history = explain(work, "doc-0007")
    assert (history["shard"], history["row"]) == find_document(work, "doc-0007")
    assert history["id"] == "doc-0007" and history["measures"]["gopher"]["words"] >= 0
    with pytest.raises(WorkError, match=r"has no document 'nobody'; `gristmill inspect"):
        explain(work, "nobody")


@pytest.mark.parametrize("left", ["nothing", "no manifest", "fewer rows"])
def test_a_run_that_was_started_again_is_one_line(work, tmp_path, left):
    shutil.copytree(work, tmp_path / "work")
    again = UPath(tmp_path / "work")
    measures = again / "steps" / "gopher" / "measures"
    part, row = find_document(again, "doc-0007")
    if left == "nothing":
        shutil.rmtree(measures)
    elif left == "no manifest":
        (measures / "manifest.json").unlink()
    else:
        path = measures / f"{part}.parquet"
        table = read_shard(path)
        write_shard(path, [table.slice(0, row)], table.schema)
    with pytest.raises(WorkError) as error:
        explain(again, "doc-0007")
    assert "gristmill clean" in str(error.value) and "\n" not in str(error.value)
