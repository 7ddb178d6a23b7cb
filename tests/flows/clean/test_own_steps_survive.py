"""Code of a user and joined scores: killed and started again, on Dask, by Prefect: the same bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from corpora import documents, tree, write_jsonl
from processes import dask_cluster, serving
from test_kill import RESULTS, killed_and_whole

CODE = """
import json

import gristmill as gm


class Shouty(gm.Filter):
    max_capitals: float = gm.share(0.1)

    def measure(self, doc):
        return {"capitals": sum(letter.isupper() for letter in doc.text) / len(doc.text)}

    def rules(self):
        return {"capitals_too_high": gm.Rule("capitals", ">", self.max_capitals)}


class Rivers(gm.Rewriter):
    def rewrite(self, doc):
        return doc.text.replace("river", "stream")


def read(path):
    with open(path, encoding="utf-8") as file:
        yield from map(json.loads, file)
"""
RECIPE = """
[input]
reader = "mine.py:read"

[steps.edu]
use = "join"
join = "{folder}/scores.parquet"
columns = ["score"]
min = {{ score = 10.0 }}

[steps.calm]
use = "mine.py:Rivers"

[steps.shouty]
use = "mine.py:Shouty"
on_error = "reject"

[steps.exact]
"""


@pytest.fixture
def own_recipe(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    ids = [f"{k}-{row['id']}" for k in range(4) for row in documents(seed=k)]
    pl.DataFrame({"id": ids[::2], "score": [i % 100 for i in range(len(ids[::2]))]}).write_parquet(
        tmp_path / "scores.parquet"
    )
    (tmp_path / "recipe.toml").write_text(RECIPE.format(folder=tmp_path))
    return tmp_path / "recipe.toml"


@pytest.fixture
def raw(tmp_path):
    for k in range(4):
        rows = [{**row, "id": f"{k}-{row['id']}"} for row in documents(seed=k)]
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows)
    return tmp_path / "raw"


@pytest.mark.slow
def test_killed_five_times_and_started_again(tmp_path, own_recipe, gristmill_process):
    ledger = killed_and_whole(tmp_path, own_recipe, gristmill_process, 2)
    rules = {(rule["step"], rule["rule"]) for broken in ledger["violations"] for rule in broken}
    assert {("edu", "score_too_low"), ("shouty", "failed"), ("exact", "exact_duplicate")} <= rules
    assert {each["step"] for found in ledger["rewrites"] for each in found} == {"calm"}


@pytest.mark.slow
def test_dask_workers_need_no_file(tmp_path, own_recipe, raw, gristmill_process):
    """The code is gone as soon as the command has read it; workers get its text with their jobs."""
    pytest.importorskip("distributed", reason="pip install 'gristmill[cluster]'")
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


@pytest.mark.flow
@pytest.mark.slow
def test_a_deployment_gives_the_same_bytes(tmp_path, own_recipe, raw, gristmill_process):
    command = ["clean", own_recipe, "--input", raw, "--output", tmp_path / "here"]
    assert gristmill_process(*command).returncode == 0
    parameters = {"recipe": str(own_recipe), "input": [str(raw)], "output": str(tmp_path / "flow"), "workers": 2}
    options = [text for key, value in parameters.items() for text in ("--param", f"{key}={json.dumps(value)}")]
    prefect = Path(sys.executable).with_name("prefect")
    with serving(tmp_path, f"gristmill serve --port 4200 --root {tmp_path}") as environment:
        told = subprocess.run(
            [prefect, "deployment", "run", "clean-corpus/local", "--watch", *options],
            env=os.environ | environment,
            capture_output=True,
            text=True,
        )
    assert told.returncode == 0 and "Completed" in told.stdout, told.stdout + told.stderr
    assert tree(tmp_path / "flow", *RESULTS) == tree(tmp_path / "here", *RESULTS)
