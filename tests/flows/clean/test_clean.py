"""The main job: nothing is lost, everything is explained, and how it was run does not show."""

import json
import random

import numpy as np
import polars as pl
import pytest
from corpora import documents, tree, write_jsonl

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.engine.engines import engine
from gristmill.pipelines.errors import InputError
from gristmill.pipelines.storage.files import to_path

RESULTS = ("clean", "removed", "ledger")
LOOSER = ["fineweb.max_short_line_ratio=1.0", "fineweb.min_line_punct_ratio=0.0", "fineweb.max_list_ratio=off"]


@pytest.fixture
def run(recipe):
    def run(work, *inputs, workers=1, changes=()):
        settings = read_recipe(str(recipe), tuple(changes), tuple(map(str, inputs)))
        with engine("processes", workers) as run:
            return clean(settings, to_path(work), run)

    return run


def rows(work, folder):
    return pl.read_parquet(work / folder / "*.parquet").sort("id")


def test_every_document_is_kept_or_explained(tmp_path, corpus, run):
    summary = run(tmp_path / "work", corpus)
    ledger, kept, removed = (rows(tmp_path / "work", name) for name in ("ledger", "clean", "removed"))
    assert summary["documents_in"] == 300 == len(ledger) == summary["clean"] + summary["removed"] + summary["rejects"]
    assert len(kept) == summary["clean"] > 100 and len(removed) == summary["removed"] > 100
    assert ledger.filter("kept")["id"].to_list() == kept["id"].to_list()
    gone = ledger.filter(~pl.col("kept"))
    assert gone.select("step", "rule", "value", "threshold").null_count().row(0) == (0, 0, 0, 0)
    assert gone["id"].to_list() == removed["id"].to_list()
    assert (gone["step"] + "." + gone["rule"]).to_list() == removed["reason"].to_list()
    by_step = {name: step["removed"] for name, step in summary["steps"].items()}
    assert by_step == {name: count for name, count in gone["step"].value_counts().iter_rows()}
    assert set(by_step) == {"c4", "fineweb", "exact"}


def test_the_first_step_in_the_recipe_gives_the_reason_and_the_others_are_recorded(tmp_path, corpus, run):
    run(tmp_path / "work", corpus)
    blank = rows(tmp_path / "work", "ledger").filter(pl.col("bytes") == 0)
    assert len(blank) and set(blank["rule"]) == {"sentences_too_low"}
    for reasons in blank["violations"].to_list():
        assert [(r["step"], r["rule"]) for r in reasons] == [("c4", "sentences_too_low"), ("fineweb", "lines_too_low")]


def test_a_duplicate_names_a_document_that_stayed(tmp_path, corpus, run):
    run(tmp_path / "work", corpus)
    ledger, kept = rows(tmp_path / "work", "ledger"), set(rows(tmp_path / "work", "clean")["id"])
    duplicates = ledger.filter(pl.col("rule") == "exact_duplicate")
    assert len(duplicates) > 10 and set(duplicates["duplicate_of"]) <= kept
    assert (
        ledger.filter(pl.col("rule") != "exact_duplicate")["duplicate_of"].null_count()
        == len(ledger) - len(duplicates) - ledger["kept"].sum()
    )


def test_text_is_rewritten_in_clean_and_as_it_was_in_removed(tmp_path, corpus, run):
    run(tmp_path / "work", corpus)
    original = {row["id"]: row for row in documents()}
    ledger = {row["id"]: row for row in rows(tmp_path / "work", "ledger").iter_rows(named=True)}
    changed = 0
    for row in rows(tmp_path / "work", "clean").iter_rows(named=True):
        cut = "Read our privacy policy here." in original[row["id"]]["text"]
        assert (row["text"] != original[row["id"]]["text"]) == cut == bool(ledger[row["id"]]["rewrites"])
        assert "privacy policy" not in row["text"]
        assert ledger[row["id"]]["clean_bytes"] == len(row["text"].encode())
        changed += cut
    assert changed > 10
    for row in rows(tmp_path / "work", "removed").iter_rows(named=True):
        assert row["text"] == original[row["id"]]["text"]


def test_other_columns_come_through(tmp_path, corpus, run):
    run(tmp_path / "work", corpus)
    original = {row["id"]: row for row in documents()}
    for folder in ("clean", "removed"):
        for row in rows(tmp_path / "work", folder).iter_rows(named=True):
            assert (row["stars"], row["source"]) == (original[row["id"]]["stars"], original[row["id"]]["source"])
            assert json.loads(row["tags"]) == original[row["id"]]["tags"]


def test_one_worker_and_two_write_the_same_bytes(tmp_path, corpus, run, monkeypatch):
    monkeypatch.setattr("gristmill.flows.engine.engines.INLINE_SECONDS", 0)  # decisions and copies are workers' too
    small = ["input.work_unit_bytes=20000"]  # several shards, so that there is something to share
    run(tmp_path / "one", corpus, changes=small)
    run(tmp_path / "two", corpus, changes=small, workers=2)
    one, two = (tree(tmp_path / name, *RESULTS) for name in ("one", "two"))
    assert one == two and len([name for name in one if name.endswith(".parquet")]) >= 9


@pytest.mark.parametrize("files", [1, 7])
def test_neither_the_cut_nor_the_order_of_files_matters(tmp_path, corpus, run, files):
    run(tmp_path / "three", corpus)
    shuffled = list(documents())
    random.Random(files).shuffle(shuffled)
    for k in range(files):
        write_jsonl(tmp_path / f"cut-{files}" / f"{9 - k}.jsonl", shuffled[k::files])
    run(tmp_path / "cut", tmp_path / f"cut-{files}")
    for folder in RESULTS:
        assert rows(tmp_path / "cut", folder).equals(rows(tmp_path / "three", folder))


def test_run_again_it_does_nothing(tmp_path, corpus, run, monkeypatch):
    before = run(tmp_path / "work", corpus)
    monkeypatch.setattr("gristmill.pipelines.steps.step._run_job", lambda job: pytest.fail(f"{job} ran again"))
    assert run(tmp_path / "work", corpus) == before


@pytest.mark.parametrize(("changes", "more"), [(LOOSER, True), (["c4.min_sentences=5"], False)])
def test_a_changed_threshold_measures_nothing_again_and_writes_what_a_new_run_writes(
    tmp_path, corpus, run, monkeypatch, changes, more
):
    before = run(tmp_path / "work", corpus)
    with monkeypatch.context() as patched:
        patched.setattr("gristmill.filters.core.measure._measure", lambda *args: pytest.fail("measured again"))
        after = run(tmp_path / "work", corpus, changes=changes)
    assert after["clean"] != before["clean"] and (after["clean"] > before["clean"]) == more
    assert run(tmp_path / "fresh", corpus, changes=changes) == after
    assert tree(tmp_path / "work", *RESULTS, "steps") == tree(tmp_path / "fresh", *RESULTS, "steps")


def test_changed_and_changed_back_is_as_it_was(tmp_path, corpus, run):
    run(tmp_path / "work", corpus)
    before = tree(tmp_path / "work", *RESULTS, "steps")
    run(tmp_path / "work", corpus, changes=[*LOOSER, "c4.min_sentences=5"])
    run(tmp_path / "work", corpus)
    assert tree(tmp_path / "work", *RESULTS, "steps") == before


def test_a_new_file_is_read_and_the_rest_follows(tmp_path, corpus, run):
    run(tmp_path / "work", corpus)
    write_jsonl(corpus / "3.jsonl", [{"id": "new", "text": "A mill. A river. A loaf of bread for you."}])
    assert run(tmp_path / "work", corpus)["documents_in"] == 301
    run(tmp_path / "fresh", corpus)
    assert tree(tmp_path / "work", *RESULTS) == tree(tmp_path / "fresh", *RESULTS)


def test_a_stricter_threshold_keeps_a_subset(tmp_path, corpus, run):
    kept = []
    for sentences in (3, 5, 7):
        run(tmp_path / "work", corpus, changes=[f"c4.min_sentences={sentences}"])
        kept.append(set(rows(tmp_path / "work", "clean")["text"]))
    assert kept[0] > kept[1] > kept[2]


def test_what_if_counts_what_a_run_would(tmp_path, corpus, run):
    from gristmill.flows.runs.what_if import what_if

    run(tmp_path / "work", corpus)
    changes = (*LOOSER, "c4.min_sentences=4")
    before, after = what_if(to_path(tmp_path / "work"), changes)
    assert before == run(tmp_path / "work", corpus)
    real = run(tmp_path / "work", corpus, changes=changes)
    for key in ("clean", "removed", "bytes_clean"):
        assert after[key] == real[key] != before[key]
    assert {n: s["rules"] for n, s in after["steps"].items()} == {n: s["rules"] for n, s in real["steps"].items()}


def test_a_corpus_of_rejects_alone_ends_well(tmp_path, run):
    write_jsonl(tmp_path / "raw" / "a.jsonl", [{"no": "text"}] * 3)
    summary = run(tmp_path / "work", tmp_path / "raw", changes=["input.max_reject_fraction=1.0"])
    assert (summary["documents_in"], summary["rejects"], summary["clean"]) == (3, 3, 0)
    assert np.all([path.name == "manifest.json" for path in (tmp_path / "work" / "clean").iterdir()])


def test_files_in_an_output_folder_within_the_input_are_not_left_out(corpus, run):
    (corpus / "sub").mkdir()
    write_jsonl(corpus / "sub" / "mine.jsonl", documents(3))
    with pytest.raises(InputError, match=r"sub lies in the input .*, and its files would be left out"):
        run(corpus / "sub", corpus)
    assert run(corpus / "work", corpus)["documents_in"] == 303


def test_an_output_that_is_the_input_is_refused_and_untouched(corpus, run):
    before = sorted(path.name for path in corpus.iterdir())
    with pytest.raises(InputError, match="is written by this run; name a folder in it, or another --output"):
        run(corpus, corpus)
    assert sorted(path.name for path in corpus.iterdir()) == before
