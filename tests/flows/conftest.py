"""A small corpus on disk, its recipe, and the command as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from corpora import RECIPE, documents, write_jsonl

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def corpus(tmp_path):
    """A folder of three JSONL files."""
    rows = list(documents())
    for k in range(3):
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows[k * 100 : k * 100 + 100])
    return tmp_path / "raw"


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path / "recipe.toml"


@pytest.fixture
def gristmill():
    """Run the command in a process of its own, as a user does."""

    def run(*arguments, cwd=REPOSITORY, **options):
        env = os.environ | {"PYTHONPATH": str(REPOSITORY)} | options.pop("env", {})
        command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=env, timeout=300, **options)

    return run
