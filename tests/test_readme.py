"""README tells what is there: its commands, its rooms, its Chinese twin; docs/files.md lists the files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard
from corpora import documents, write_jsonl
from processes import serving

from benchmarks.readme import CHINESE, README
from gristmill.flows.cli import COMMANDS
from tools.files_page import PAGE, page

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = README.read_text("utf-8")


def test_the_page_of_files_lists_the_files_that_exist():
    assert PAGE.read_text("utf-8") == page(), "python -m tools.files_page writes it again"


def test_every_command_is_shown():
    shown = set(re.findall(r"^gristmill ([\w-]+)", TEXT, re.MULTILINE))
    assert shown == set(COMMANDS)


def test_the_rooms_and_their_folders_are_those_that_exist():
    rooms = re.findall(r"^- `(\w+)/`: .*?(?:\((`.*`)\))?$", TEXT[TEXT.index("## Rooms") :], re.MULTILINE)
    for room, folders in rooms:
        inner = {path.parent.name for kind in ("py", "toml") for path in (REPOSITORY / room).glob(f"*/*.{kind}")}
        assert set(re.findall(r"`(\w+)`", folders)) == inner or room == "tests", room
    code = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")}
    assert code <= {room for room, _ in rooms}


def test_the_funnel_is_cut_to_ten_rows():
    block = re.search(r"<!-- funnel -->\n```\n(.*?)\n```", TEXT, re.DOTALL)[1]
    assert len(block.splitlines()) == 1 + 10


def test_the_chinese_readme_has_the_same_sections_commands_and_tables():
    def skeleton(text):
        blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
        prose = re.sub(r"^```.*?^```", "```", text, flags=re.MULTILINE | re.DOTALL)
        levels = re.findall(r"^(#+) |^(```)|^(-) |^(<!-- .* -->)|^(\|.*\|)$|^(!)", prose, re.MULTILINE)
        named = re.findall(r"`[^`\n]+`", prose)
        return blocks, levels, sorted(named)

    assert skeleton(CHINESE.read_text("utf-8")) == skeleton(TEXT)


@pytest.mark.slow
def test_its_commands_run_as_printed(tmp_path):
    """``make`` lines are planned only, in the repository: the environment that they make is the one of this test."""
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    shutil.copy(README, tmp_path)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            planned = line.startswith("make ")
            command, folder = (f"make --dry-run {line[5:]}", REPOSITORY) if planned else (line, tmp_path)
            done = subprocess.run(["sh", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    for folder in ("clean", "removed", "ledger"):
        assert list((tmp_path / "work" / folder).glob("*.parquet"))


@pytest.mark.flow
@pytest.mark.slow
def test_its_prefect_commands_run_as_printed(tmp_path):
    """The port is a free one; the password is the one that `gristmill serve` printed."""
    serve, run = re.search(
        r"^```\n(gristmill serve [^\n]*)\n```\n\n```\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL
    ).groups()
    rows = write_jsonl(tmp_path / "demo" / "0.jsonl", documents(60)).read_bytes()
    (tmp_path / "crawl.jsonl.zst").write_bytes(zstandard.compress(rows))
    with serving(tmp_path, serve) as printed:
        for name, value in re.findall(r"^export (\w+)=(.*)$", run, re.MULTILINE):
            pattern = re.escape(value).replace("4200", r"\d+").replace(r"\.\.\.", r"[\w-]{24}")
            assert re.fullmatch(pattern, printed[name]), f"{name}: {printed[name]}"
        environment = printed | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        for line in (line for line in run.splitlines() if line.startswith("prefect ")):
            done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0 and "Completed" in done.stdout, f"{line}\n{done.stdout}\n{done.stderr}"
    for work in ("work", "crawl-work"):
        assert list((tmp_path / work / "clean").glob("*.parquet"))
