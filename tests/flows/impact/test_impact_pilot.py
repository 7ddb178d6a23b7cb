"""A pilot says what the budget can see, shows no difference, and is used again."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import IMPACT, RECIPE, documents, write_jsonl
from scipy import stats

from gristmill.flows.cli import group
from gristmill.flows.impact.power import pooled_sd, seeds_for
from gristmill.pretrain.impact.significance import power


def test_a_pilot_shows_the_spread_and_its_runs_are_used_again(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "tiny.toml").write_text(IMPACT)
    write_jsonl(tmp_path / "raw.jsonl", documents(120))
    about = [tmp_path / "tiny.toml", "--input", tmp_path / "raw.jsonl", "--output", tmp_path / "work", "--workers", 1]

    def call(verb, *more):
        options = *about, "--set", "scaling.arms=[]", *more
        done = CliRunner().invoke(group, [str(each) for each in ("impact", verb, *options)], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    said = call("plan", "--pilot", "--effect", 0.05)
    found = json.loads((tmp_path / "work" / "pilot.json").read_text())
    assert f"standard deviation of {found['sd']:.4f} bits per byte" in said and "CPU hours here" in said
    assert (
        "for 0.05 bits per byte: " in said and " seeds (" in said and "against raw:" not in said
    )  # no difference is shown
    first, last = found["budgets"][0], found["budgets"][-1]
    assert first["seeds"] == 2 and last["effect"] < first["effect"] and last["bytes"] == 4 * first["bytes"]
    runs = tmp_path / "work" / "runs"
    made = {path: path.stat().st_mtime_ns for path in runs.glob("*.parquet")}
    assert {path.stem for path in made} == {"raw-0", "raw-1", "full-0", "full-1"}
    call("run")
    after = {path: path.stat().st_mtime_ns for path in runs.glob("*.parquet")}
    assert made.items() <= after.items() and runs / "full-equal-documents-1.parquet" in after
    assert "pilot" not in json.loads((tmp_path / "work" / "plan.json").read_text())
    report = json.loads((tmp_path / "work" / "impact.json").read_text())
    losses = np.array([arm["losses"]["manual"]["seeds"] for arm in report["arms"]])
    assert pooled_sd(losses)[0] == pytest.approx(found["sd"])


def test_an_effect_without_a_pilot_is_refused(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "tiny.toml").write_text(IMPACT)
    write_jsonl(tmp_path / "raw.jsonl", documents(12))
    about = [tmp_path / "tiny.toml", "--input", tmp_path / "raw.jsonl", "--output", tmp_path / "work"]
    done = CliRunner().invoke(group, [str(each) for each in ("impact", "plan", *about, "--effect", 0.1)])
    assert done.exit_code == 2 and "--effect needs --pilot" in done.output


def test_the_spread_has_the_interval_of_normal_runs():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(400):
        sd, (low, high) = pooled_sd(rng.normal([[1.0], [2.0], [3.0]], 0.5, (3, 2)))
        assert low < sd < high
        hits += low <= 0.5 <= high
    assert stats.binomtest(hits, 400, 0.95).pvalue > 0.01


@pytest.mark.parametrize("effect", [0.5, 1.0, 3.0])
def test_seeds_are_the_fewest_that_find_an_effect(effect):
    seeds = seeds_for(effect, 1.0, 0.01)
    assert power(effect, 1.0, seeds, seeds, 0.01) >= 0.8 > power(effect, 1.0, seeds - 1, seeds - 1, 0.01)
    assert seeds_for(1e-6, 1.0, 0.01) is None
