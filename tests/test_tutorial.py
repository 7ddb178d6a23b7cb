"""docs/tutorial.md: its recipe is written, its commands are run, as printed and in order, on small files."""

import re
import shlex
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from everyday_job import QUESTION, write_job

PAGE = Path(__file__).resolve().parents[1] / "docs" / "tutorial.md"
FIRST, JOB = PAGE.read_text("utf-8").split("## The job\n")  # tests/test_wheel.py runs the first part
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", JOB, re.MULTILINE | re.DOTALL)
((NAME, RECIPE),) = (re.match(r"# (\S+)\n(.*)", text, re.DOTALL).groups() for kind, text in BLOCKS if kind == "toml")
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]


@pytest.fixture
def _undeclared_inputs_are_hidden():
    """Nothing is hidden here: the fixture of conftest.py knows no relative paths."""


def test_the_everyday_job_is_a_recipe_of_under_40_lines():
    assert len(RECIPE.splitlines()) < 40


@pytest.mark.slow
def test_the_page_runs_as_printed(tmp_path, gristmill):
    write_job(tmp_path)
    (tmp_path / NAME).write_text(RECIPE.replace("16384", "400"))
    told = {}
    for line in COMMANDS:
        done = gristmill(*shlex.split(line)[1:], cwd=tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        told.setdefault(line, []).append(done)
    first, second = told["gristmill run web.toml --output work"]
    assert "Nothing to do" not in first.stderr and "Nothing to do: work is finished" in second.stderr
    (changed,) = told["gristmill run web.toml --output work --set gopher.min_words=30"]
    assert re.search(r"tokenizer gpt2 +up to date", changed.stderr)
    assert re.search(r"tokenizer bpe +up to date", second.stderr)
    assert "decontaminate.eval" in told["gristmill why work crawl/pages.jsonl.zst:4"][0].stdout

    clean = pl.read_parquet(tmp_path / "work/clean/*.parquet")
    assert set(clean["source"]) == {"crawl", "books", "zeitung"}
    texts = "\n".join(clean["text"])
    assert QUESTION not in texts and "@mill.org" not in texts and "<p>" not in texts and "Bäcker" in texts
    for name in ("bpe", "gpt2"):
        ids = np.fromfile(tmp_path / f"work/export/{name}/nanogpt/train.bin", np.uint16)
        assert ids.size > 1000 and ids.max() < 400
        assert list((tmp_path / f"work/export/{name}/megatron").glob("train-*.idx"))
    assert (tmp_path / "work/report/index.html").stat().st_size
    assert (tmp_path / "mine.toml").exists()
