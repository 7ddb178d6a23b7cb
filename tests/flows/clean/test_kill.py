"""SIGKILL at any moment, then the same command again: the result is an uninterrupted run's, to the byte."""

import random
import subprocess
import sys
import time

import polars as pl
import pytest
from corpora import documents, tree, write_jsonl
from own_recipe import write_raw

RESULTS = ("documents", "rejects", "steps", "clean", "removed", "ledger")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_killed_five_times_and_started_again(tmp_path, recipe, gristmill, workers):
    killed_and_whole(tmp_path, recipe, gristmill, workers)


@pytest.mark.slow
def test_steps_with_models_are_killed_and_started_again(tmp_path, gristmill):
    """Perplexity, a classifier's chance, models of the run itself, importance: what they draw and train is the same."""
    good, bad = tmp_path / "good.jsonl", tmp_path / "bad.jsonl"
    write_jsonl(good, [{**row, "id": f"good-{row['id']}"} for row in documents(seed=8, count=150)])
    write_jsonl(bad, [{"id": f"bad-{i}", "text": f"WIN {i} cash now, click here " * 9} for i in range(150)])
    ngram, classifier = tmp_path / "m.ngram", tmp_path / "m.bin"
    train = ("--work", tmp_path / "work", "--set")
    small = "ngram.discount_fallback=[0.5, 1.0, 1.5]", "classifier.buckets=5000"
    assert gristmill("ngram", "train", good, "--output", ngram, *train, small[0]).returncode == 0
    sides = ("--positive", good, "--negative", bad)
    assert gristmill("classifier", "train", *sides, "--output", classifier, *train, small[1]).returncode == 0
    (tmp_path / "recipe.toml").write_text(RECIPE.format(ngram=ngram, classifier=classifier, target=good))
    ledger = killed_and_whole(tmp_path, tmp_path / "recipe.toml", gristmill, 2)
    rules = {(rule["step"], rule["rule"]) for reasons in ledger["violations"] for rule in reasons}
    assert {
        ("perplexity", "perplexity_too_high"),
        ("classifier", "pareto_draw_too_low"),
        ("importance", "gumbel_key_too_low"),
    } <= rules, rules


RECIPE = """
[steps.language]

[steps.c4]
min_sentences = 2

[steps.perplexity]
models = {{ "*" = "{ngram}" }}
max_perplexity = 30.0

[steps.classifier]
model = "{classifier}"
pareto_alpha = 3.0

[steps.cross_fit_perplexity]
min_characters = 1000

[steps.importance]
target = ["{target}"]
keep = 0.8
"""


def killed_and_whole(tmp_path, recipe, gristmill, workers):
    """Run the recipe once to its end and once killed five times; both must leave the same. The ledger."""
    write_raw(tmp_path / "raw")
    command = [
        "clean",
        recipe,
        "--input",
        tmp_path / "raw",
        "--workers",
        workers,
        "--set",
        "input.work_unit_bytes=30000",
    ]
    whole = gristmill(*command, "--output", tmp_path / "whole")
    assert whole.returncode == 0, whole.stderr
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
    return pl.read_parquet(tmp_path / "whole" / "ledger" / "*.parquet")


def made(work):
    """How many shards a run has written so far."""
    return sum(1 for _ in work.rglob("part-*.parquet"))


def start(arguments):
    command = [sys.executable, "-m", "gristmill", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
