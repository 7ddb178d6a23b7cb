"""What the explorer knows of a run is what the ledger says."""

import numpy as np
import polars as pl
import pytest
from corpora import write_jsonl
from starlette.testclient import TestClient

from gristmill.flows.clean.recipe import read_recipe
from gristmill.flows.clean.run import clean
from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.pipelines.errors import WorkError
from gristmill.pipelines.storage.files import to_path


def test_the_index_counts_what_the_ledger_says(whole, shards):
    rows = shards("ledger")
    assert whole.documents == len(rows) and whole.kept.tolist() == rows["kept"].to_list()
    first = [".".join(whole.rules[code]) if code >= 0 else None for code in whole.first]
    assert first == rows.select(pl.concat_str("step", "rule", separator=".")).to_series().to_list()
    for (step, rule), places in whole.broken.items():
        broke = [
            {"step": step, "rule": rule} in ({k: r[k] for k in ("step", "rule")} for r in row)
            for row in rows["violations"]
        ]
        assert places.tolist() == np.flatnonzero(broke).tolist()
    assert [whole.source.names[code] for code in whole.source.codes] == rows["source"].to_list()
    assert whole.bytes.sum() == rows["bytes"].sum()


def test_documents_of_unsure_language_are_shown_with_its_guess(whole):
    found = pl.concat(whole.over_parts(lambda part: whole.measures("language", part, ["label", "confident_label"])))
    assert ((found["confident_label"] == "und") & (found["label"] != "und")).any()
    assert [whole.language.names[code] for code in whole.language.codes] == found["label"].to_list()


def test_a_run_without_a_recipe_or_a_ledger_says_so(tmp_path, works):
    with pytest.raises(WorkError, match="missing or unfinished"):
        RunIndex(to_path(tmp_path))


@pytest.mark.parametrize("steps", ["", "[steps.exact]"])
@pytest.mark.parametrize("rows", [[], [{"id": "a", "text": "One."}, {"id": "b", "text": "One."}]])
def test_a_run_without_rules_or_documents_is_shown_too(tmp_path, steps, rows):
    (tmp_path / "recipe.toml").write_text(f"input = {{ max_reject_fraction = 1.0 }}\n{steps}")  # an empty file is one
    write_jsonl(tmp_path / "raw.jsonl", rows)
    clean(read_recipe(str(tmp_path / "recipe.toml"), paths=(str(tmp_path / "raw.jsonl"),)), to_path(tmp_path / "work"))
    index = RunIndex(to_path(tmp_path / "work"))
    client = TestClient(application(index, Tokenizers(index.folder)), base_url="http://localhost")
    assert f'data-total="all">{len(rows)}<' in client.get("/documents").text
    assert "Funnel" in client.get("/").text
    assert "No step of this run has an adjustable threshold" in client.get("/thresholds").text
    assert client.get("/documents?text=one").text.count('<a class="row') == len(rows)
