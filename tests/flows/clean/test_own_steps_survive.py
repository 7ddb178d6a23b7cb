"""Code of a user and joined scores: killed and started again, on Dask: the same bytes."""

import subprocess
import sys

import pytest
from corpora import tree
from own_recipe import write_own_recipe, write_raw
from processes import dask_cluster
from test_kill import RESULTS, killed_and_whole


@pytest.fixture
def own_recipe(tmp_path):
    return write_own_recipe(tmp_path)


@pytest.mark.slow
def test_killed_five_times_and_started_again(tmp_path, own_recipe, gristmill):
    ledger = killed_and_whole(tmp_path, own_recipe, gristmill, 2)
    rules = {(rule["step"], rule["rule"]) for broken in ledger["violations"] for rule in broken}
    assert {("edu", "score_too_low"), ("shouty", "failed"), ("exact", "exact_duplicate")} <= rules
    assert {each["step"] for found in ledger["rewrites"] for each in found} == {"calm"}


@pytest.mark.slow
def test_dask_workers_need_no_file(tmp_path, own_recipe, gristmill_process):
    """The code is gone as soon as the command has read it; workers get its text with their jobs."""
    pytest.importorskip("distributed", reason="pip install 'gristmill[cluster]'")
    raw = write_raw(tmp_path / "raw")
    run = ["clean", own_recipe, "--input", raw, "--set", "input.work_unit_bytes=60000", "--output"]
    here = gristmill_process(*run, tmp_path / "here", "--workers", 1)
    assert here.returncode == 0, here.stderr
    with dask_cluster(2) as (address, _):
        code = (
            "import sys; from pathlib import Path; from upath import UPath\n"
            "from gristmill.flows.clean.recipe import read_recipe; from gristmill.flows.clean.run import clean\n"
            "from gristmill.flows.engine.engines import engine\n"
            f"recipe = read_recipe({str(own_recipe)!r}, ('input.work_unit_bytes=60000',), ({str(raw)!r},))\n"
            f"with engine('dask:{address}') as run:\n"
            "    def first_reads_then_forgets(jobs):\n"
            "        if 'measure' in jobs[0].title:\n"
            f"            Path({str(tmp_path / 'mine.py')!r}).unlink()\n"
            "        yield from run(jobs)\n"
            f"    clean(recipe, UPath({str(tmp_path / 'dask')!r}), first_reads_then_forgets)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert not (tmp_path / "mine.py").exists()
    assert tree(tmp_path / "dask", *RESULTS) == tree(tmp_path / "here", *RESULTS)
