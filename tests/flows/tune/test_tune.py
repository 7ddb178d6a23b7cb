"""gristmill tune: candidates, rounds, masks that equal a what-if, and a tiny search from plan to result."""

import json
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner
from corpora import IMPACT, documents, write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from upath import UPath

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.cli import group
from gristmill.flows.impact.recipe import ImpactRecipe
from gristmill.flows.proxies.budget import parse_budget
from gristmill.flows.proxies.heldout import unseen_pieces
from gristmill.flows.proxies.runs import Draw
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.what_if import what_if
from gristmill.flows.tune.halving import count_runs, most_candidates, plan_rounds
from gristmill.flows.tune.pool import Pool
from gristmill.flows.tune.report import extends, write_recipe
from gristmill.flows.tune.settings import Tuning
from gristmill.flows.tune.space import parse_span, parse_spans
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.tokens.settings import TRAIN
from gristmill.pipelines.tokens.shards import TokenShards
from tests.flows.tune.searching import CLEANING, RANGES, heldout_sets


def call(folder, *options):
    arguments = ("tune", folder / "recipe.toml", "--input", folder / "raw", "--experiment", folder / "tiny.toml")
    arguments += ("--thresholds", *RANGES, "--output", folder / "work", "--workers", 1, *options)
    return CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """Return the folder of a finished search."""
    folder = tmp_path_factory.mktemp("tune")
    (folder / "recipe.toml").write_text(CLEANING)
    (folder / "tiny.toml").write_text(IMPACT + heldout_sets(folder))
    write_jsonl(folder / "raw" / "a.jsonl", documents(400))
    assert call(folder, "--budget", "12runs").exit_code == 0
    return folder


def test_a_search_ends_in_a_result_and_repeats_nothing(searched):
    work = searched / "work"
    result, plan = (json.loads((work / name).read_text()) for name in ("tune.json", "plan.json"))
    assert plan["guard_seeds"] == 3 and [each["candidates"] for each in plan["rounds"]][-1] == 2
    assert result["candidates"][0]["changes"] == [] and len(result["candidates"]) == len(plan["candidates"]) > 2
    losses = [each["rounds"][-1]["loss"] for each in result["candidates"] if len(each["rounds"]) == len(plan["rounds"])]
    assert len(losses) == 2 and result["candidates"][result["winner"]]["rounds"][-1]["loss"] == min(losses)
    assert ("No threshold tried is better" in result["headline"]) == (result["recipe"] is None)
    assert (work / "tuned.toml").exists() == bool(result["recipe"])
    before = {path: path.stat().st_mtime_ns for path in (work / "runs").rglob("*")}
    again = call(searched, "--budget", "12runs", "--json")
    assert json.loads(again.stdout)["headline"] == result["headline"]
    assert {path: path.stat().st_mtime_ns for path in (work / "runs").rglob("*")} == before
    with pytest.raises(WorkError, match="other settings"):
        call(searched, "--budget", "13runs")


def test_masks_are_those_of_a_what_if(searched):
    run = FinishedRun(UPath(searched / "work" / "run"))
    pool = Pool(run, UPath(searched / "work" / "tokens" / "pool"))
    changes = ("c4.min_sentences=4",)
    assert pool.mask(()).sum() == run.summary["clean"]
    assert pool.mask(changes).sum() == what_if(run.folder, changes).after["clean"]
    kept = {id for part in run.parts for id in run.ledger(part, ["id", "kept"]).filter("kept")["id"]}
    ids = [id for shard in TokenShards(pool.tokens).split(TRAIN) for id in shard.documents["id"].to_pylist()]
    assert {id for id, mine in zip(ids, pool.mask(()), strict=True) if mine} == kept


def test_the_guard_shares_no_piece_and_no_document_with_the_search(searched):
    from gristmill.flows.impact.recipe import read_impact

    work, proxy = UPath(searched / "work"), read_impact(str(searched / "tiny.toml"), (), ("x",))
    pieces = unseen_pieces(work, proxy.heldout, ["pool"])
    assert not {*pieces.search} & {*pieces.guard} and len(pieces.search) > 9 and len(pieces.guard) > 9
    hashes = np.random.default_rng(0).integers(0, 2**64, 500, np.uint64)
    parts = [Draw(work, start / 4, 1 / 4).rows(hashes, np.ones(500)) for start in range(4)]
    assert sorted(np.concatenate(parts)) == list(range(500))
    scored = pl.read_parquet(str(work / "runs" / "pilot" / "c000-s0.parquet"))
    assert {*pieces.search, *pieces.guard} <= {*scored["id"]}


@given(st.integers(2, 64))
def test_rounds_halve_and_fit_their_budget(candidates):
    rounds = plan_rounds(candidates)
    assert rounds[-1].candidates == 2 and most_candidates(count_runs(rounds)) >= candidates
    assert all(b.seeds == 2 * a.seeds and b.candidates < a.candidates for a, b in pairwise(rounds))


@pytest.mark.parametrize("text", ["", "gopher", "words=1..2", "a.b=20", "a.b=2..2", "a.b=x..y"])
def test_a_range_that_is_none_is_refused(text):
    with pytest.raises(RecipeError, match="threshold"):
        parse_span(text)


def test_a_budget_and_ranges_are_bounded():
    assert parse_span("noise.max_mojibake=0.1..1").whole is False
    for text in ("", "2", "0h", "9999d", "1.5runs", "-1h", "2h30"):
        with pytest.raises(RecipeError, match="expected a time"):
            parse_budget(text)
    with pytest.raises(RecipeError, match="twice"):
        parse_spans(["a.b=1..2", "a.b=1,3"])


@pytest.mark.parametrize(
    ("ranges", "found"),
    [
        ("fineweb.nothing=1..2", "nothing"),
        ("c4.min_sentences=-4..2", "c4"),
        ("fineweb.short_line_width=20,40", "new measures"),
    ],
)
def test_what_no_candidate_can_have_is_refused_before_a_run(searched, ranges, found, tmp_path):
    arguments = ["tune", searched / "recipe.toml", "--input", searched / "raw", "--output", tmp_path, "--workers", 1]
    arguments += ["--experiment", searched / "tiny.toml", "--thresholds", ranges]
    with pytest.raises(RecipeError, match=found):
        CliRunner().invoke(group, [str(each) for each in arguments], catch_exceptions=False)
    assert not (tmp_path / "runs").exists()


def test_the_recipe_extends_the_given_one_with_a_comment_on_each_changed_line(tmp_path):
    (tmp_path / "my recipe.toml").write_text(CLEANING)
    work, recipe = UPath(tmp_path / "work"), read_recipe(str(tmp_path / "my recipe.toml"))
    spans = parse_spans(["c4.min_sentences=1..6", "fineweb.profiles.en.max_short_line_ratio=0.1,0.5"])
    extended = extends(str(tmp_path / "my recipe.toml"), work)
    tuning = Tuning(recipe, extended, spans, parse_budget("1h"), ImpactRecipe())
    changes = ("c4.min_sentences=3", "fineweb.profiles.en.max_short_line_ratio=0.5")
    write_recipe(work / "tuned.toml", tuning, changes, "Better.")
    text = (work / "tuned.toml").read_text()
    assert text.startswith('# Better.\nextends = "../my recipe.toml"\n')
    assert "min_sentences = 3  # was 1; tried 1..6" in text and "  # was 0.67; tried 0.1,0.5" in text
    tuned = read_recipe(str(work / "tuned.toml"))
    assert [*tuned.steps] == [*recipe.steps] and tuned.steps["c4"].min_sentences == 3
    assert tuned.steps["fineweb"].profiles == {"en": {"max_short_line_ratio": 0.5}}
    assert extends("fineweb", work) == "fineweb"
