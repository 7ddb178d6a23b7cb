"""SIGKILL at any moment, then the same command again: the result is an uninterrupted run's, to the byte."""

import random
import subprocess
import sys
import time

import pytest
from corpora import documents, tree, write_jsonl

RESULTS = ("documents", "rejects", "steps", "clean", "removed", "ledger")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_five_times_and_started_again(tmp_path, recipe, gristmill, workers):
    for k in range(4):
        rows = [{**row, "id": f"{k}-{row['id']}"} for row in documents(seed=k)]
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows)
    command = ["clean", recipe, "--input", tmp_path / "raw", "--workers", workers, "--set", "input.unit_bytes=30000"]
    assert gristmill(*command, "--output", tmp_path / "whole").returncode == 0
    rng, fell = random.Random(workers), 0
    for _ in range(5):
        before, more = made(tmp_path / "killed"), rng.randint(1, 9)
        run = start([*command, "--output", tmp_path / "killed"])
        while run.poll() is None and made(tmp_path / "killed") < before + more:
            time.sleep(0.005)
        fell += run.poll() is None
        run.kill()  # the command alone: its workers must notice by themselves
        run.wait()
    assert fell >= 3
    again = gristmill(*command, "--output", tmp_path / "killed")
    assert again.returncode == 0, again.stderr
    assert tree(tmp_path / "killed", *RESULTS) == tree(tmp_path / "whole", *RESULTS)


def made(work):
    """How many shards a run has written so far."""
    return sum(1 for _ in work.rglob("part-*.parquet"))


def start(arguments):
    command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
