"""docs/how-to/html-in-jsonl.md runs as printed; docs/inputs.md is a recipe."""

import re
import tomllib

import orjson
import polars as pl
import pytest
from pages import REPOSITORY, blocks, run_page

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.pipelines.inputs.inputs import InputSettings

DOCS = REPOSITORY / "docs"


@pytest.mark.slow
def test_the_examples_run_as_printed(tmp_path):
    run_page("docs/how-to/html-in-jsonl.md", tmp_path)
    clean = pl.read_parquet(tmp_path / "work" / "clean" / "*.parquet").sort("source")
    assert clean["source"].to_list() == ["crawl", "notes"] and clean["title"].to_list() == [
        "The mill, by <EMAIL>",
        None,
    ]
    assert "Nobody knows how old" in clean["text"][0] and "Home" not in clean["text"][0]
    assert not {"labels", "html"} & {*clean.columns} and clean["declared_language"].to_list() == [None, "en"]
    rejects = [orjson.loads(path.read_bytes()) for path in (tmp_path / "work" / "rejects").glob("*.jsonl")]
    assert [(each["file"], each["position"], each["reason"]) for each in rejects] == [("pages.jsonl", 2, "empty page")]


def test_a_how_to_is_short():
    assert len((DOCS / "how-to/html-in-jsonl.md").read_text("utf-8").splitlines()) <= 60


def test_the_page_about_inputs_shows_settings_that_exist(tmp_path):
    (example,) = (text for kind, text in blocks("docs/inputs.md") if kind == "toml")
    assert [each.language for each in parse_recipe(tomllib.loads(example), "page").input] == [None, "de", None]
    settings = (DOCS / "inputs.md").read_text("utf-8").partition("## Records with roles")[0]
    table = re.findall(r"^\| (`.+?) \|", settings, re.MULTILINE)
    assert {name for row in table for name in re.findall(r"`(\w+)`", row)} <= {*InputSettings.model_fields}
