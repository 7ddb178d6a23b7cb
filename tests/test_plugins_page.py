"""docs/plugins.md: its files are written, its commands are run, as printed and in order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

PAGE = Path(__file__).resolve().parents[1] / "docs" / "plugins.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
FILES = {
    name: text for _, block in BLOCKS for name, text in re.findall(r"\A# (\S+\.\w+)\n(.*)\Z", block, re.DOTALL)
}  # fmt: skip


@pytest.mark.slow
def test_the_examples_run_as_printed(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for line in (line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()):
        done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    removed = {work: dict(_removed(tmp_path / work)) for work in ("shouting", "marks", "smileys", "fortunes", "edu")}
    assert removed == {
        "shouting": {"loud": "shouty.exclamations_too_high"},
        "marks": {"loud": "marks.marks_too_high"},
        "smileys": {},
        "fortunes": {},
        "edu": {"loud": "edu.score_too_low", "marked": "edu.missing"},
    }
    assert "the mill by the river and its flour" in _texts(tmp_path / "smileys")
    assert _texts(tmp_path / "fortunes") == [
        "God's mill grinds slow but sure.",
        "All is grist that comes to the mill.",
    ]


def _removed(work):
    ledger = pl.read_parquet(work / "ledger" / "*.parquet").filter(~pl.col("kept"))
    return ledger.select("id", pl.format("{}.{}", "step", "rule")).iter_rows()


def _texts(work):
    return pl.read_parquet(work / "clean" / "*.parquet")["text"].to_list()
