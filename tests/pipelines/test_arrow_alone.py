"""Arrow imports pandas in none of our processes; with code of a user it knows pandas again."""

import subprocess
import sys

import pytest
from corpora import RECIPE

from gristmill.flows.engine.workers import Workers
from gristmill.pipelines.steps.step import Job, Output, Written
from gristmill.pipelines.storage.files import to_path

LOADED = """
import sys
from gristmill.flows.cli import run
print(run(sys.argv[1:]), "pyarrow" in sys.modules, "pandas" in sys.modules)
"""
AGAIN = """
from gristmill.pipelines.arrow_alone import keep_pandas_out
keep_pandas_out()
import pandas, pyarrow
from gristmill.pipelines.plugins import find_plugin, load_plugin
series = pandas.Series([1.0, float("nan")])
print(pyarrow.array(series).null_count)
load_plugin(find_plugin("own.py:own", ".", "recipe"))
print(pyarrow.array(series).null_count)
"""


def python(source, *arguments, folder):
    command = [sys.executable, "-c", source, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("job", [("clean", "recipe.toml", "--input", "raw"), ("tokenizer", "train", "raw")])
def test_a_command_reads_without_pandas(corpus, tmp_path, job):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    more = ["--vocab-size", "300"] if job[0] == "tokenizer" else []
    said = python(LOADED, *job, *more, "--output", "out", "--workers", "1", folder=tmp_path)
    assert said[-3:] == ["0", "True", "False"]


def loaded(outputs):
    import pyarrow as pa

    pa.array(["text"])
    return [Written([], {"pandas": int("pandas" in sys.modules)})]


def test_a_worker_reads_without_pandas(tmp_path):
    workers = Workers(1)
    try:
        (part,) = workers.run(Job(loaded, (), (Output(to_path(tmp_path), "part"),)))
    finally:
        workers.close()
    assert part.counts == {"pandas": 0}


def test_code_of_a_user_hands_series_of_pandas_to_arrow(tmp_path):
    (tmp_path / "own.py").write_text("def own(): ...\n")
    assert python(AGAIN, folder=tmp_path) == ["0", "1"]
