"""gristmill worth: the documents that a rule alone removes, in models and beside the rule in the explorer."""

import json

import pytest
from click.testing import CliRunner
from corpora import IMPACT, documents, write_jsonl
from upath import UPath

from gristmill.flows.cli import group
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.pages import threshold_page
from gristmill.flows.explorer.query import Query
from gristmill.flows.explorer.thresholds import Thresholds
from gristmill.flows.runs.finished import FinishedRun
from gristmill.flows.worth.run import with_sentence
from gristmill.pipelines.errors import RecipeError
from tests.flows.tune.searching import CLEANING, heldout_sets

RULE = "c4.sentences_too_low"


def call(folder, *arguments):
    given = ("worth", folder / "recipe.toml", *arguments, "--input", folder / "raw", "--output", folder / "work")
    given += ("--experiment", folder / "tiny.toml", "--seeds", 2, "--workers", 1)
    return CliRunner().invoke(group, [str(each) for each in given], catch_exceptions=False)


def test_removed_documents_are_compared_with_kept_ones(tmp_path):
    (tmp_path / "recipe.toml").write_text(CLEANING.replace("min_sentences = 1", "min_sentences = 6"))
    (tmp_path / "tiny.toml").write_text(IMPACT + heldout_sets(tmp_path))
    write_jsonl(tmp_path / "raw" / "a.jsonl", documents(200))
    (row,) = json.loads(call(tmp_path, RULE, "--json").stdout)
    run = FinishedRun(UPath(tmp_path / "work" / "run"))
    ledger = [row for part in run.parts for row in run.ledger(part, ["violations"])["violations"].to_list()]
    alone = [each for each in ledger if [f"{one['step']}.{one['rule']}" for one in each] == [RULE]]
    assert row["documents"] == len(alone) > 0 and row["seeds"] == [2, 2] and str(len(alone)) in row["sentence"]
    index = RunIndex(run.folder)
    assert threshold_page(index, Thresholds(index), Query(), RULE, "")["worth"]["sentence"] == row["sentence"]
    with pytest.raises(RecipeError, match="no document is removed"):
        call(tmp_path, "c4.nothing")


def test_a_finding_holds_only_if_it_holds_among_all_rules():
    row = {"rule": "a.b", "documents": 300, "bytes": 10**6, "share": 0.25, "set": "books", "confidence": 0.95}
    row |= {"delta": -0.01, "interval": [-0.02, -0.001], "verdict": "better"}
    assert "would have helped" in with_sentence(row, 0.04)["sentence"]
    assert "no difference" in with_sentence(row, 0.06)["sentence"]
    assert "the rule is right" in with_sentence(row | {"delta": 0.01, "verdict": "worse"}, 0.01)["sentence"]
