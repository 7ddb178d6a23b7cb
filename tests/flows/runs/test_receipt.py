"""Receipts: the same command, run again, imports no step; whatever differs is left to the plan."""

import os
import subprocess
import sys

import pytest
from corpora import RECIPE
from upath import UPath

from gristmill.flows.cli import run
from gristmill.flows.runs.receipt import RECEIPT, request_of
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.manifest import MANIFEST

# What a run that has nothing to do must not import: compilers, tables of documents, models, servers.
HEAVY = ("datasets", "llvmlite", "numba", "pandas", "polars", "prefect", "py3langid", "regex", "scipy", "torch")
AGAIN = """
import sys
from gristmill.flows.cli import run
code = run(sys.argv[2:])
print(code, *sorted(set(sys.argv[1].split(",")) & set(sys.modules)))
"""


@pytest.fixture
def mill(corpus, tmp_path, monkeypatch):
    """A finished run in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    assert run(clean()) == 0
    return tmp_path


def clean(*more):
    return ["clean", "recipe.toml", "--input", "raw", "--output", "work", "--workers", "1", *more]


def test_nothing_to_do_imports_nothing_heavy(mill):
    command = [sys.executable, "-c", AGAIN, ",".join(HEAVY), *clean()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONWARNINGS": ""})
    assert "Nothing to do" in done.stderr
    assert done.stdout.splitlines()[-1] == "0"
    assert "clean" in done.stdout


def test_the_same_summary_is_printed(mill, capsys):
    capsys.readouterr()
    assert run(clean()) == 0
    again = capsys.readouterr()
    (mill / "work" / RECEIPT).unlink()
    assert run(clean()) == 0
    assert capsys.readouterr() == again


def touch(mill):
    os.utime(mill / "raw" / "0.jsonl", (1, 1))


def add_a_file(mill):
    (mill / "raw" / "3.jsonl").write_text('{"text": "A line. Another line."}\n')


def lose_a_shard(mill):
    next((mill / "work" / "clean").glob("*.parquet")).unlink()


def lose_the_summary(mill):
    (mill / "work" / "summary.json").unlink()


def lose_a_folder(mill):
    (mill / "work" / "steps" / "fineweb" / "decisions" / MANIFEST).unlink()


def run_another_recipe(mill):
    assert run(clean("--set", "c4.min_sentences=3")) == 0


def edit_the_recipe(mill):
    (mill / "recipe.toml").write_text(RECIPE.replace("min_sentences = 2", "min_sentences = 3"))


@pytest.mark.parametrize(
    "change",
    [touch, add_a_file, lose_a_shard, lose_the_summary, lose_a_folder, run_another_recipe, edit_the_recipe],
    ids=lambda change: change.__name__,
)
def test_whatever_changed_is_left_to_the_plan(mill, capsys, monkeypatch, change):
    change(mill)
    asked = []
    monkeypatch.setattr("gristmill.flows.cli.clean.run", lambda *args: asked.append(args))
    monkeypatch.setattr("gristmill.flows.cli.clean.report", lambda *args: None)
    assert run(clean()) == 0
    assert asked


def test_a_run_of_another_process_is_not_waited_for(mill, monkeypatch):
    from gristmill.flows.engine.run_lock import exclusive_run
    from gristmill.flows.runs.receipt import unchanged

    request = request_of("recipe.toml", (), ("raw",), ())
    with exclusive_run(UPath(mill / "work")), pytest.raises(WorkError, match="is in use"):
        unchanged(request, "recipe.toml", ("raw",), UPath(mill / "work"))


@pytest.mark.parametrize(
    ("table", "changes", "known"),
    [
        ("[steps.gopher]", (), True),
        ("[steps.gopher]", ("gopher.min_words=45",), True),
        ("[steps.gopher]", ("gopher.max_word_length=12.5",), True),
        ('[steps.gopher]\nvariant = "datatrove"', (), True),
        ('[steps.keywords]\nlists = { en = "terms" }', (), False),  # a file beside the recipe
        ('[steps.keywords]\nlists = { en = "lists/en.txt" }', (), False),
        ('[steps.mine]\nuse = "my.py:Filter"', (), False),
        ("[steps.keywords]", ('keywords.lists={ en = "terms" }',), False),
        ("[steps.gopher]", ("input.sample=0.5",), False),
        ('[input]\nreader = "my.py:read"', (), False),
        ("[[input]]\n[[input]]", (), False),
        ('profiles = ["profiles"]', (), False),
        ('words = "spacy"', (), False),
        ("[report]", (), False),
    ],
)
def test_requests_whose_steps_may_read_files_have_no_receipt(tmp_path, table, changes, known):
    (tmp_path / "terms").touch()
    (tmp_path / "recipe.toml").write_text(table)
    assert bool(request_of(str(tmp_path / "recipe.toml"), changes, ("raw",), ())) == known
