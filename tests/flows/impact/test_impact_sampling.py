"""Arms that sample the full recipe's documents: copies by the size of a cluster, and by a score."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from corpora import IMPACT, RECIPE, documents, write_jsonl
from upath import UPath

from gristmill.flows.clean.run import clean
from gristmill.flows.impact.arms import arms_of
from gristmill.flows.impact.documents.sample import Moments, Sampling
from gristmill.flows.impact.plan import make_plan
from gristmill.flows.impact.prepare import arm_summary, prepare
from gristmill.flows.impact.recipe import read_impact
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.inputs.inputs import InputSettings
from gristmill.pipelines.steps.step import NullProgress, run_serial
from gristmill.pipelines.tokens.shards import TokenShards

SAMPLED = (
    "arms.raw=false",
    "arms.upsample={ rehydrated = { 2 = 3, 4 = 0 } }",
    'arms.weighted={ good = { by = "c4.sentences", temperature = -0.5 } }',
)


def of(folder, *changes):
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "tiny.toml").write_text(IMPACT.replace('arms = ["raw", "full"]', "arms = []"))
    write_jsonl(folder / "raw.jsonl", documents(160))
    return read_impact(str(folder / "tiny.toml"), changes, (str(folder / "raw.jsonl"),))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Return the plan and the folder of an experiment before any run, with all columns of its clean documents."""
    folder = tmp_path_factory.mktemp("sampling")
    work = UPath(folder / "work")
    plan = make_plan(of(folder, *SAMPLED), work)
    prepare(plan, work, run_serial, NullProgress())
    return plan, work


def copies_in(shards):
    return Counter(id for shard in TokenShards(shards).split("train") for id in shard.documents["id"].to_pylist())


def test_documents_are_copied_by_the_size_of_their_cluster(prepared, tmp_path):
    plan, work = prepared
    full = copies_in(work / "tokens" / "full")
    found = copies_in(work / "tokens" / "rehydrated")
    recipe, pool = plan.arm("rehydrated").recipe, InputSettings(paths=[f"{work}/train_pool/*.parquet"])
    clean(recipe.model_copy(update={"input": (pool,)}), UPath(tmp_path))
    sizes = pl.read_parquet(f"{tmp_path}/clean/*.parquet", columns=["id", "cluster_size"])
    wanted = {id: 1 if size == 1 else 3 if size < 4 else 0 for id, size in sizes.iter_rows()}
    assert set(full.values()) == {1} and full.keys() == wanted.keys() and set(wanted.values()) >= {1, 3}
    assert found == +Counter(wanted)
    about = arm_summary(work, plan.arm("rehydrated"))
    assert about["counts"]["copies"] > 1 and about["distinct"]["exact"] <= 1 / about["counts"]["copies"]


def test_documents_are_sampled_by_their_scores(prepared):
    plan, work = prepared
    (sampled,) = (arm for arm in plan.arms if arm.name == "good")
    assert sampled.against == "full" and plan.table(work)["arms"]["good"]["documents"]["temperature"] == -0.5
    found = copies_in(work / "tokens" / "good")
    scores = pl.read_parquet(str(work / "cleaning" / "clean" / "*.parquet"), columns=["id", "c4.sentences"])
    often = np.array([found[id] for id in scores["id"]])
    score = scores["c4.sentences"].to_numpy()
    assert score[often == 0].mean() > score[often > 1].mean() and often.max() <= 4
    sizes = [TokenShards(work / "tokens" / name).manifest.counts["bytes"] for name in ("full", "good")]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.35)


def test_a_sample_is_as_large_as_the_corpus_and_a_document_without_a_score_is_average():
    rng = np.random.default_rng(0)
    scores, sizes = rng.normal(5, 2, 4000), rng.integers(1, 500, 4000)
    scores[:100] = np.nan
    for temperature in (0.5, 2.0, -1.0):
        sampling = Sampling("x.y", temperature=temperature, max_copies=1000.0)
        weight = sampling.weigh(scores, Moments.of(scores, sizes, temperature))
        assert (weight * sizes).sum() / sizes.sum() == pytest.approx(1)
        assert len(set(weight[:100])) == 1
        best = np.argsort(scores[100:])[:: -1 if temperature > 0 else 1]
        assert (np.diff(weight[100:][best]) <= 0).all()
    nothing = Moments.of(np.zeros(0), np.zeros(0), 1.0)
    assert nothing == Moments() and sampling.weigh(np.zeros(0), nothing).size == 0
    same = Moments.of(np.full(3, 7.0), np.ones(3), 1.0)
    assert Sampling("x.y", temperature=1.0, max_copies=4.0).weigh(np.full(3, 7.0), same).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ('arms.weighted={ good = { by = "gopher.words" } }', r"\[arms\] 'good' columns: .*no step 'gopher'"),
        ('arms.weighted={ good = { by = "c4.sentences", temperature = 0 } }', "temperature: .*expected 0.01 or more"),
        ("arms.upsample={ good = { 0 = 2 } }", r"upsample\.good"),
    ],
)
def test_what_cannot_be_sampled_is_refused(tmp_path, change, complaint):
    with pytest.raises(RecipeError, match=complaint):
        arms_of(of(tmp_path, change))


def test_clusters_need_a_step_that_finds_them(tmp_path):
    impact = of(tmp_path, "arms.upsample={ x = { 2 = 2 } }")
    (tmp_path / "recipe.toml").write_text("[steps.c4]\n")
    with pytest.raises(RecipeError, match="no step provides 'cluster_size'"):
        arms_of(impact)
