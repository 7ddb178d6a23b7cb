"""docs/how-to/share.md: its recipe is written, its commands and snippets are run, as printed and in order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.publish.hub import TOKEN, serving

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "share.md"
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
def test_the_page_runs_as_printed(tmp_path):
    paths = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HF_HOME": str(tmp_path / "cache")}
    with serving() as hub:
        environment = os.environ | paths | {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HUB_DISABLE_XET": "1"}
        for kind, block in BLOCKS:
            if kind == "toml":
                (tmp_path / block.partition("\n")[0].removeprefix("# ")).write_text(block)
                continue
            lines = [["sh", "-c", line] for line in block.splitlines()]
            for command in [[sys.executable, "-c", block]] if kind == "python" else lines:
                done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
                assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        pushed = hub.repos["ada/mill-corpus"]["main"]
    shards = {str(path.relative_to(tmp_path / "work" / "clean")) for path in tmp_path.glob("work/clean/*/*.parquet")}
    assert {*pushed} == {"README.md"} | {f"data/{shard}" for shard in shards}
    assert "language=en" in {shard.partition("/")[0] for shard in shards}
    assert len([*tmp_path.glob("jsonl/language=en/*.jsonl.zst")]) >= 1
