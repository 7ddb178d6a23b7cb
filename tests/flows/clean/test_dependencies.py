"""Whole runs whose jobs see nothing but what they declare (tests/undeclared.py), and that depend on all they see."""

from pathlib import Path

import polars as pl
import pytest
from corpora import documents, tree, write_jsonl

from gristmill.dedup.exact.exact import Exact
from gristmill.dedup.near import near_duplicates
from gristmill.flows.clean import recipe as recipes
from gristmill.flows.clean.plan import decisions_of, measures_of
from gristmill.flows.clean.recipe import parse_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.report.ledger import read_ledger
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.runs.what_if import what_if
from gristmill.flows.tokenize.tokenize_corpus import token_settings, tokenize
from gristmill.flows.tokenize.train_tokenizer import tokenizer_settings, train_tokenizer
from gristmill.pipelines import sources
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import to_path
from gristmill.pipelines.storage.manifest import Manifest
from gristmill.pipelines.storage.shards import read_shard

RESULTS = ("documents", "rejects", "steps", "clean", "removed", "ledger")
EVERY = {
    "tongue": {"use": "language", "min_probability": 0.0},
    "c4": {"min_sentences": 2},
    "gopher": {"min_words": 20},
    "cross_fit_perplexity": {"min_characters": 1000},
    "repeated_passages": {},
    "pii": {},
    "again": {"use": "gopher", "min_words": 20},
    "exact": {},
    "near_duplicates": {},
    "decontaminate": {"action": "cut"},
    "substrings": {},
    "importance": {"keep": 0.9},
    "fineweb": {},
}


def run(folder, raw, steps, name="work", changes=()):
    table = {
        "input": {"paths": [str(raw)], "work_unit_bytes": 30_000},
        "steps": {key: {**each} for key, each in steps.items()},
    }
    return clean(parse_recipe(table, "test", tuple(changes)), to_path(folder / name))


@pytest.fixture
def raw(tmp_path):
    for k in range(2):
        rows = [{**row, "id": f"{k}-{row['id']}"} for row in documents(seed=k, count=150)]
        write_jsonl(tmp_path / "raw" / f"{k}.jsonl", rows)
    return tmp_path / "raw"


def test_jobs_of_every_kind_declare_what_they_read(tmp_path, raw):
    """Also those of which a part still fits, which read from files what else they would have made."""
    write_jsonl(tmp_path / "items.jsonl", [{"id": "1", "question": "Who turns grain into flour and bread by a river?"}])
    steps = EVERY | {"decontaminate": {"action": "cut", "against": [str(tmp_path / "items.jsonl")]}}
    steps["importance"] = {"keep": 0.9, "target": [str(raw / "0.jsonl")]}
    run(tmp_path, raw, steps)
    changes = [
        'gopher.stop_words=["mill", "river"]',
        "pii.max_spans_per_kb=1.0",
        "near_duplicates.threshold=0.7",
        "again.min_words=9",
    ]
    run(tmp_path, raw, steps, changes=changes)
    run(tmp_path, raw, steps, "fresh", changes)
    assert tree(tmp_path / "work", *RESULTS) == tree(tmp_path / "fresh", *RESULTS)
    train_tokenizer([str(tmp_path / "work")], to_path(tmp_path / "tok"), tokenizer_settings({"vocab_size": 280}))
    tokenize([str(tmp_path / "work")], str(tmp_path / "tok"), to_path(tmp_path / "tokens"), token_settings([]))


def test_near_duplicates_are_decided_again_only_if_their_buckets_change(tmp_path, monkeypatch):
    def text(*numbers):
        return " ".join(f"the river{k} and mill{k}" for k in range(*numbers))

    rows = [("longer", text(20) + " end"), ("copy", text(20)), ("other", text(100, 107))]
    write_jsonl(tmp_path / "raw" / "0.jsonl", [{"id": id, "text": text} for id, text in rows])
    steps, raw = {"gopher": {"min_words": 30}, "near_duplicates": {}}, tmp_path / "raw"
    assert run(tmp_path, raw, steps)["clean"] == 1
    with monkeypatch.context() as patch:
        patch.setattr(near_duplicates, "select_documents", None)
        changes = ["gopher.min_words=28"]
        assert run(tmp_path, raw, steps, changes=changes)["clean"] == 2
    run(tmp_path, raw, steps, "fresh", changes)
    assert tree(tmp_path / "work", *RESULTS) == tree(tmp_path / "fresh", *RESULTS)
    changes = ["gopher.min_words=28", "gopher.max_words=80"]  # without the longer one
    assert run(tmp_path, raw, steps, changes=changes)["clean"] == 2
    run(tmp_path, raw, steps, "other", changes)
    assert tree(tmp_path / "work", *RESULTS) == tree(tmp_path / "other", *RESULTS)


class Peeks(Exact):
    """Looks at what another step measured, and says nothing of it."""

    NAME = "peeks"

    def decide(self, corpus, scratch):
        for part in corpus.parts:
            read_shard(measures_of(corpus.stage_folder.parents[1], "fineweb") / f"{part}.parquet")
        yield from super().decide(corpus, scratch)


def test_a_step_that_reads_what_it_has_not_declared_fails(tmp_path, raw, monkeypatch):
    monkeypatch.setitem(recipes.STEPS, "peeks", Peeks)
    with pytest.raises(WorkError, match="fineweb"):
        run(tmp_path, raw, {"fineweb": {}, "peeks": {}})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WorkError, match="fineweb"):
        run(Path(), raw, {"fineweb": {}, "peeks": {}}, "relative")


def test_a_changed_id_changes_the_decisions(tmp_path, raw):
    """Also where all measures stay as they were."""
    run(tmp_path, raw, {"fineweb": {}})
    text = (raw / "0.jsonl").read_text().replace('"0-doc-0000"', '"renamed"')
    (raw / "0.jsonl").write_text(text)
    run(tmp_path, raw, {"fineweb": {}})
    ids = pl.read_parquet(Path(decisions_of(tmp_path / "work", "fineweb")) / "*.parquet")["id"]
    assert "renamed" in ids and "0-doc-0000" not in ids


def test_the_language_step_may_have_any_name(tmp_path, raw):
    """Profiles, thresholds, report, explorer and what-if go by what it provides."""
    steps = {"language": {"min_probability": 0.0}, "gopher": {}, "cross_fit_perplexity": {"min_characters": 1000}}
    other = {
        "tongue": {"use": "language", "min_probability": 0.0},
        **{k: v for k, v in steps.items() if k != "language"},
    }
    run(tmp_path, raw, steps)
    run(tmp_path, raw, other, "other")
    alike = [f"steps/{name}" for name in ("gopher", "cross_fit_perplexity")]
    for kind in ("clean", "removed", "ledger", *alike):
        mine, others = tree(tmp_path / "work", kind), tree(tmp_path / "other", kind)
        shards = [name for name in mine if name.endswith((".parquet", ".ngram"))]
        assert shards and [mine[name] for name in shards] == [others[name] for name in shards]
    changes = ("gopher.min_words=30",)
    for one, two in zip(
        what_if(to_path(tmp_path / "work"), changes), what_if(to_path(tmp_path / "other"), changes), strict=True
    ):
        assert one["steps"]["gopher"] == two["steps"]["gopher"]
    told = [read_ledger(FinishedRun(to_path(tmp_path / name))).languages for name in ("work", "other")]
    assert told[0].equals(told[1]) and "en" in told[0]["language"]
    seen = [RunIndex(to_path(tmp_path / name)) for name in ("work", "other")]
    assert seen[0].profile.names == seen[1].profile.names and "en" in seen[1].profile.names
    assert seen[0].language.names == seen[1].language.names and "en" in seen[1].language.names


def test_what_follows_a_rewrite_of_the_corpus_gives_no_language_to_what_was_decided_before(tmp_path, raw):
    steps = {"gopher": {}, "repeated_passages": {}, "tongue": {"use": "language"}, "late": {"use": "gopher"}}
    run(tmp_path, raw, steps)
    run(tmp_path, raw, {"gopher": {}}, "alone")
    mine, alone = tree(tmp_path / "work", "steps/gopher/decisions"), tree(tmp_path / "alone", "steps/gopher/decisions")
    assert len(mine) > 1 and [*mine.values()][1:] == [*alone.values()][1:]  # but for the manifest
    one, two = what_if(to_path(tmp_path / "work"), ("gopher.min_words=50",))
    assert one["steps"]["gopher"] == two["steps"]["gopher"]


def test_a_change_of_a_filters_code_measures_with_that_filter_again(tmp_path, raw, monkeypatch):
    steps, names = {"c4": {}, "gopher": {}, "exact": {}}, ("documents", "steps/c4/measures", "steps/gopher/measures")
    run(tmp_path, raw, steps)

    def found():
        return {name: Manifest.read(to_path(tmp_path / "work" / name)).fingerprint for name in names}

    before, real = found(), sources.state
    run(tmp_path, raw, steps)
    assert found() == before
    monkeypatch.setattr(
        sources, "state", lambda path: f"new {real(path)}" if path.endswith("gopher.py") else real(path)
    )
    run(tmp_path, raw, steps)
    assert {name for name in names if found()[name] != before[name]} == {"steps/gopher/measures"}
