"""The importance step: what is like the target stays, whatever the order of documents and shards."""

import polars as pl
import pytest
from corpora import tree, write_jsonl

from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.pipelines.errors import InputError, RecipeError
from gristmill.pipelines.storage.files import to_path

GOOD, BAD = "The mill grinds corn number {} for the town .", "Win {} cash now , click here !"


@pytest.fixture
def corpus(tmp_path):
    rows = [{"id": f"{form[0]}{i}", "text": form.format(i % 9)} for i in range(60) for form in (GOOD, BAD)]
    for k in range(3):
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", [*rows[k::3], {"id": f"blank-{k}", "text": ""}])
    write_jsonl(tmp_path / "again" / "all.jsonl", [*rows[::-1], *({"id": f"blank-{k}", "text": ""} for k in range(3))])
    write_jsonl(tmp_path / "target.jsonl", [{"id": str(i), "text": GOOD.format(i)} for i in range(50)])
    return tmp_path


def run(corpus, raw, work, **settings):
    steps = {"importance": {"target": [str(corpus / "target.jsonl")], **settings}}
    recipe = parse_recipe({"input": {"paths": [str(corpus / raw)]}, "steps": steps}, "test")
    clean(recipe, to_path(corpus / work))
    return sorted(pl.read_parquet(corpus / work / "clean" / "*.parquet")["id"].to_list())


def test_half_stays_and_it_is_what_the_target_is_like(corpus):
    kept = run(corpus, "raw", "work", keep=0.5)
    assert len(kept) == round(0.5 * 123) and sum(id.startswith("T") for id in kept) >= 58
    again = run(corpus, "again", "work-2", keep=0.5)
    assert kept == again
    assert len(run(corpus, "raw", "work-4", keep=0.001)) == 1  # never none
    run(corpus, "raw", "work-3", keep=0.5)
    assert tree(corpus / "work", "clean", "steps", "ledger") == tree(corpus / "work-3", "clean", "steps", "ledger")


def test_gumbel_noise_keeps_some_documents_unlike_the_target(corpus):
    """With two buckets all weights are near zero, and noise decides; without noise the highest weights do."""
    drawn = run(corpus, "raw", "work", keep=0.5, buckets=2, ngrams=1)
    assert 0 < sum(id.startswith("W") for id in drawn) < 60
    highest = run(corpus, "raw", "work-2", keep=0.25, gumbel_noise=False)
    assert {id[0] for id in highest} == {"T"}


def test_min_mean_needs_no_share(corpus):
    kept = run(corpus, "raw", "work", min_mean_log_weight=0.0)
    assert {id[0] for id in kept} == {"T"}  # a blank document has nothing of the target
    scores = pl.read_parquet(corpus / "work" / "steps" / "importance" / "scores" / "*.parquet")
    assert scores.height == 123 and scores["mean_log_weight"].is_finite().all()


def test_without_a_target_nothing_is_read(corpus):
    with pytest.raises(RecipeError, match="target"):
        run(corpus, "raw", "work", target=[])
    write_jsonl(corpus / "empty.jsonl", [{"id": "1", "text": " "}])
    with pytest.raises(InputError, match="contains no words"):
        run(corpus, "raw", "work", target=[str(corpus / "empty.jsonl")])
    assert not (corpus / "work" / "documents").exists()
