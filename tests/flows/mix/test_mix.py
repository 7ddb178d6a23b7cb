"""gristmill mix: a tiny search whose runs are used again when a source is added, and what it refuses."""

import json
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner
from corpora import IMPACT, documents, write_jsonl
from upath import UPath

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.cli import group
from gristmill.flows.impact.verdicts import Scored
from gristmill.flows.mix.report import is_better, write_tables
from gristmill.flows.proxies.guard import ALL, pool_sets
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.settings import read_settings
from gristmill.pipelines.tokens.settings import TokenSettings
from gristmill.pretrain.impact.significance import BETTER, INCONCLUSIVE, WORSE
from tests.flows.tune.searching import heldout_sets


def call(folder, *options):
    arguments = ("mix", folder / "work", "--experiment", folder / "tiny.toml", "--output", folder / "mix")
    arguments += ("--workers", 1, *options)
    return CliRunner().invoke(group, [str(each) for each in arguments], catch_exceptions=False)


def prepare(folder, sources):
    rows = [row | {"source": f"s{i % 3}", "topic": "one"} for i, row in enumerate(documents(300))]
    write_jsonl(folder / "raw.jsonl", [row for row in rows if row["source"] in sources and row["text"]])
    recipe = parse_recipe({"input": {"paths": [str(folder / "raw.jsonl")]}, "steps": {"c4": {}}}, "test")
    clean(recipe, UPath(folder / "work"))


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Return the folder of a finished search over two sources."""
    folder = tmp_path_factory.mktemp("mix")
    (folder / "tiny.toml").write_text(IMPACT + heldout_sets(folder))
    prepare(folder, ("s0", "s1"))
    assert call(folder, "--budget", "16runs").exit_code == 0
    return folder


def runs_of(folder):
    return {path.name: path.stat().st_mtime_ns for path in (folder / "mix" / "runs" / "swarm").glob("*.parquet")}


def test_a_search_ends_in_shares_with_intervals_and_reuses_its_runs(searched):
    result = json.loads((searched / "mix" / "mix.json").read_text())
    assert [row["name"] for row in result["sources"]] == ["s0", "s1"] and result["runs"] == 7
    for key in ("natural", "stratified", "share"):
        assert sum(row[key] for row in result["sources"]) == pytest.approx(1)
    assert all(row["interval"][0] <= row["interval"][1] <= 1 for row in result["sources"])
    assert {row["against"] for row in result["guard"]} == {"natural", "stratified"}
    assert bool(result["written"]) == (searched / "mix" / "mix.toml").exists()
    before = runs_of(searched)
    call(searched, "--budget", "16runs")
    assert runs_of(searched) == before
    prepare(searched, ("s0", "s1", "s2"))
    again = json.loads(call(searched, "--budget", "20runs", "--json").stdout)
    after = runs_of(searched)
    assert len(again["sources"]) == 3 and again["runs"] == len(after) > len(before)
    assert {name: after[name] for name in before} == before


def test_tables_are_settings_of_tokenize(searched, tmp_path):
    from types import SimpleNamespace

    rows = [{"name": f's "{k}"', "share": 1 / 3, "natural": 0.5, "interval": [0.1, 0.2]} for k in range(3)]
    mixing = SimpleNamespace(max_epochs=4.0, train_tokens=1000)
    write_tables(UPath(tmp_path / "mix.toml"), SimpleNamespace(mixing=mixing), {"headline": "x", "sources": rows})
    settings = read_settings(TokenSettings, tomllib.loads((tmp_path / "mix.toml").read_text())["tokens"], "[tokens]")
    assert np.allclose([*settings.weights.values()], 0.3333) and settings.train_tokens == 1000


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--by", "nothing"), "no such column"),
        (("--by", "topic"), "1 values"),
        (("--budget", "12runs"), "runs of the swarm"),
        (("--train-tokens", 10**9), "lower --train-tokens"),
    ],
)
def test_what_cannot_be_mixed_is_refused(searched, options, found):
    with pytest.raises(RecipeError, match=found):
        call(searched, *options)


def test_an_unfinished_run_is_refused(searched):
    with pytest.raises(WorkError, match="makes it"):
        CliRunner().invoke(
            group, ["mix", str(searched), "--workers", "1", "--output", str(searched / "none")], catch_exceptions=False
        )


def test_sets_of_different_sizes_decide_with_equal_weight():
    sizes, sets = np.array([100, 300, 50]), np.array(["a", "a", "b"], object)
    scored = Scored({"x": np.array([[100.0, 300.0, 150.0]])}, sizes, sets)
    each = [scored.losses("x", name)[0] for name in scored.names()]
    assert pool_sets(scored).losses("x", ALL)[0] == pytest.approx(np.mean(each))


def test_the_mean_of_all_sets_decides_and_no_set_may_get_worse():
    def rows(*verdicts):
        return [{"against": "natural", "verdict": verdict} for verdict in verdicts]

    assert is_better(rows(BETTER, INCONCLUSIVE, BETTER), "natural")
    assert not is_better(rows(BETTER, BETTER, WORSE), "natural")
    assert not is_better(rows(INCONCLUSIVE, BETTER, BETTER), "natural")
