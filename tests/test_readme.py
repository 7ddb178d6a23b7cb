"""README tells what is there: its tree, its commands, its links."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.readme import CHINESE, README, tree
from gristmill.flows.cli import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[1]
TEXT = README.read_text("utf-8")


def test_the_tree_lists_the_files_that_exist():
    assert tree() in TEXT, "python -m benchmarks.readme writes it anew"


def test_every_command_is_shown():
    shown = set(re.findall(r"^gristmill ([\w-]+)", TEXT, re.MULTILINE))
    assert shown == set(COMMANDS)


def test_files_it_names_are_there():
    for name in re.findall(r"`((?:recipes|filters|tests)/[\w./-]+)`", TEXT):
        assert (REPOSITORY / name).exists(), name


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
    shutil.copytree(REPOSITORY / "recipes", tmp_path / "recipes")
    shutil.copy(README, tmp_path)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for block in re.findall(r"^```sh\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            done = subprocess.run(["sh", "-c", line], cwd=tmp_path, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    for folder in ("clean", "removed", "ledger"):
        assert list((tmp_path / "work" / folder).glob("*.parquet"))
