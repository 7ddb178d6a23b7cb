"""The README's animated picture of the explorer can be drawn again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from corpora import documents, write_jsonl
from PIL import Image
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean

REPOSITORY = Path(__file__).resolve().parents[2]


def test_a_threshold_moves_in_the_picture(tmp_path):
    pytest.importorskip("playwright", reason="playwright is not installed")
    if not shutil.which("chromium"):
        pytest.skip("chromium is not on the PATH")
    raw = write_jsonl(tmp_path / "raw.jsonl", list(documents(200)))
    clean(parse_recipe({"input": {"paths": [str(raw)]}, "steps": {"gopher": {}}}, "test"), UPath(tmp_path / "work"))
    command = [sys.executable, "-m", "benchmarks.explorer_picture", tmp_path / "work", tmp_path / "picture.webp"]
    command += ["--profile", "", "--frames", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "5 frames" in done.stdout
    with Image.open(tmp_path / "picture.webp") as picture:
        assert picture.n_frames == 5 and picture.size == (960, 600)


def test_the_picture_of_the_readme_is_small_enough():
    assert (REPOSITORY / "docs" / "explorer.webp").stat().st_size < 1_500_000
