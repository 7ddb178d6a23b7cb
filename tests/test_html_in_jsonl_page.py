"""docs/how-to/html-in-jsonl.md: its files are written, its commands are run, as printed; docs/inputs.md is a recipe."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import orjson
import polars as pl
import pytest

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.pipelines.inputs.inputs import InputSettings

DOCS = Path(__file__).resolve().parents[1] / "docs"


def blocks(page):
    return re.findall(r"^```(\w*)\n(.*?)^```", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_examples_run_as_printed(tmp_path):
    found = blocks("how-to/html-in-jsonl.md")
    for _, block in found:
        for name, text in re.findall(r"\A# (\S+\.\w+)\n(.*)\Z", block, re.DOTALL):
            (tmp_path / name).write_text(text)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for line in (line for kind, block in found if kind == "sh" for line in block.splitlines()):
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
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
    (example,) = (text for kind, text in blocks("inputs.md") if kind == "toml")
    assert [each.language for each in parse_recipe(tomllib.loads(example), "page").input] == [None, "de", None]
    table = re.findall(r"^\| (`.+?) \|", (DOCS / "inputs.md").read_text("utf-8"), re.MULTILINE)
    assert {name for row in table for name in re.findall(r"`(\w+)`", row)} <= {*InputSettings.model_fields}
