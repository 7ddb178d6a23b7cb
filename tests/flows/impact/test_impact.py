"""gristmill impact: simulated experiments, a tiny real one, and what it refuses."""

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from corpora import IMPACT, RECIPE, documents, write_jsonl
from hypothesis import given
from hypothesis import strategies as st
from token_folders import train_subwords
from upath import UPath

from benchmarks.impact import SD, false_findings, found
from gristmill.flows.impact.documents.samples import own_documents
from gristmill.flows.impact.eval_sets import overlap
from gristmill.flows.impact.plan import PARTS, SAMPLES
from gristmill.flows.impact.verdicts import disagreements
from gristmill.pipelines.errors import RecipeError, WorkError
from gristmill.pipelines.schema import DOCUMENT
from gristmill.pipelines.storage.manifest import Manifest, Part, record_part
from gristmill.pipelines.tokens.shards import TokenShards
from gristmill.pretrain.impact.significance import smallest_effect
from tests.flows.cli.test_pretrain_commands import call


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


def test_open_questions_get_more_seeds():
    few, more = (found(2.5 * SD, 40, arms=5, seeds=3, max_seeds=most) for most in (None, 6))
    assert more >= 2 * few + 5


def test_the_luck_of_documents_is_no_finding():
    luck = {"document_sd": SD, "seeds": 6}
    assert false_findings(2, 100, **luck) <= 5 and false_findings(2, 100, parts=3, **luck) <= 5
    assert all(false_findings(2, 100, parts=parts, short=PARTS, **luck) <= 5 for parts in (3, 6))
    assert false_findings(2, 100, parts=3, short=SAMPLES, **luck) <= 5
    assert false_findings(2, 100, parts=2, trust=False, **luck) >= 10


# A tiny real one.


def test_an_experiment_ends_in_a_sentence_a_table_and_a_picture(experiment):
    report = report_of(experiment)
    assert [arm["name"] for arm in report["arms"]] == ["raw", "full"]
    (question,) = report["questions"]
    assert question["interval"][0] <= question["delta"] <= question["interval"][1]
    losses = [arm["losses"]["manual"] for arm in report["arms"]]
    assert question["delta"] == pytest.approx(losses[1]["mean"] - losses[0]["mean"])
    assert len(set(losses[0]["seeds"])) == 2  # each seed is a run of its own
    assert report["headline"].startswith("full against raw: ")
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
        assert arm["epochs"] == pytest.approx(2 * arm["trained_tokens"] / arm["tokens"])  # each seed has a half
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
    split = scaling["kaplan"]["split"]  # both laws, side by side
    assert [each["flops"] for each in split["best"]] == [each["flops"] for each in scaling["law"]["split"]["best"]]
    assert split["a"]["value"] + split["b"]["value"] == pytest.approx(1)
    assert (experiment / "work" / "scaling.png").read_bytes().startswith(b"\x89PNG")
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
        run(experiment, "--set", "test.margin=0.01")
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


def tried(experiment, folder, *changes, raw=None):
    """Run an experiment without scaling; return its report."""
    options = [part for change in ("scaling.arms=[]", *changes) for part in ("--set", change)]
    call(
        *("impact", "run", experiment / "tiny.toml", "--input", raw or experiment / "raw", "--output", folder),
        *("--workers", 1, *options),
    )
    return json.loads((folder / "impact.json").read_text())


def test_a_null_experiment_is_one_line(experiment, tmp_path):
    halves = "arms.raw=false", "arms.full=false", "arms.shares={ low = [0, 0.5], high = [0.5, 1] }"
    report = tried(experiment, tmp_path / "work", *halves, "train.seed=7", "train.init_seed=9")
    low, high = report["arms"]
    ids = [pl.read_parquet(str(tmp_path / "work" / "chosen" / name / "*.parquet"))["id"] for name in ("low", "high")]
    assert not {*ids[0]} & {*ids[1]} and sum(map(len, ids)) == low["documents"] + high["documents"]
    assert set(pl.read_parquet(str(tmp_path / "work" / "train_pool" / "*.parquet"))["id"]) == {*ids[0], *ids[1]}
    settings = json.loads((tmp_path / "work" / "runs" / "low-1" / "run.json").read_text())["settings"]
    assert settings["train"]["seed"] == 8 and settings["train"]["init_seed"] == 10
    assert report["questions"][0]["against"] == "low"
    (row,) = report["questions"]
    assert set(row["sets"]) == {"raw", "clean"}


def test_arms_are_corpora_sources_and_lists(experiment, tmp_path):
    rows = list(documents(120))
    write_jsonl(tmp_path / "raw.jsonl", [row | {"source": "even" if i % 2 else "odd"} for i, row in enumerate(rows)])
    write_jsonl(tmp_path / "other.jsonl", [row | {"id": f"o{i}"} for i, row in enumerate(documents(40, seed=5))])
    (tmp_path / "ids.txt").write_text("".join(f"{row['id']}\n" for row in rows[:60]))
    report = tried(
        experiment,
        tmp_path / "work",
        "arms.full=false",
        f'arms.corpora={{ other = ["{tmp_path / "other.jsonl"}"] }}',
        'arms.sources={ o = ["odd"] }',
        f'arms.ids={{ listed = "{tmp_path / "ids.txt"}" }}',
        raw=tmp_path / "raw.jsonl",
    )
    arms = {arm["name"]: arm for arm in report["arms"]}
    assert [row["against"] for row in report["questions"]] == ["raw"] * 3 and arms["other"]["documents"] == 40
    assert arms["o"]["documents"] < 60 and arms["listed"]["documents"] <= 60
    # Arms of another size are compared twice; the second time they are read as often as raw.
    (row,) = (row for row in report["questions"] if row["arm"] == "o")
    assert row["equal_documents"]["arm"] == "o" and row["equal_documents"]["verdict"]
    steps = {
        path.parent.name: json.loads(path.read_text())["steps"]
        for path in (tmp_path / "work" / "runs").glob("*/summary.json")
    }
    assert steps["o-equal-documents-0"] == round(steps["raw-0"] * arms["o"]["tokens"] / arms["raw"]["tokens"])
    with pytest.raises(RecipeError, match="'nobody' chooses no document; change its sources"):
        tried(experiment, tmp_path / "none", "arms.full=false", 'arms.sources={ nobody = ["x"] }')
    with pytest.raises(RecipeError, match=r"names the file .*lost\.txt, which does not exist"):
        tried(experiment, tmp_path / "lost", "arms.full=false", 'arms.ids={ lost = "lost.txt" }')


def test_arms_that_runs_read_often_have_their_spread_from_parts(experiment, tmp_path):
    steps = round(1.2 * min(arm["tokens"] for arm in report_of(experiment)["arms"]) / 32 / 16)
    report = tried(experiment, tmp_path / "work", f"train.steps={steps}", "train.batch_size=32", "budget.max_seeds=5")
    (row,) = report["questions"]
    assert row["verdict"] != "withheld" and row["samples"] == [3, 3] and report["parts"] == 5
    assert set(report["short"]) == {"raw", "full"} and "parts of it, which they read as often" in " ".join(
        report["legend"]
    )
    raw, _ = report["arms"]
    whole = raw["losses"]["manual"]["seeds"]
    assert (
        len(whole) == 3 and raw["runs"] == 6 and raw["epochs"] == pytest.approx(raw["trained_tokens"] / raw["tokens"])
    )
    assert row["delta"] == pytest.approx(report["arms"][1]["losses"]["manual"]["mean"] - np.mean(whole))
    settings = [
        json.loads(path.read_text())["settings"] for path in (tmp_path / "work" / "runs").glob("raw-parts-*/run.json")
    ]
    assert len({each["tokens"] for each in settings}) == 3
    parts = (tmp_path / "work" / "runs").glob("raw-parts-*/summary.json")
    assert {json.loads(path.read_text())["steps"] for path in parts} == {round(steps / 5)}


def test_a_small_share_has_its_spread_from_samples_of_the_largest_arm(experiment, tmp_path):
    raw = write_jsonl(tmp_path / "raw.jsonl", documents(600))
    changes = "arms.full=false", "arms.shares={ some = [0, 0.1] }", "train.steps=60", "train.batch_size=32"
    report = tried(experiment, tmp_path / "work", *changes, "budget.max_epochs=99", raw=raw)
    (row,) = report["questions"]
    assert report["short"] == {"some": SAMPLES} and row["verdict"] != "withheld"
    runs = tmp_path / "work" / "runs"
    samples = [json.loads(path.read_text())["settings"]["tokens"] for path in runs.glob("some-samples-*/run.json")]
    assert len(set(samples)) == len(samples) == row["samples"][0]
    whole = report["arms"][1]["losses"]["manual"]["seeds"]
    assert len(whole) == len(samples) == 2 and report["arms"][1]["runs"] == 4
    assert "has fewer distinct tokens" in row["sentence"] and "of the largest arm" in " ".join(report["legend"])


def test_a_verdict_is_withheld_where_the_documents_are_too_few(experiment, tmp_path):
    raw = write_jsonl(tmp_path / "raw.jsonl", documents(30))
    report = tried(
        experiment, tmp_path / "work", "train.steps=20", "train.batch_size=32", "budget.max_epochs=99", raw=raw
    )
    (row,) = report["questions"]
    assert row["verdict"] == "withheld" and row["seeds"] == [2, 2] and report["parts"] == 1
    assert row["needed_bytes"] > min(arm["bytes"] for arm in report["arms"])
    assert "MB in each arm is enough" in row["sentence"]


def test_sets_that_disagree_come_first():
    row = {"arm": "full", "against": "raw", "verdict": "better", "sets": {"a": {"verdict": "no difference seen"}}}
    assert disagreements(row, "books") == ""
    row["sets"]["b"] = {"verdict": "worse"}
    assert disagreements(row, "books") == "Sets disagree on full against raw: better on books, worse on b"


@given(st.integers(2, 5))
def test_parts_are_disjoint_and_together_all_documents(experiment, parts):
    shards = TokenShards(UPath(experiment / "work" / "tokens" / "raw"))
    whole = own_documents(shards, 0, 1)
    dealt = [own_documents(shards, part, parts) for part in range(parts)]
    assert len({split.fingerprint for split in dealt}) == parts
    texts = Counter(tuple(ids) for split in dealt for ids in np.split(split.read(0, split.count), split.ends[:-1]))
    assert texts == Counter(tuple(ids) for ids in np.split(whole.read(0, whole.count), whole.ends[:-1]))
