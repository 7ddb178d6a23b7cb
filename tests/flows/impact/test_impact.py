"""gristmill impact: simulated experiments, a tiny real one, and what it refuses."""

import json
import tomllib

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner
from corpora import IMPACT, RECIPE, documents, write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from token_folders import train_subwords
from upath import UPath

from benchmarks.impact import SD, false_findings, found
from gristmill.flows.cli import group
from gristmill.flows.impact.arms import arms_of
from gristmill.flows.impact.eval_sets import cut_pieces, overlap
from gristmill.flows.impact.recipe import parse_impact, read_impact
from gristmill.flows.impact.train import Data
from gristmill.pipelines.errors import GristmillError, RecipeError, WorkError
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.storage.manifest import Manifest, Part, record_part
from gristmill.pipelines.storage.shards import write_shard
from gristmill.pretrain.impact.significance import smallest_effect


def call(*arguments):
    done = CliRunner().invoke(group, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """A recipe, raw text, and the folder of the finished experiment."""
    folder = tmp_path_factory.mktemp("impact")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "tiny.toml").write_text(IMPACT)
    rows = [row | {"labels": {"secret": "LABELLED"}} for row in documents(120)]
    write_jsonl(folder / "raw" / "a.jsonl", rows)
    run(folder)
    return folder


def run(folder, *options):
    arguments = ("--input", folder / "raw", "--output", folder / "work", "--workers", 1, *options)
    return call("impact", "run", folder / "tiny.toml", *arguments)


def report_of(folder):
    return json.loads((folder / "work" / "impact.json").read_text())


def runs_of(folder):
    return {path: path.stat().st_mtime_ns for path in (folder / "work" / "runs").rglob("*") if path.is_file()}


# Simulated experiments.


@pytest.mark.parametrize("arms", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_of_100_experiments_on_nothing_95_find_nothing(arms):
    assert false_findings(arms, 100) <= 5


def test_a_planted_effect_is_found_as_often_as_stated():
    effect = smallest_effect(SD, 3, 3, 0.02)
    assert found(effect, 150, seeds=3, max_seeds=None) == pytest.approx(0.8 * 150, abs=15)  # three standard errors


def test_halving_spends_seeds_where_they_matter():
    few, more = (found(2.5 * SD, 40, arms=5, seeds=3, max_seeds=most) for most in (None, 6))
    assert more >= 2 * few + 5  # 8 and 50 of 100


# A tiny real one.


def test_an_experiment_ends_in_a_sentence_a_table_and_a_picture(experiment):
    report = report_of(experiment)
    assert [arm["name"] for arm in report["arms"]] == ["raw", "full"]
    (question,) = report["questions"]
    assert question["interval"][0] <= question["delta"] <= question["interval"][1]
    losses = [arm["losses"]["raw"] for arm in report["arms"]]
    assert question["delta"] == pytest.approx(losses[1]["mean"] - losses[0]["mean"])
    assert len(set(losses[0]["seeds"])) == 2  # each seed is a run of its own
    assert report["headline"].startswith("full against raw: Δ bpb = ")
    assert (experiment / "work" / "impact.png").read_bytes().startswith(b"\x89PNG")
    assert report["headline"] in call("impact", "report", experiment / "work").stdout
    assert (
        json.loads(call("impact", "report", experiment / "work", "--json").stdout) | {"digest": report["digest"]}
        == report
    )


def test_losses_are_those_of_the_pieces(experiment):
    pieces = pl.read_parquet(experiment / "work" / "runs" / "full-1.parquet").filter(set="raw")
    loss = pieces["nats"].sum() / np.log(2) / pieces["bytes"].sum()
    assert report_of(experiment)["arms"][1]["losses"]["raw"]["seeds"][1] == pytest.approx(loss)


def test_equal_tokens_and_what_they_stand_for(experiment):
    raw, full = report_of(experiment)["arms"]
    assert raw["trained_tokens"] == full["trained_tokens"] == 4 * 2 * 16
    for arm in (raw, full):
        assert arm["source_bytes"] == pytest.approx(arm["trained_tokens"] * arm["bytes"] / arm["tokens"], abs=1)
        assert arm["epochs"] == pytest.approx(arm["trained_tokens"] / arm["tokens"])
    assert full["documents"] < raw["documents"]


def test_held_out_pieces_are_in_no_arm(experiment):
    work = UPath(experiment / "work")
    pool = work / "train_pool"
    kept = Manifest.read(work / "eval_sets").counts["documents"]
    assert kept and not (overlap(work / "eval_sets", pool.glob("*.parquet"), 13)["share"] > 0.1).any()
    held, trained = (pl.read_parquet(str(work / name / "*.parquet"))["id"] for name in ("held_out", "train_pool"))
    assert not set(held) & set(trained) and len(held) + len(trained) == 120
    (raw,) = (row for row in report_of(experiment)["heldout"] if row["set"] == "raw")
    assert raw["overlapping"] > 0  # the corpus has copies on both sides


def test_a_ladder_ends_in_a_law_and_says_what_it_cannot_know(experiment):
    scaling = report_of(experiment)["scaling"]
    assert len(scaling["points"]) == 2 * 2 * 3 and scaling["law"]["form"] == "chinchilla"
    assert scaling["worth"]["raw"]["tokens"] == 1.0 and len(scaling["sizes"]) == 6
    assert scaling["sizes"][-1]["tau"] == 1 and "a guess" in scaling["note"]
    assert "a token of full is worth" in call("impact", "report", experiment / "work").stdout


def test_tokenizers_are_compared_on_the_same_bytes(experiment, tmp_path):
    texts = [row["text"] for row in documents(60)]
    for size in (300, 400):
        train_subwords(tmp_path / str(size), texts, size)
    named = ", ".join(f'{name} = "{tmp_path / size}"' for name, size in (("small", "300"), ("large", "400")))
    changes = {"arms.raw": "false", "arms.full": "false", "arms.tokenizers": f"{{ {named} }}", "scaling.arms": "[]"}
    options = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    arguments = ("--input", experiment / "raw", "--output", tmp_path / "work", "--workers", 1)
    call("impact", "run", experiment / "tiny.toml", *arguments, *options, "--set", "budget.equal=bytes")
    report = json.loads((tmp_path / "work" / "impact.json").read_text())
    small, large = report["arms"]
    assert small["source_bytes"] == pytest.approx(large["source_bytes"], rel=0.2)  # whole steps of 32 tokens
    assert small["trained_tokens"] >= large["trained_tokens"] and small["parameters"] < large["parameters"]
    assert report["headline"].startswith("large against small")


def test_labels_go_nowhere(experiment):
    assert pl.read_parquet(str(experiment / "work" / "train_pool" / "*.parquet")).columns == DOCUMENT.names


def test_a_finished_experiment_repeats_nothing(experiment):
    before, report = runs_of(experiment), report_of(experiment)
    done = run(experiment)
    assert runs_of(experiment) == before and report_of(experiment) == report
    assert " 0 jobs" not in done.output and "train" not in done.stderr


def test_a_stopped_experiment_goes_on_where_it_was(experiment, monkeypatch):
    """One run is lost: it alone is made again, to the same losses; the others are not touched."""
    before, report = runs_of(experiment), report_of(experiment)
    runs = UPath(experiment / "work" / "runs")
    manifest = Manifest.read(runs)
    (runs / "manifest.json").unlink()
    for name, part in manifest.parts.items():
        if name != "full-1":
            record_part(runs, name, part)
    (runs / "full-1.parquet").unlink()
    (runs / "full-1" / "manifest.json").unlink()
    run(experiment)
    after = runs_of(experiment)
    made = {
        path.parent.name if path.parent.name != "runs" else path.stem for path in after if after[path] != before[path]
    }
    assert made == {"full-1", "manifest"} and report_of(experiment) == report
    assert isinstance(manifest.parts["full-1"], Part)


def test_a_plan_with_runs_is_not_changed(experiment):
    with pytest.raises(WorkError, match=r"holds runs of a plan with another 'test'"):
        run(experiment, "--set", "heldout.decision_set=clean")
    with pytest.raises(WorkError, match="no finished experiment"):
        call("impact", "report", experiment)


def test_repeating_too_often_is_refused(experiment, tmp_path):
    with pytest.raises(RecipeError, match=r"would read its [\d,]+ tokens [\d.]+ times"):
        arguments = ("--input", experiment / "raw", "--output", tmp_path, "--workers", 1)
        call("impact", "run", experiment / "tiny.toml", *arguments, "--set", "train.steps=9000")


def test_a_set_that_the_arms_hold_cannot_judge(experiment, tmp_path):
    pool = pl.read_parquet(str(experiment / "work" / "train_pool" / "*.parquet"))
    copy = write_jsonl(tmp_path / "copy.jsonl", pool.to_dicts())
    changes = (f'heldout.sets.copy=["{copy}"]', "heldout.decision_set=copy", "arms.full=false", 'arms.only=["exact"]')
    options = [part for change in changes for part in ("--set", change)]
    with pytest.raises(RecipeError, match=r"^the arms contain all but \d pieces of the set 'copy'"):
        arguments = ("--input", experiment / "raw", "--output", tmp_path / "work", "--workers", 1)
        call("impact", "run", experiment / "tiny.toml", *arguments, *options, "--set", "scaling.arms=[]")


# What is asked for, and what is refused.


def test_the_plan_names_arms_set_and_power(experiment, tmp_path):
    extra = ("--set", 'arms.without="each"', "--set", 'arms.only=["exact"]', "--set", "budget.max_seeds=5")
    arguments = ("--input", experiment / "raw", "--output", tmp_path / "planned", *extra)
    done = call("impact", "plan", experiment / "tiny.toml", *arguments)
    plan = json.loads((tmp_path / "planned" / "plan.json").read_text())
    against = {name: arm["against"] for name, arm in plan["arms"].items()}
    without = {f"without {step}": "full" for step in ("c4", "fineweb", "exact")}
    assert against == {"raw": None, "full": "raw", **without, "only exact": "raw"}
    assert plan["arms"]["without c4"]["steps"] == ["fineweb", "exact"]
    assert [look["seeds"] for look in plan["looks"]] == [2, 4, 5] and plan["test"]["decision_set"] == "raw"
    assert "four times in five" in done.stdout


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("budget.seed=3", r"no setting 'seed'; did you mean 'seeds'"),
        ("budget.seeds=1", r"seeds: .*greater than or equal to 2.*found 1"),
        ("budget.max_seeds=1", r"greater than or equal to 2"),
        ("heldout.decision_set=prose", r"decision_set 'prose' is unknown"),
        ('heldout.sets.raw=["x"]', r"the name 'raw' of a set"),
        ('arms.without=["exakt"]', r"unknown part 'exakt'; did you mean 'exact'"),
        ('arms.groups.all=["c5"]', r"has no step 'c5'; did you mean 'c4'"),
        ('arms.groups={ "../x" = ["c4"] }', r"\[arms.groups\]: a name is 1 to 64 of .*, found '\.\./x'"),
        ('arms.recipes={ ".." = "x.toml" }', r"\[arms.recipes\]: a name is .*, found '\.\.'"),
        ('arms.tokenizers={ "a/b" = "x" }', r"\[arms.tokenizers\]: a name is .*, found 'a/b'"),
        ('heldout.sets={ "a:b" = ["x"] }', r"\[heldout.sets\]: a name is .*, found 'a:b'"),
        ("model.preset=nano-bert", r"predicts the next token"),
        ("model.d_modle=64", r"no setting 'd_modle'; did you mean 'd_model'"),
        ("bugdet.seeds=3", r"did you mean 'budget'"),
        ('scaling.arms=["rwa"]', r"did you mean 'raw'"),
        ("arms.full=false", r"nothing to compare"),
    ],
)
def test_mistakes_are_named(experiment, change, complaint):
    with pytest.raises(GristmillError, match=complaint) as error:
        arms_of(read_impact(str(experiment / "tiny.toml"), (change,), ("raw",)))
    assert "\n" not in str(error.value)


def test_two_arms_of_one_folder_are_a_mistake(experiment):
    changes = 'arms.without=["c4"]', 'arms.recipes={ Without-c4 = "recipe.toml" }'
    with pytest.raises(RecipeError, match="two arms named 'without c4' and 'Without-c4'"):
        arms_of(read_impact(str(experiment / "tiny.toml"), changes, ("raw",)))


def test_a_recipe_that_is_not_there_or_reads_nothing(tmp_path, experiment):
    with pytest.raises(RecipeError, match="no recipe at"):
        read_impact(str(tmp_path / "none.toml"))
    with pytest.raises(RecipeError, match="nothing to read"):
        read_impact(str(experiment / "tiny.toml"))


def test_a_table_is_read_as_its_file_is(experiment):
    file = experiment / "tiny.toml"
    table = tomllib.loads(file.read_text())
    changed = ("budget.seeds=4",), ("raw",)
    assert parse_impact(table, "recipe", *changed, str(experiment)) == read_impact(str(file), *changed)
    with pytest.raises(RecipeError, match=r"^recipe: "):
        parse_impact({"nonsense": 1}, "recipe", (), ("raw",))


# Pieces, overlap, epochs.


@given(
    st.lists(st.sampled_from(["a", "word ", "\n", "ü", "漢", "👩", " ", "x" * 70])).map("".join), st.integers(64, 90)
)
def test_pieces_are_whole_characters_and_all_of_the_text(text, size):
    pieces = cut_pieces(text.encode(), size)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece.encode()) <= size for piece in pieces)


def test_overlap_counts_grams_that_any_documents_hold(tmp_path):
    words = [f"w{i}" for i in range(40)]
    texts = {
        "whole": words,
        "half": [*words[:20], *(f"v{i}" for i in range(20))],
        "new": words[::-1],
        "short": words[:9],
    }
    pieces = [{"id": name, "text": " ".join(text), "source": "raw"} for name, text in texts.items()]
    trained = [{"id": str(k), "text": " ".join(words[k : k + 25]), "source": ""} for k in (0, 15)]
    for name, rows in (("pieces", pieces), ("trained", trained)):
        folder = UPath(tmp_path / name)
        write_shard(folder / "0.parquet", [pa.Table.from_pylist(rows, DOCUMENT)], DOCUMENT)
        Manifest("", {}, {"0": Part.from_files(folder, "", ["0.parquet"], {})}).write(folder)
    shares = overlap(UPath(tmp_path / "pieces"), [UPath(tmp_path / "trained" / "0.parquet")], 13)["share"].to_list()
    # 28 grams of 13 words: the two documents share words 15 to 24, so the grams of 3 to 14 that cross are in neither
    assert shares[0] == pytest.approx((13 + 13) / 28) and shares[1] == pytest.approx(8 / 28)
    assert shares[2] == 0.0 and shares[3] is None


def test_repeated_tokens_are_worth_less():
    assert Data(tokens=1000, bytes=4000, trained=500).effective == 500
    twice = Data(tokens=1000, bytes=4000, trained=2000)
    assert twice.unique == 1000 and 1900 < twice.effective < 2000 and twice.source_bytes == 8000
    assert Data(tokens=1000, bytes=4000, trained=10**6).effective < 1000 * 16.5
