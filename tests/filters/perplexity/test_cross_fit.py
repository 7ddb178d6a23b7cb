"""Perplexity by models of the run's own documents: shuffled text goes, whatever the order of the documents."""

import numpy as np
import polars as pl
import pytest
from corpora import write_jsonl

from benchmarks.quality import judge_corpus
from gristmill.filters.perplexity import cross_fit
from gristmill.filters.perplexity.cross_fit import CrossFitPerplexity
from gristmill.filters.perplexity.fold_samples import listed
from gristmill.flows.clean.plan import decisions_of, report_of
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.engines import engine
from gristmill.flows.report.ledger import read_ledger
from gristmill.flows.report.rules import steps
from gristmill.flows.report.svg import number
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.what_if import what_if
from gristmill.pipelines.errors import RecipeError
from gristmill.pipelines.steps.step import NullProgress
from gristmill.pipelines.storage.files import to_path

SUBJECTS = ["the miller", "a farmer", "the old baker", "my neighbour", "the carter"]
VERBS = ["grinds the yellow corn", "sells the fine flour", "carries the heavy sacks", "buys a small loaf"]
PLACES = ["in the town", "near the river", "behind the mill", "before the evening comes"]


def documents(seed, shuffled=False):
    chance, texts = np.random.default_rng(seed), []
    for _ in range(300):
        words = " and ".join(" ".join(chance.choice(part) for part in (SUBJECTS, VERBS, PLACES)) for _ in range(16))
        texts.append(" ".join(chance.permutation(words.split())) if shuffled else words)
    return texts


@pytest.fixture(scope="module")
def rows():
    texts = [*documents(1), *documents(2, shuffled=True)[:20], "too short"]
    return [{"id": str(i), "text": text} for i, text in enumerate(texts)]


def judged(rows, **settings):
    step = CrossFitPerplexity(**{"min_characters": 1000, **settings})
    broken = [[] for _ in rows]
    scores = judge_corpus(step, "own", rows, pl.Series(["en"] * len(rows)), broken)
    return {row["id"]: rules for row, rules in zip(rows, broken, strict=True)}, scores


def test_shuffled_text_goes_and_no_other(rows):
    broken, scores = judged(rows)
    assert [id for id, rules in broken.items() if rules] == [str(i) for i in range(300, 320)]
    assert broken["300"] == ["own.context_gain_too_low"] and scores["perplexity"].null_count() == 0


def test_the_order_of_documents_changes_nothing(rows):
    assert judged(rows)[0] == judged(rows[::-1])[0]


def test_percentiles_cut_on_both_sides(rows):
    broken, _ = judged(rows, min_context_gain=None, min_percentile=10, max_percentile=90)
    found = [rules for rules in broken.values() if rules]
    assert 50 < len(found) < 70 and {rule for rules in found for rule in rules} == {
        "own.percentile_too_low",
        "own.percentile_too_high",
    }


def test_too_little_text_judges_nothing(rows):
    assert not any(judged(rows, min_characters=8_000_000)[0].values())


def test_percentiles_that_cross_are_refused():
    with pytest.raises(RecipeError, match=r"min_percentile 60\.0 is not below"):
        parse_recipe({"steps": {"cross_fit_perplexity": {"min_percentile": 60.0, "max_percentile": 30.0}}}, "test")


class Told(NullProgress):
    """The titles of the steps that had jobs."""

    def __init__(self):
        self.titles = []

    def start(self, title, jobs, bytes):
        self.titles += [title] * bool(jobs)


def run(folder, rows, shards=1, workers=1, gopher=20, work=None, **settings):
    """What steps had something to do in a run over the rows in so many files, and its summary."""
    for k in range(shards) if not (folder / f"raw-{shards}").exists() else ():
        write_jsonl(folder / f"raw-{shards}" / f"{k}.jsonl", rows[k::shards])
    steps = {"language": {"min_probability": 0.0}, "gopher": {"min_words": gopher}}
    steps["cross_fit_perplexity"] = {"min_characters": 1000, **settings}
    recipe = parse_recipe({"input": {"paths": [str(folder / f"raw-{shards}")]}, "steps": steps}, "test")
    told = Told()
    with engine("processes", workers) as run:
        summary = clean(recipe, to_path(work or folder / f"work-{shards}"), run, told)
    return told.titles, summary


def by_id(folder, name):
    return pl.read_parquet(folder / name / "*.parquet").sort("id").rows()


@pytest.fixture(scope="module")
def work(rows, tmp_path_factory):
    """A folder with a run of one shard and one worker."""
    folder = tmp_path_factory.mktemp("own")
    run(folder, rows)
    return folder


def test_shards_and_workers_change_neither_models_nor_decisions(rows, work, monkeypatch):
    monkeypatch.setattr("gristmill.flows.engine.engines.INLINE_SECONDS", 0)  # all that can be done by workers is
    run(work, rows[::-1], shards=3, workers=2)
    one, three = work / "work-1", work / "work-3"
    models = sorted(path.name for path in (one / "steps" / "cross_fit_perplexity" / "models").glob("*.ngram"))
    assert models == ["en-0.ngram", "en-1.ngram"]
    for name in models:
        path = f"steps/cross_fit_perplexity/models/{name}"
        assert (one / path).read_bytes() == (three / path).read_bytes()
    assert by_id(one, "clean") == by_id(three, "clean")
    assert [row[:5] for row in by_id(one, "removed")] == [row[:5] for row in by_id(three, "removed")]
    assert not (one / "steps" / "cross_fit_perplexity" / "scratch").exists()


def test_another_threshold_trains_and_scores_nothing(rows, work, monkeypatch):
    _, told = what_if(to_path(work / "work-1"), ("cross_fit_perplexity.max_percentile=60.0",))
    with monkeypatch.context() as changed:
        changed.setattr(cross_fit, "train", None)  # as what-if did not either
        assert what_if(to_path(work / "work-1"), ("cross_fit_perplexity.max_percentile=60.0",))[1] == told
    titles, summary = run(work, rows, max_percentile=60.0)
    assert titles == ["decide cross_fit_perplexity", "apply"]
    assert summary["steps"]["cross_fit_perplexity"]["removed"] > 100 and told["steps"] == summary["steps"]
    titles, _ = run(work, rows, max_percentile=60.0, order=2)
    assert titles[:3] == ["cross_fit_perplexity models", "cross_fit_perplexity scores", "decide cross_fit_perplexity"]


def test_a_model_whose_text_is_the_same_is_not_trained_again(rows, work):
    run(work, rows)
    titles, _ = run(work, rows, gopher=21)  # another threshold, which removes the same documents
    assert titles == ["decide language, gopher", "cross_fit_perplexity sample", "decide cross_fit_perplexity", "apply"]
    titles, _ = run(work, rows, gopher=166)  # and one that removes others
    assert "cross_fit_perplexity models" in titles
    run(work, rows, gopher=166, work=work / "fresh")
    assert results(work / "work-1") == results(work / "fresh")


def results(folder):
    """The bytes of models and results of a run, by file."""
    patterns = "steps/*/models/*.ngram", "steps/*/scores/*.parquet", "steps/*/decisions/*.parquet", "[clr]*/*.parquet"
    return {file.relative_to(folder): file.read_bytes() for pattern in patterns for file in folder.glob(pattern)}


def test_only_a_changed_model_scores_again(rows, work, monkeypatch):
    run(work, rows)
    own = work / "work-1" / "steps" / "cross_fit_perplexity"
    before, documents = results(work / "work-1"), listed(to_path(own), "part-00000-000")
    scored, score = [], cross_fit._score
    monkeypatch.setattr(cross_fit, "_score", lambda model, batch: scored.append(batch.text.rows) or score(model, batch))
    run(work, rows, gopher=161)  # removes one document, which trained the model of fold 1
    assert scored == [documents.filter(fold=0).height]
    after = results(work / "work-1")
    changed = {file.name for file in before if before[file] != after[file]}
    assert {"en-1.ngram", "part-00000-000.en-1.parquet"} < changed
    assert not {"en-0.ngram", "part-00000-000.en-0.parquet"} & changed
    run(work, rows, gopher=161, work=work / "fresh")
    assert after == results(work / "fresh")


def test_what_if_trains_anew_where_other_documents_are_left(rows, work):
    run(work, rows)
    _, told = what_if(to_path(work / "work-1"), ("gopher.min_words=166",))
    _, summary = run(work, rows, gopher=166)
    assert told["steps"] == summary["steps"] and 0 < summary["steps"]["gopher"]["removed"] < 300


def test_decisions_and_report_have_the_threshold_of_the_language(rows, work):
    run(work, rows, min_context_gain=2.0)
    made, name = FinishedRun(to_path(work / "work-1")), "cross_fit_perplexity"
    ((language, documents, limit),) = made.whole(
        report_of(made.folder, name, "thresholds"), ["language", "documents", "min_gain"]
    ).rows()
    assert (language, documents) == ("en", 320) and 0.5 < limit < 2
    broken = pl.concat(made.shard(decisions_of(made.folder, name), part, ["violations"]) for part in made.parts)
    violations = broken.explode("violations").drop_nulls().unnest("violations")
    assert violations.height == 20 and violations["threshold"].unique().to_list() == [limit]
    (told,) = (step for step in steps(made, read_ledger(made)) if step["name"] == name)
    assert told["on"]["context_gain_too_low"].others == [f"{number(limit)} for en"]


def test_a_work_folder_in_a_store_comes_to_the_same(rows, work):
    _, here = run(work, rows)
    titles, there = run(work, rows, work="memory://own-perplexity")
    assert there == here and "cross_fit_perplexity models" in titles
    assert run(work, rows, work="memory://own-perplexity")[0] == []
